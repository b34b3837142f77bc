import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { freePort } from '../support/realProxies.ts'
import { eventually } from '../support/waitFor.ts'

/** Each has a line of its own in the log. */
const REFUSALS = 50

interface Serving {
  readonly url: string
  readonly child: ChildProcess
}

/** The server as it is shipped, with this as its standard output. */
async function serve(output: 'pipe' | number): Promise<Serving> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-log-'))
  const port = await freePort()
  const env = { ...process.env, PARLEY_PORT: String(port), PARLEY_DATABASE: join(folder, 'parley.db') }
  const child = spawn(process.execPath, ['dist/server/main.js', 'serve'], {
    env: { ...env, PARLEY_SECRET: 'a secret that is long enough for a server' },
    stdio: ['ignore', output, 'inherit'],
  })
  onTestFinished(async () => {
    if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'exit')
    rmSync(folder, { recursive: true, force: true })
  })
  const url = `http://127.0.0.1:${port}`
  await eventually(async () => expect((await fetch(`${url}/healthz`)).status).toBe(200))
  return { url, child }
}

async function refuseSome({ url }: Serving): Promise<void> {
  for (let n = 0; n < REFUSALS; n += 1) expect((await fetch(`${url}/documents/any`)).status).toBe(401)
}

async function stop({ child }: Serving): Promise<unknown> {
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  return exited
}

it('[OPS-10] a server whose log has lost its reader goes on, and stops as any other', async () => {
  const serving = await serve('pipe')
  serving.child.stdout?.destroy()
  await refuseSome(serving)
  expect(await stop(serving)).toEqual([0, null])
})

it('[OPS-10] a server goes on whose log is on a disk that is full', async () => {
  const full = openSync('/dev/full', 'w')
  onTestFinished(() => closeSync(full))
  const serving = await serve(full)
  await refuseSome(serving)
  expect(await stop(serving)).toEqual([0, null])
})
