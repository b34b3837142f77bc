import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { text } from 'node:stream/consumers'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startTestServer, type Caller, type TestServer } from '../support/server.ts'

const PAGE = readFileSync(new URL('../../docs/handling-a-409.md', import.meta.url), 'utf8')
const run = promisify(execFile)

/** The program of a language, as the page prints it. */
function program(mark: string): string {
  const code = new RegExp(`<!-- ${mark}:start -->\\n\`\`\`\\w+\\n([^]*?)\`\`\``).exec(PAGE)?.[1]
  if (code === undefined) throw new Error(`the page has no program between marks of ${mark}`)
  return code
}

let server: TestServer
let ben: Caller
let folder: string
let proxy: Server | null = null
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'parley-409-'))
  server = await startTestServer()
  ben = await server.as('ben')
  await ben.post('/documents', { id: 'list', kind: 'text', content: 'Call Eve on Monday\nBuy coffee' })
})
afterEach(async () => {
  proxy?.close()
  proxy?.closeAllConnections()
  proxy = null
  await server.stop()
  rmSync(folder, { recursive: true })
})

const content = async (): Promise<unknown> => (await ben.get('/documents/list/content')).body

type Meddling = (request: IncomingMessage) => Promise<'forward' | 'lose the answer' | 'refuse for now'>

/** The server behind somebody who may act before a request arrives, or keep its answer. */
async function between(meddle: Meddling): Promise<string> {
  const http = createServer((request, response) => {
    void (async () => {
      const body = await text(request)
      const how = await meddle(request)
      if (how === 'refuse for now') {
        response.writeHead(503, { 'content-type': 'application/problem+json' })
        return response.end(JSON.stringify({ code: 'overloaded', retryable: true }))
      }
      const { host: _, 'content-length': __, connection: ___, ...headers } = request.headers
      const answer = await fetch(server.url + (request.url ?? ''), {
        method: request.method ?? 'GET',
        headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
        ...(body === '' ? {} : { body }),
      })
      const told = await answer.text()
      if (how === 'lose the answer') return request.socket.destroy()
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' })
      return response.end(told)
    })()
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  proxy = http
  const address = http.address()
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
}

const LANGUAGES = [
  ['TypeScript', 'ts', 'edit.mts', process.execPath, ['--import', import.meta.resolve('tsx')]],
  ['Python', 'py', 'edit.py', 'python3', []],
] as const
const hasPython = await run('python3', ['--version']).then(
  () => true,
  () => false,
)

describe('docs/handling-a-409.md', () => {
  it('[WRITE-6] [RES-1] the curl of the page resolves the 409 that it meets', async () => {
    const { stdout } = await run('bash', ['-c', `set -euo pipefail\n${program('sh')}`], {
      cwd: folder,
      env: { ...process.env, SERVER: server.url, ADA: await server.token('ada'), BEN: ben.token },
    })
    expect(stdout).toContain('L1: Call Eve on Tuesday or Call Eve on Friday')
    expect(stdout.endsWith('Call Eve on Friday\nBuy coffee and tea')).toBe(true)
  })

  describe.each(LANGUAGES)('in %s', (language, mark, file, command, args) => {
    beforeEach(({ skip }) => skip(language === 'Python' && !hasPython, 'python3 is not installed'))

    async function edit(url: string, access?: Record<string, string[]>): Promise<string> {
      writeFileSync(join(folder, file), program(mark))
      const env = { ...process.env, SERVER: url, TOKEN: await server.token('ada', access) }
      return (await run(command, [...args, file], { cwd: folder, env })).stdout.trim()
    }

    it('[WRITE-2] writes where nobody else does', async () => {
      expect(await edit(server.url)).toBe('written')
      expect(await content()).toBe('Call Eve on Friday\nBuy coffee and tea')
    })

    it('[RES-4] resolves, and once more where others write while it does', async () => {
      const days = ['Tuesday', 'Thursday']
      const url = await between(async ({ method }) => {
        const day = method === 'GET' ? undefined : days.shift()
        if (day !== undefined) {
          const { body } = await ben.get('/documents/list')
          await ben.put('/documents/list', { content: `Call Eve on ${day}\nBuy coffee`, baseVersion: body.version })
        }
        return 'forward'
      })
      expect(await edit(url)).toBe('resolved')
      expect([days, await content()]).toEqual([[], 'Call Eve on Friday\nBuy coffee and tea'])
    })

    it('[WRITE-8] does nothing twice where answers are lost or put off', async () => {
      const fates = ['lose the answer', 'refuse for now', 'lose the answer', 'forward'] as const
      let tries = 0
      const url = await between(async ({ method }) =>
        method === 'GET' ? 'forward' : (fates[tries++ % fates.length] ?? 'forward'),
      )
      expect(await edit(url)).toBe('written')
      expect([tries, (await ben.get('/documents/list')).body.version]).toEqual([4, 2])
    })

    it('[RES-3] proposes where it may not resolve', async () => {
      let isFirst = true
      const url = await between(async ({ method }) => {
        if (method === 'PUT' && isFirst) {
          isFirst = false
          await ben.put('/documents/list', { content: 'Call Eve on Tuesday\nBuy coffee', baseVersion: 1 })
        }
        return 'forward'
      })
      expect(await edit(url, { '*': ['read', 'write'] })).toBe('proposed')
    })

    it('[RES-6] is content where somebody else has resolved it', async () => {
      let isFirst = true
      const url = await between(async ({ method, url: path = '' }) => {
        if (method === 'PUT' && isFirst) {
          isFirst = false
          await ben.put('/documents/list', { content: 'Call Eve on Tuesday\nBuy coffee', baseVersion: 1 })
        }
        if (path === '/resolve-conflict') {
          const { body } = await ben.get('/conflicts?document=list&status=open')
          const [open] = body.items
          if (open) await ben.post('/resolve-conflict', { conflictId: open.id, baseVersion: 2, use: 'current' })
        }
        return 'forward'
      })
      expect(await edit(url)).toBe('resolved by others')
      expect(await content()).toBe('Call Eve on Tuesday\nBuy coffee')
    })
  })
})
