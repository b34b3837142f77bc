import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchBrowser, type TestBrowser } from '../support/browser.ts'
import { startOtherOrigin, type OtherOrigin } from '../support/otherOrigin.ts'
import { startTestServer, type Caller, type TestServer } from '../support/server.ts'

/** An application on its own origin, in a real Chromium, with nothing but what browsers and stock clients bring. */
describe('an application of another origin', () => {
  let application: OtherOrigin
  let stranger: OtherOrigin
  let server: TestServer
  let alice: Caller
  let browser: TestBrowser
  beforeAll(async () => {
    ;[application, stranger] = await Promise.all([startOtherOrigin(), startOtherOrigin()])
    server = await startTestServer({ variables: { PARLEY_ORIGINS: `${application.origin}/` } })
    alice = await server.as('alice')
    browser = await launchBrowser()
  })
  afterAll(async () => {
    await browser.close()
    await Promise.all([application.stop(), stranger.stop(), server.stop()])
  })

  const open = async ({ origin }: OtherOrigin): Promise<Page> => {
    const { page } = await browser.person()
    await page.goto(origin)
    return page
  }
  const variables = (id: string): string =>
    `const [api, token, id] = ${JSON.stringify([server.url, alice.token, id])}
     const call = (method, path, headers = {}, body) =>
       fetch(api + path, { method, body, headers: { authorization: 'Bearer ' + token, ...headers } })`
  /** Runs in the page: the tests are compiled without the types of a browser. */
  const run = <T>(page: Page, id: string, body: string): Promise<T> =>
    page.evaluate<T>(`(async () => { ${variables(id)}; ${body} })()`)

  it('[AUTH-4] reads, writes with If-Match, and reads the tag of a 409', async () => {
    await alice.post('/documents', { id: 'read', kind: 'text', content: 'one' })
    const page = await open(application)
    const said = await run<Record<string, unknown>>(
      page,
      'read',
      `const read = await call('GET', '/documents/' + id)
       const etag = read.headers.get('etag')
       const asText = { 'content-type': 'text/plain', 'if-match': etag, 'idempotency-key': 'k1' }
       const path = '/documents/' + id + '/content'
       const written = await call('PUT', path, asText, 'two')
       const replayed = await call('PUT', path, asText, 'two')
       const stale = await call('PUT', path, { ...asText, 'idempotency-key': 'k2' }, 'three')
       const created = await call('POST', '/documents', { 'content-type': 'application/json' }, '{"kind":"text"}')
       return {
         read: read.status, etag, written: written.status, newTag: written.headers.get('etag'),
         replayed: replayed.headers.get('idempotency-replayed'),
         stale: stale.status, current: stale.headers.get('etag'), code: (await stale.json()).code,
         link: stale.headers.get('link'), location: created.headers.get('location'),
         none: (await fetch(api + '/documents/' + id)).headers.get('www-authenticate'),
         nowhere: (await call('PUT', '/nowhere', asText, 'x')).status,
       }`,
    )
    expect(said).toMatchObject({ read: 200, written: 200, replayed: 'true', stale: 409, code: 'version-conflict' })
    expect(said).toMatchObject({ current: said['newTag'], nowhere: 404 })
    expect(said['link']).toMatch(/^<\/conflicts\//)
    expect(said['location']).toMatch(/^\/documents\//)
    expect(said['none']).toMatch(/^Bearer/)
  })

  it('[AUTH-4] [NOTE-3] is told of conflicts by EventSource and by fetch', async () => {
    await alice.post('/documents', { id: 'told', kind: 'text', content: 'one' })
    await alice.put('/documents/told', { content: 'two', baseVersion: 1 })
    const page = await open(application)
    const told = await run<string[]>(
      page,
      'told',
      `const events = new EventSource(api + '/conflict-notifications?documents=' + id + '&token=' + token)
       await new Promise((done) => (events.onopen = done))
       const came = new Promise((done) => events.addEventListener('parley.conflict.detected', done))
       const path = '/conflict-notifications?documents=' + id
       const { cursor } = await (await call('GET', path + '&waitSeconds=0')).json()
       const polled = call('GET', path + '&waitSeconds=20&since=' + encodeURIComponent(cursor))
       await call('PUT', '/documents/' + id, { 'content-type': 'application/json' }, '{"content":"x","baseVersion":1}')
       const { data } = await came
       events.close()
       const { events: [first] } = await (await polled).json()
       return [JSON.parse(data).data.document, first.data.document]`,
    )
    expect(told).toEqual(['told', 'told'])
  })

  it('[AUTH-4] [SYNC-1] edits live with stock y-websocket', async () => {
    await alice.post('/documents', { id: 'live', kind: 'text', content: 'live' })
    const page = await open(application)
    await run(
      page,
      'live',
      `const doc = new clients.Y.Doc()
       const url = api.replace('http', 'ws') + '/sync'
       const provider = new clients.WebsocketProvider(url, id, doc, { params: { token }, disableBc: true })
       await new Promise((done) => provider.once('sync', done))
       doc.getText('content').insert(4, ' from elsewhere')`,
    )
    await expect.poll(async () => (await alice.get('/documents/live/content')).body).toBe('live from elsewhere')
  })

  it('[AUTH-4] of an origin that is not listed can do none of it', async () => {
    await alice.post('/documents', { id: 'kept', kind: 'text', content: 'kept' })
    const page = await open(stranger)
    const said = await run<unknown>(
      page,
      'kept',
      `const read = await call('GET', '/documents/' + id).catch(() => 'refused')
       const plain = await fetch(api + '/healthz').catch(() => 'refused')
       const socket = new WebSocket(api.replace('http', 'ws') + '/sync/' + id + '?token=' + token)
       const live = await new Promise((done) => { socket.onopen = () => done('open'); socket.onerror = () => done('refused') })
       const events = new EventSource(api + '/conflict-notifications?token=' + token)
       const told = await new Promise((done) => { events.onopen = () => done('open'); events.onerror = () => done('refused') })
       return [read, plain, live, told]`,
    )
    expect(said).toEqual(['refused', 'refused', 'refused', 'refused'])
  })
})
