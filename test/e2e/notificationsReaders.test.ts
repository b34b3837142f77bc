import { EventSource } from 'eventsource'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { launchBrowser, type TestBrowser } from '../support/browser.ts'
import { startLine, type Line } from '../support/line.ts'
import { startOtherOrigin, type OtherOrigin } from '../support/otherOrigin.ts'
import { startTestServer, type Caller, type TestServer } from '../support/server.ts'

const CREATED = 'parley.document.created'

/** A reader as people use it: how it is started in a page, told of what in `told`, once it is let in. */
const READERS: Readonly<Record<string, string>> = {
  'EventSource of the browser': `
    const source = new EventSource(url)
    source.addEventListener('${CREATED}', ({ data }) => told.push(JSON.parse(data).data.document))
    await new Promise((done) => (source.onopen = done))`,
  'the polyfill, by ?lastEventId=': `
    const source = new clients.EventSourcePolyfill(url, { heartbeatTimeout: 60000 })
    source.addEventListener('${CREATED}', ({ data }) => told.push(JSON.parse(data).data.document))
    await new Promise((done) => (source.onopen = done))`,
  'fetch-event-source, by header': `
    await new Promise((done) => clients.fetchEventSource(url, {
      headers: { authorization: 'Bearer ' + token },
      openWhenHidden: true,
      onopen: async () => done(),
      onmessage: ({ event, data }) => event === '${CREATED}' && told.push(JSON.parse(data).data.document),
      onclose: () => { throw new Error('again') },
      onerror: () => 100,
    }))`,
}

/** On another origin, over a line that breaks. */
describe('[NOTE-3] over a stream that breaks before its first event, nothing is missed by', () => {
  let application: OtherOrigin
  let server: TestServer
  let line: Line
  let alice: Caller
  let browser: TestBrowser
  beforeAll(async () => {
    application = await startOtherOrigin()
    server = await startTestServer({ variables: { PARLEY_ORIGINS: application.origin } })
    alice = await server.as('alice')
    line = await startLine(server.url)
    browser = await launchBrowser()
  })
  afterAll(async () => {
    await browser.close()
    await line.close()
    await Promise.all([application.stop(), server.stop()])
  })

  let count = 0
  const created = async (prefix: string): Promise<string> => {
    const id = `${prefix}-${++count}`
    expect((await alice.post('/documents', { id, kind: 'text' })).status).toBe(201)
    return id
  }
  /** A first event while the line is cut, then one over each of two lines more. */
  const breaks = async (prefix: string, told: () => Promise<string[]>): Promise<void> => {
    const expected: string[] = []
    for (let n = 0; n < 3; n++) {
      line.cut()
      expected.push(await created(prefix))
      line.mend()
      await expect.poll(told).toEqual(expected)
    }
  }

  it.each(Object.entries(READERS))('%s', async (name, reader) => {
    const prefix = name.replace(/\W/g, '')
    const { page } = await browser.person()
    await page.goto(application.origin)
    const url = `${line.url}/conflict-notifications?documents=${prefix}*&token=${alice.token}`
    await run(
      page,
      `const [url, token] = ${JSON.stringify([url, alice.token])}; const told = (globalThis.told = []); ${reader}`,
    )
    await breaks(prefix, () => page.evaluate<string[]>('globalThis.told'))
  })

  it('eventsource of npm', async () => {
    const told: string[] = []
    const source = new EventSource(`${line.url}/conflict-notifications?documents=npm*&token=${alice.token}`)
    onTestFinished(() => source.close())
    source.addEventListener(CREATED, ({ data }) => told.push(JSON.parse(data).data.document))
    await new Promise((resolve) => source.addEventListener('open', resolve, { once: true }))
    await breaks('npm', async () => told)
  })
})

const run = (page: Page, body: string): Promise<unknown> => page.evaluate(`(async () => { ${body} })()`)

describe('[NOTE-3] ?lastEventId=', () => {
  let server: TestServer
  let alice: Caller
  beforeAll(async () => {
    server = await startTestServer()
    alice = await server.as('alice')
  })
  afterAll(() => server.stop())

  const first = async (query: string, headers: Record<string, string> = {}): Promise<string> => {
    const gone = new AbortController()
    const url = `${server.url}/conflict-notifications?token=${alice.token}&${query}`
    const answer = await fetch(url, { headers: { accept: 'text/event-stream', ...headers }, signal: gone.signal })
    expect(answer.status).toBe(200)
    let text = ''
    for await (const chunk of answer.body ?? []) {
      text += Buffer.from(chunk).toString()
      if (/event: (?!bookmark)/.test(text)) break
    }
    gone.abort()
    return text
  }

  it('resumes as the header does, which wins, and both win over since', async () => {
    const { cursor: before } = (await alice.get('/conflict-notifications')).body
    await alice.post('/documents', { id: 'one', kind: 'text' })
    const { cursor: between } = (await alice.get('/conflict-notifications')).body
    await alice.post('/documents', { id: 'two', kind: 'text' })
    const shows = (text: string): string | undefined => /"document":"(\w+)"/.exec(text)?.[1]
    expect(shows(await first(`lastEventId=${encodeURIComponent(before)}`))).toBe('one')
    expect(shows(await first(`lastEventId=${encodeURIComponent(between)}&since=${before}`))).toBe('two')
    expect(shows(await first(`lastEventId=${encodeURIComponent(before)}`, { 'last-event-id': between }))).toBe('two')
    expect(shows(await first(`lastEventId=&since=${between}`))).toBe('two')
  })

  it('that is no cursor is told to start anew, as one in the header is', async () => {
    expect(await first('lastEventId=nonsense')).toContain('event: resync\n')
  })

  it('is for streams: a poll has since', async () => {
    const { status, body } = await alice.get('/conflict-notifications?lastEventId=x')
    expect([status, body.code]).toEqual([400, 'invalid-request'])
  })
})
