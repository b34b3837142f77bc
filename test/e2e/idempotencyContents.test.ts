import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Ageing } from '../support/ageing.ts'
import { expectStatus } from '../support/conflicts.ts'
import { startDocumentServer, verdict, written } from '../support/documents.ts'
import { isReplayed } from '../support/idempotency.ts'
import { seededChance } from '../support/seededChance.ts'
import type { Answer, Caller } from '../support/server.ts'
import { StockClient } from '../support/stockClient.ts'
import { suiteServer } from '../support/suite.ts'

/** All that a test types stands before the first of it is old enough to be compacted. */
const ageing = new Ageing()
const server = suiteServer(() => startDocumentServer(ageing.variables, ageing.clock))
const alice = server.caller('alice')
const bob = server.caller('bob')
const root = server.caller('root', { '*': ['admin'] })
const writer = server.caller('writer', { '*': ['read', 'write'] })

let keys = 0
/** Headers of a request with a key of its own whose answer shows the document. */
const keyed = (more: Record<string, string> = {}) => ({
  'idempotency-key': `key-${++keys}`,
  prefer: 'return=representation',
  ...more,
})
const MERGE_PATCH = { 'content-type': 'application/merge-patch+json' }

/** Status, headers and body as they came: parsing and printing JSON keeps the order of members and the numbers. */
const essence = ({ status, headers, body }: Answer): unknown => {
  const names = ['etag', 'location', 'content-type', 'content-length']
  return [status, names.map((name) => headers.get(name)), JSON.stringify(body)]
}

/** Sends something again and again, with the same key. */
type Send = () => Promise<Answer>

interface Case {
  readonly ids: readonly string[]
  readonly send: Send
  readonly outcome: string
}

/** Each kind of success whose answer shows content, on documents of its own. Answers the documents and how to send it. */
const CASES: Readonly<Record<string, () => Promise<Case>>> = {
  'a creation': async () => {
    const id = server.newId()
    const headers = keyed()
    const content = { b: 1.5e300, '10': 'é\u2028😀', a: [{}, -0, null], '9': { z: '', y: true } }
    return { ids: [id], outcome: '201', send: () => alice.post('/documents', { id, kind: 'json', content }, headers) }
  },
  'a patch': async () => {
    const id = await server.create({ b: 1, a: { c: 'text' } }, { schema: { required: ['b'], type: 'object' } })
    const headers = keyed(MERGE_PATCH)
    const path = `/documents/${id}/content?baseVersion=1`
    return { ids: [id], outcome: '200 written', send: () => alice.patch(path, { a: { '7': [1] }, aa: '' }, headers) }
  },
  'a write of text': async () => {
    const id = await server.create('one\r\ntwo\n')
    const headers = keyed()
    const body = { content: 'one\r\n\u0000 \\ "2" 😀\n', baseVersion: 1 }
    return { ids: [id], outcome: '200 written', send: () => alice.put(`/documents/${id}`, body, headers) }
  },
  'a merge': async () => {
    const id = await written(server, 'one\ntwo\n', [[bob, 'one\nII\n']])
    const headers = keyed()
    const body = { content: 'ONE\ntwo\n', baseVersion: 1, onConflict: 'merge' }
    return { ids: [id], outcome: '200 merged', send: () => alice.put(`/documents/${id}`, body, headers) }
  },
  'a write that changes nothing': async () => {
    const id = await server.create('x')
    const headers = keyed()
    const body = { content: 'x', baseVersion: 1 }
    return { ids: [id], outcome: '200 unchanged', send: () => alice.put(`/documents/${id}`, body, headers) }
  },
  'an overwrite': async () => {
    const id = await written(server, 'one\n', [[bob, 'II\n']])
    const headers = keyed()
    const body = { content: 'III\n', baseVersion: 1, onConflict: 'incoming-wins' }
    return { ids: [id], outcome: '200 overwrote', send: () => alice.put(`/documents/${id}`, body, headers) }
  },
  'a refused write of text': async () => {
    const id = await written(server, 'one\ntwo\n', [[bob, 'one\nII\n']])
    const headers = keyed()
    const body = { content: 'ONE\n2 😀\n', baseVersion: 1 }
    return { ids: [id], outcome: '409 version-conflict', send: () => alice.put(`/documents/${id}`, body, headers) }
  },
  'a refused write of json': async () => {
    const id = await written(server, { '10': 1, b: { c: [1, 2] } }, [[bob, { '10': 2, b: { c: [1, 3] } }]])
    const headers = keyed()
    const body = { content: { '10': 3, '9': 1.5e300, b: { c: [1, 2, 4] } }, baseVersion: 1 }
    return { ids: [id], outcome: '409 version-conflict', send: () => alice.put(`/documents/${id}`, body, headers) }
  },
  'a refused transaction': async () => {
    const first = await written(server, 'one\ntwo\n', [[bob, 'one\nII\n']])
    const second = await server.create('x')
    const operations = [
      { action: 'put', document: second, content: 'y', baseVersion: 1 },
      { action: 'put', document: first, content: 'one\n2\n', baseVersion: 1 },
    ]
    const headers = keyed()
    const ids = [first, second]
    const send: Send = () => alice.post('/transactions', { operations, commit: true }, headers)
    return { ids, outcome: '409 transaction-conflict', send }
  },
  'a refused write on nothing': async () => {
    const id = await server.create('x')
    const headers = keyed()
    const body = { content: 'y', baseVersion: 0 }
    return { ids: [id], outcome: '409 version-conflict', send: () => alice.put(`/documents/${id}`, body, headers) }
  },
  'a resolution': async () => {
    const { id, conflictId } = await refused('one\ntwo\n')
    const headers = keyed()
    const body = { conflictId, baseVersion: 2, use: 'content', content: 'both\n' }
    return { ids: [id], outcome: '200', send: () => alice.post('/resolve-conflict', body, headers) }
  },
  'a proposal': async () => {
    const { id, conflictId } = await refused('one\ntwo\n')
    const headers = keyed()
    const body = { conflictId, baseVersion: 2, use: 'incoming' }
    return { ids: [id], outcome: '202', send: () => writer.post('/resolve-conflict', body, headers) }
  },
  'a resolution that comes too late': async () => {
    const { id, conflictId } = await refused('one\ntwo\n')
    expectStatus(await bob.put(`/documents/${id}`, { content: 'one\nIII\n', baseVersion: 2 }), 200)
    const headers = keyed()
    const body = { conflictId, baseVersion: 2, use: 'incoming' }
    return { ids: [id], outcome: '409 version-conflict', send: () => alice.post('/resolve-conflict', body, headers) }
  },
  'a restore': async () => {
    const id = await written(server, { a: 1 }, [[bob, { b: 2 }]])
    const headers = keyed()
    const body = { version: 1, baseVersion: 2 }
    return { ids: [id], outcome: '200 written', send: () => alice.post(`/documents/${id}/restore`, body, headers) }
  },
  'a transaction': async () => {
    const first = await written(server, 'one\ntwo\n', [[bob, 'one\nII\n']])
    const second = await server.create('x')
    const third = await written(server, { a: 1, b: 1 }, [[bob, { a: 1, b: 2 }]])
    const merge = { action: 'put', baseVersion: 1, onConflict: 'merge' }
    const operations = [
      { ...merge, document: first, content: 'ONE\ntwo\n' },
      { ...merge, document: second, content: 'y' },
      { ...merge, document: third, content: { a: 2, b: 1 } },
    ]
    const headers = keyed()
    const ids = [first, second, third]
    return { ids, outcome: '200', send: () => alice.post('/transactions', { operations, commit: true }, headers) }
  },
}

