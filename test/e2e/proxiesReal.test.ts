import { once } from 'node:events'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import type { Proxy, ProxyOptions } from '../support/proxies.ts'
import { hasApache, hasNginx, realApache, realNginx } from '../support/realProxies.ts'
import { caller, startTestServer, type Caller, type TestServer } from '../support/server.ts'

const PROXIES = [
  ['nginx', hasNginx, realNginx],
  ['Apache', hasApache, realApache],
] as const

/** What proxies.test.ts shows with proxies of ours, with the real ones, where there are any. */
describe.each(PROXIES)('%s itself', (name, isThere, start) => {
  let server: TestServer
  let direct: Caller
  beforeAll(async () => {
    server = await startTestServer({ variables: { PARLEY_PUBLIC_URL: 'https://h.example/parley' } })
    direct = await server.as('alice')
  })
  afterAll(() => server.stop())
  beforeEach(({ skip }) => skip(!isThere, `${name} is not installed`))

  const through = async (options: Omit<ProxyOptions, 'upstream'> = {}): Promise<{ proxy: Proxy; alice: Caller }> => {
    const proxy = await start({ upstream: server.url, prefix: '/parley', ...options })
    onTestFinished(() => proxy.stop())
    return { proxy, alice: caller(() => proxy.url, direct.token) }
  }
  let count = 0
  const created = async (content: string): Promise<string> => {
    const id = `doc-${++count}`
    expect((await direct.post('/documents', { id, kind: 'text', content })).status).toBe(201)
    return id
  }

  it.each([true, false])('[API-7] links stay under the prefix, whether it is taken away: %s', async (strips) => {
    const { alice } = await through({ strips })
    const made = await alice.post('/v1/documents', { kind: 'text', content: 'one' })
    expect(made.headers.get('location')).toMatch(/^\/parley\/v1\/documents\//)
    const path = made.headers.get('location')?.replace('/parley', '') ?? ''
    expect((await alice.put(path, { content: 'two', baseVersion: 1 })).status).toBe(200)
    const refused = await alice.put(path, { content: 'three', baseVersion: 1 })
    expect([refused.status, refused.body.conflict.document.href]).toEqual([409, `/parley${path}`])
  })

  it.each([
    ['too small for us to compress', 'one line\n'.repeat(40)],
    ['compressed by us', 'one line\n'.repeat(400)],
  ])('[WRITE-1] [API-9] who reads a text can write it: %s', async (_which, content) => {
    const { alice } = await through()
    const id = await created(content)
    const read = await alice.get(`/documents/${id}/content`, { 'accept-encoding': 'gzip' })
    expect([read.status, read.body]).toEqual([200, content])
    expect(read.headers.get('content-encoding')).toBe('gzip')
    expect(read.headers.get('parley-version')).toBe('1')
    const tag = read.headers.get('etag') ?? ''
    const isWeak = name === 'nginx' && content.length < 1_024
    expect(tag).toMatch(isWeak ? /^W\/"[^"]+-1"$/ : /^"[^"]+-1-gzip"$/)
    const again = await alice.get(`/documents/${id}/content`, { 'if-none-match': tag, 'accept-encoding': 'gzip' })
    expect(again.status).toBe(304)
    const asText = { 'content-type': 'text/plain' }
    const written = await alice.put(`/documents/${id}/content`, 'two', { ...asText, 'if-match': tag })
    if (!isWeak) expect(written.status).toBe(200)
    else {
      expect([written.status, written.body.code]).toEqual([409, 'weak-etag'])
      expect((await alice.put(`/documents/${id}/content?baseVersion=1`, 'two', asText)).status).toBe(200)
    }
  })

  it('[NOTE-3] [NOTE-4] holds back no event of a stream and no poll', async () => {
    const { proxy, alice } = await through()
    const { cursor } = (await alice.get('/conflict-notifications')).body
    const gone = new AbortController()
    const url = `${proxy.url}/conflict-notifications?token=${alice.token}&documents=doc-*`
    const stream = await fetch(url, { headers: { accept: 'text/event-stream' }, signal: gone.signal })
    const polled = alice.get(`/conflict-notifications?waitSeconds=20&documents=doc-*&since=${cursor}`)
    let text = ''
    let id = ''
    for await (const chunk of stream.body ?? []) {
      text += Buffer.from(chunk).toString()
      if (id === '') id = await created('told')
      if (text.includes(`"document":"${id}"`)) break
    }
    gone.abort()
    expect(text).toContain('event: parley.document.created')
    expect((await polled).body.events[0].data.document).toBe(id)
  })

  it('[SYNC-1] passes sockets on', async ({ skip }) => {
    skip(name !== 'Apache', 'nginx is not set up here to pass sockets on')
    const { proxy, alice } = await through()
    const id = await created('live')
    const socket = new WebSocket(`${proxy.url.replace('http', 'ws')}/sync/${id}?token=${alice.token}`)
    await once(socket, 'message')
    socket.close()
  })
})
