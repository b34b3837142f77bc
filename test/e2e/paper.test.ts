import { setImmediate as breathe, setTimeout as delay } from 'node:timers/promises'
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import type { Storage } from '../../server/storage/storage.ts'
import { contentAt } from '../../server/documents/past.ts'
import { toVersion, trustedDocumentId } from '../../server/foundation/ids.ts'
import { startTestServer, type Caller, type TestServer } from '../support/server.ts'
import { StockClient } from '../support/stockClient.ts'

type Keystroke = [position: number, deleted: number, inserted: string]

const PAPER: readonly Keystroke[] = JSON.parse(
  gunzipSync(readFileSync(new URL('../fixtures/automerge-paper-20000.json.gz', import.meta.url))).toString(),
).patches

const ID = trustedDocumentId('paper')
const RULE = '---\n'
const HEADER = `first: 0\n\nsecond: 0\n\n${RULE}`
/** Keystrokes sent before the others have a turn; a frame each, as a typist's are. */
const BURST = 20

/** What a writer was answered: this content stands at this version. */
interface Answered {
  readonly version: number
  readonly content: string
}

describe('a real paper', () => {
  let server: TestServer
  let storage: Storage | null = null
  beforeAll(async () => {
    const wrapStorage = (opened: Storage): Storage => (storage = opened)
    server = await startTestServer({ internals: { wrapStorage } })
  })
  afterAll(() => server.stop())

  it('[SYNC-2] [WRITE-6] [DOC-8] [CONF-3] is typed through a stock client while REST writers merge into it, and every version answered replays to its content', async () => {
    const [ada, ben] = [await server.as('ada'), await server.as('ben')]
    await ada.post('/documents', { id: ID, kind: 'text', content: HEADER, conflictPolicy: 'merge' })
    const socketUrl = `${server.url.replace('http', 'ws')}/sync`
    const typist = await new StockClient(socketUrl, ID, { token: await server.token('typist') }).synced()
    const reader = await new StockClient(socketUrl, ID, {
      token: await server.token('reader', { '*': ['read'] }),
    }).synced()

    let isTyping = true
    const answered: Answered[] = []
    const writers = [rewrite(ada, 'first', () => isTyping, answered), rewrite(ben, 'second', () => isTyping, answered)]
    const typed = await typePaper(typist)
    isTyping = false
    await Promise.all(writers)

    const paper = PAPER.reduce(
      (text, [at, deleted, inserted]) => text.slice(0, at) + inserted + text.slice(at + deleted),
      '',
    )
    expect(typed).toBe(paper)
    await expect.poll(async () => (await ada.get(`/documents/${ID}/content`)).body).toContain(RULE + paper)
    const final = (await ada.get(`/documents/${ID}`)).body
    await reader.shows(final.content)
    await typist.shows(final.content)
    for (const client of [typist, reader]) client.destroy()

    expect(answered.length).toBeGreaterThan(10)
    await expectToReplay([...answered, { version: final.version, content: final.content }])
  })

  /** Types behind the rule, wherever the writers have moved it by then. */
  async function typePaper(client: StockClient): Promise<string> {
    let start = HEADER.length
    client.text.observe((_event, transaction) => {
      if (!transaction.local) start = client.text.toString().indexOf(RULE) + RULE.length
    })
    for (const [index, [at, deleted, inserted]] of PAPER.entries()) {
      if (deleted > 0) client.text.delete(start + at, deleted)
      if (inserted !== '') client.text.insert(start + at, inserted)
      if (index % BURST === 0) await breathe()
    }
    return client.text.toString().slice(start)
  }

  /** Counts up in a line of its own, each time on a version that the typist has left behind by then. */
  async function rewrite(writer: Caller, line: string, goOn: () => boolean, kept: Answered[]): Promise<void> {
    for (let count = 1; goOn(); count += 1) {
      const seen = (await writer.get(`/documents/${ID}`)).body
      kept.push({ version: seen.version, content: seen.content })
      await delay(100)
      const content = seen.content.replace(new RegExp(`^${line}: \\d+$`, 'm'), `${line}: ${count}`)
      const answer = await writer.put(`/documents/${ID}`, { content, baseVersion: seen.version })
      expect(answer.status, JSON.stringify(answer.body).slice(0, 500)).toBe(200)
      expect(answer.body.outcome).toMatch(/^(merged|written)$/)
      const stands = answer.body.outcome === 'merged' ? answer.body.content : content
      kept.push({ version: answer.body.version, content: stands })
    }
  }

  /** By effects from the nearest checkpoint, as the server reads its past, and by replaying the log with Yjs alone. */
  async function expectToReplay(versions: readonly Answered[]): Promise<void> {
    if (!storage) throw new Error('the server was started')
    const wanted = new Map(versions.map((one) => [one.version, one.content]))
    const doc = new Y.Doc()
    let version = 0
    for (const last = Math.max(...wanted.keys()); version < last;) {
      for (const entry of await storage.entries(ID, toVersion(version), toVersion(last), 500)) {
        if (entry.update.length > 0) Y.applyUpdate(doc, entry.update)
        version = entry.version
        const content = wanted.get(version)
        if (content === undefined) continue
        expect(doc.getText('content').toString() === content, `version ${version} replays to what was answered`).toBe(
          true,
        )
        const past = await contentAt(storage, ID, 'text', entry.version)
        expect(past === content, `version ${version} reads as what was answered`).toBe(true)
      }
    }
  }
})