/** A conflict of alice over the second line. */
async function refused(base: string): Promise<{ readonly id: string; readonly conflictId: string }> {
  const id = await written(server, base, [[bob, base.replace('two', 'II')]])
  const answer = await alice.put(`/documents/${id}`, { content: base.replace('two', '2'), baseVersion: 1 })
  return { id, conflictId: expectStatus(answer, 409).body.conflict.id }
}

const versionsOf = async (by: Caller, id: string): Promise<{ version: number; firstVersion?: number }[]> =>
  (await by.get(`/documents/${id}/versions`)).body.items

/** Bytes that the database holds for the answers that are stored. */
function storedBytes(): number {
  const connection = new Database(server.file, { readonly: true })
  const sql = 'SELECT coalesce(sum(length(record) + coalesce(length(body), 0)), 0) FROM answers'
  const bytes = connection.prepare<[], number>(sql).pluck().get() ?? 0
  connection.close()
  return bytes
}

describe('[WRITE-8] an answer that shows content', () => {
  it('[WRITE-8] costs what was changed, not what the document holds', async () => {
    const chance = seededChance(8)
    const filler = Array.from({ length: 100_000 }, () => chance(2 ** 32).toString(36)).join(' ')
    const before = storedBytes()
    const id = server.newId()
    expectStatus(await alice.post('/documents', { id, kind: 'json', content: { filler, n: 0 } }, keyed()), 201)
    for (let n = 1; n <= 10; n++) {
      const path = `/documents/${id}/content?baseVersion=${n}`
      const { document } = expectStatus(await alice.patch(path, { n }, keyed(MERGE_PATCH)), 200).body
      expect(document.content.filler.length).toBe(filler.length)
    }
    const path = `/documents/${id}/content?baseVersion=1&onConflict=merge`
    const merged = await alice.patch(path, { m: 1 }, keyed(MERGE_PATCH))
    expect([verdict(merged), merged.body.content.m, merged.body.document.content.m]).toEqual(['200 merged', 1, 1])
    const operations = [
      {
        action: 'patch',
        document: id,
        baseVersion: 1,
        onConflict: 'merge',
        patch: { o: 1 },
        contentType: MERGE_PATCH['content-type'],
      },
    ]
    const committed = await alice.post('/transactions', { operations, commit: true }, keyed())
    expect(expectStatus(committed, 200).body.operations[0].content.o).toBe(1)
    expect(storedBytes() - before).toBeLessThan(13 * 1000)
  })

  it('[WRITE-8] costs what differs where it is refused or resolves, not what the document holds', async () => {
    const chance = seededChance(9)
    const filler = Array.from({ length: 40_000 }, () => chance(2 ** 32).toString(36)).join(' ')
    const id = await written(server, { filler, n: 0 }, [[bob, { filler, n: 1 }]])
    const before = storedBytes()
    for (let n = 2; n <= 8; n++) {
      const path = `/documents/${id}/content?baseVersion=1`
      const { conflict } = expectStatus(await alice.patch(path, { n }, keyed(MERGE_PATCH)), 409).body
      for (const side of ['base', 'current', 'incoming', 'merged']) {
        expect(conflict[side].content.filler.length).toBe(filler.length)
      }
      const ask = { conflictId: conflict.id, baseVersion: n - 1, use: 'current' }
      const resolved = expectStatus(await alice.post('/resolve-conflict', ask, keyed()), 200).body
      expect(resolved.conflict.incoming.content.n).toBe(n)
      expectStatus(await bob.put(`/documents/${id}`, { content: { filler, n: -n }, baseVersion: n }), 200)
    }
    expect(storedBytes() - before).toBeLessThan(40 * 1000)
  })

  it('[WRITE-8] is replayed byte for byte after further writes, a restart and a deletion', async () => {
    const made: (Case & { readonly name: string; readonly first: unknown })[] = []
    for (const [name, prepare] of Object.entries(CASES)) {
      const one = await prepare()
      const first = await one.send()
      expect([name, verdict(first)]).toEqual([name, one.outcome])
      made.push({ name, ...one, first: essence(first) })
    }
    const replays = async (): Promise<void> => {
      for (const { name, send, first } of made) {
        const again = await send()
        expect([name, essence(again), isReplayed(again)]).toEqual([name, first, true])
      }
    }
    await replays()
    const ids = made.flatMap((one) => one.ids)
    for (const id of ids) {
      const { content, version } = (await bob.get(`/documents/${id}`)).body
      const next = typeof content === 'string' ? `later\n${content}` : { ...content, b: 'later' }
      expectStatus(await bob.put(`/documents/${id}`, { content: next, baseVersion: version }), 200)
    }
    await replays()
    await server.restart()
    await replays()
    for (const id of ids) {
      const { version } = (await root.get(`/documents/${id}`)).body
      expectStatus(await root.delete(`/documents/${id}?baseVersion=${version}`), 204)
    }
    await replays()
  })

  it('[WRITE-8] [HIST-4] keeps the version it shows: what was typed around it is compacted', async () => {
    const id = await server.create('start\n')
    const socket = `${server.url.replace('http', 'ws')}/sync`
    const typist = await new StockClient(socket, id, { token: await server.token('typist') }).synced()
    onTestFinished(() => typist.destroy())
    const type = async (): Promise<void> => {
      for (let n = 0; n < 12; n++) typist.text.insert(typist.text.length, `${n} `)
      const typed = typist.text.toString()
      await expect.poll(async () => (await alice.get(`/documents/${id}/content`)).body).toBe(typed)
    }
    await type()
    const headers = keyed()
    const { content, version } = (await alice.get(`/documents/${id}`)).body
    const send: Send = () => alice.put(`/documents/${id}`, { content, baseVersion: version }, headers)
    const first = await send()
    expect(verdict(first)).toBe('200 unchanged')
    await type()
    ageing.passes()
    const reaches = async (): Promise<boolean> =>
      (await versionsOf(alice, id)).some((item) => item.firstVersion !== undefined && item.firstVersion > version)
    await expect.poll(reaches).toBe(true)
    expect((await versionsOf(alice, id)).map((item) => item.version)).toContain(version)
    const again = await send()
    expect([essence(again), isReplayed(again)]).toEqual([essence(first), true])
  })

  it('[WRITE-8] [HIST-5] is gone with the version, by a purge', async () => {
    const id = await server.create('x')
    const headers = keyed()
    const send: Send = () => alice.put(`/documents/${id}`, { content: 'y', baseVersion: 1 }, headers)
    expectStatus(await send(), 200)
    expectStatus(await root.delete(`/documents/${id}?baseVersion=2&purge=true`), 204)
    const again = await send()
    expect([verdict(again), isReplayed(again)]).toEqual(['410 document-deleted', false])
  })
})
