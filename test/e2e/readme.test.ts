import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PROBLEMS } from '../../server/foundation/problemTable.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

/** The fenced blocks of a language between two marks of the README. */
function blocks(mark: string, language: string): string {
  const part = new RegExp(`<!-- ${mark}:start -->([^]*?)<!-- ${mark}:end -->`).exec(README)?.[1] ?? ''
  return [...part.matchAll(new RegExp('```' + language + '\\n([^]*?)```', 'g'))].map((match) => match[1]).join('\n')
}

describe('README', () => {
  let server: TestServer
  const folder = mkdtempSync(join(tmpdir(), 'parley-readme-'))
  beforeAll(async () => {
    server = await startTestServer({ variables: { PARLEY_SECRET: undefined } })
  })
  afterAll(async () => {
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  it('[WRITE-6] [CONF-1] [RES-1] the walk-through works as printed, with real curl', async () => {
    const script = `set -euo pipefail\n${blocks('walkthrough', 'sh')}`
    const { stdout } = await promisify(execFile)('bash', ['-c', script], {
      cwd: folder,
      env: { ...process.env, URL: server.url },
    })
    expect(stdout).toContain('HTTP/1.1 409 Conflict')
    expect(stdout).toContain('"outcome":"written"')
    expect(stdout).toContain('"overlaps":[{"id":"L2","lines":{"base":{"start":2,"end":3}')
    expect(stdout).toContain('"merged":{"clean":false,"content":"# Notes\\nCall Ada on Tuesday\\nBuy coffee and tea"}')
    expect(stdout.endsWith('# Notes\nCall Ada on Friday\nBuy coffee and tea')).toBe(true)
  })

  it('[CONF-1] the first 409 is answered as printed, members that are left out aside', async () => {
    const token = async (): Promise<string> =>
      ((await (await fetch(`${server.url}/demo/token`, { method: 'POST' })).json()) as { token: string }).token
    const [robot, ben] = [await token(), await token()]
    const call = (method: string, path: string, body: unknown, token: string) =>
      fetch(server.url + path, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    await call('POST', '/documents', { id: 'plan', kind: 'text', content: 'We ship on Tuesday\n' }, robot)
    await call('PUT', '/documents/plan', { content: 'We ship on Thursday\n', baseVersion: 1 }, ben)
    const { stdout } = await promisify(execFile)('bash', ['-c', blocks('first', 'sh')], {
      env: { ...process.env, URL: server.url, TOKEN: robot },
    })
    expect(JSON.parse(stdout)).toMatchObject(JSON.parse(blocks('first', 'json')))
  })

  it('leads to files that the package has as well', () => {
    const { files } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    const links = [...README.matchAll(/(?:\]\(|(?:src|srcset)=")((?!https?:|#)[^)#"]+)/g)].map(([, link = '']) => link)
    expect(new Set(links).size).toBeGreaterThan(5)
    for (const link of links) {
      expect(existsSync(new URL(`../../${link}`, import.meta.url)), link).toBe(true)
      expect(
        files.some((packed: string) => link === packed || link.startsWith(`${packed}/`)),
        link,
      ).toBe(true)
    }
  })

  it('[NOTE-2] [SYNC-1] the snippet for stock providers shows text, conflicts and locks', async () => {
    const guest = (await (await fetch(`${server.url}/demo/token`, { method: 'POST' })).json()) as { token: string }
    const call = (method: string, path: string, body: unknown) =>
      fetch(server.url + path, {
        method,
        headers: { authorization: `Bearer ${guest.token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    await call('POST', '/documents', { id: 'snippet', kind: 'text', content: 'one' })
    // Beside the project's packages, for the snippet imports them by name.
    const file = new URL('../../node_modules/.parley-readme-snippet.mjs', import.meta.url).pathname
    writeFileSync(file, blocks('snippet', 'js'))
    const child = spawn(process.execPath, [file], {
      env: { ...process.env, URL: server.url, TOKEN: guest.token, DOCUMENT: 'snippet' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    try {
      await expect.poll(() => output).toContain('open conflicts: 0 lock: null')
      await expect.poll(() => output).toContain('text: one')
      await call('PUT', '/documents/snippet', { content: 'two', baseVersion: 1 })
      await expect.poll(() => output).toContain('text: two')
      await call('PUT', '/documents/snippet', { content: 'three', baseVersion: 1 })
      await expect.poll(() => output).toContain('event: parley.conflict.detected')
      await expect.poll(() => output).toContain('"incoming":"three"')
    } finally {
      child.kill()
      rmSync(file)
    }
  })

  it('[API-2] the table of problems is that of the code, both ways', () => {
    const part = /<!-- problems:start -->([^]*?)<!-- problems:end -->/.exec(README)?.[1] ?? ''
    const listed = [...part.matchAll(/^\| `([a-z-]+)` \| (\d+) \| (yes|no) \|/gm)].map((row) =>
      row.slice(1, 4).join(' '),
    )
    const known = Object.entries(PROBLEMS).map(
      ([code, kind]) => `${code} ${kind.status} ${kind.retryable ? 'yes' : 'no'}`,
    )
    expect(listed.toSorted()).toEqual(known.toSorted())
  })
})
