import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { TokenIssuer } from '../../server/access/tokens.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { freePort } from '../support/realProxies.ts'
import { TEST_SECRET } from '../support/server.ts'
import { eventually } from '../support/waitFor.ts'

/** Modules are opened side by side at the start; after that a server has about forty open by itself. */
const OPEN_FILES = 300

type Ask = (method: string, path: string, body?: object) => Promise<number | undefined>

/** Asks on one connection, which is open before there are no more of them. */
function asker(port: number, token: string): Ask {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  onTestFinished(() => agent.destroy())
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  return (method, path, body) =>
    new Promise((resolve, reject) => {
      const asked = request({ agent, port, host: '127.0.0.1', method, path, headers }, (answer) => {
        answer.resume().once('end', () => resolve(answer.statusCode))
      })
      asked.once('error', reject).end(body && JSON.stringify(body))
    })
}

/** The server as it is shipped, which may open so few files. */
async function serve(): Promise<{ readonly port: number; readonly ask: Ask }> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-files-'))
  const port = await freePort()
  const env = { ...process.env, PARLEY_PORT: String(port), PARLEY_DATABASE: join(folder, 'parley.db') }
  const child = spawn(
    'bash',
    ['-c', `ulimit -n ${OPEN_FILES}; exec "$0" dist/server/main.js serve`, process.execPath],
    {
      env: { ...env, PARLEY_SECRET: TEST_SECRET },
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  )
  onTestFinished(async () => {
    if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'exit')
    rmSync(folder, { recursive: true, force: true })
  })
  const url = `http://127.0.0.1:${port}`
  await eventually(async () => expect((await fetch(`${url}/healthz`)).status).toBe(200))
  const issuer = new TokenIssuer({ secret: Buffer.from(TEST_SECRET), audience: null, environment: systemEnvironment })
  const { token } = await issuer.issue({ sub: 'anna', access: { '*': ['read', 'write'] }, ttlSeconds: 600 })
  return { port, ask: asker(port, token) }
}

/** Takes all that is left; answers how to give it back. */
async function useUp(port: number): Promise<() => void> {
  const sockets: Socket[] = Array.from({ length: 2 * OPEN_FILES }, () => connect(port, '127.0.0.1'))
  for (const socket of sockets) socket.on('error', () => undefined)
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  return () => sockets.forEach((socket) => socket.destroy())
}

it('[OPS-6] a server that can open no further file writes on, refuses for now what needs one, and recovers', async () => {
  const { port, ask } = await serve()
  expect(await ask('PUT', '/documents/doc', { content: 'one', baseVersion: 0 })).toBe(201)
  const giveBack = await useUp(port)
  expect(await ask('PUT', '/documents/doc', { content: 'two', baseVersion: 1 })).toBe(200)
  const all = async (): Promise<unknown[]> => [
    await ask('PUT', '/documents/doc', { content: 'three', baseVersion: 1 }),
    await ask('GET', '/conflicts'),
    await ask('GET', '/documents/doc/blame'),
    await ask('GET', '/documents/doc/diff?from=1&to=2'),
    await ask('GET', '/documents/doc/versions/1'),
  ]
  expect(await all()).toEqual([503, 503, 503, 503, 503])
  giveBack()
  await eventually(async () => expect(await all()).toEqual([409, 200, 200, 200, 200]))
})
