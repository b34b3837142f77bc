import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { ParleyError } from '../../server/foundation/problems.ts'
import type { DocumentId } from '../../server/foundation/ids.ts'
import { expectStatus, read } from '../support/conflicts.ts'
import { etagOf, startDocumentServer, verdict } from '../support/documents.ts'
import type { Answer } from '../support/server.ts'
import { StockClient } from '../support/stockClient.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(startDocumentServer)
const ann = server.caller('ann')
const bob = server.caller('bob')
const olga = server.caller('olga', { '*': ['admin'] })

const SECRET = 'to be forgotten'

/** All that SQLite keeps of a database. */
const filesOf = (file: string): Buffer[] =>
  [file, `${file}-wal`, `${file}-shm`].filter((path) => existsSync(path)).map((path) => readFileSync(path))

/** A document with versions, a label, an open conflict and a live session's edits, all of which hold the secret. */
async function secretDocument(): Promise<{ id: string; version: number; conflict: string }> {
  const id = await server.create(`${SECRET} 1`)
  expectStatus(await ann.put(`/documents/${id}`, { content: `${SECRET} 2`, baseVersion: 1 }), 200)
  const refused = await ann.put(`/documents/${id}`, { content: `${SECRET} 3`, baseVersion: 1 })
  expectStatus(refused, 409)
  expectStatus(await ann.put(`/documents/${id}/versions/1/label`, { label: SECRET }), 200)
  const socket = `${server.url.replace('http', 'ws')}/sync`
  const typist = await new StockClient(socket, id, { token: await server.token('typist') }).synced()
  typist.text.insert(0, SECRET)
  await expect.poll(async () => (await read(ann, id)).version).toBe(3)
  typist.destroy()
  return { id, version: 3, conflict: refused.body.conflict.id }
}

describe('purge', () => {
  it('[HIST-5] of a living document deletes it and leaves nothing but its id and its last version', async () => {
    const { id, version, conflict } = await secretDocument()
    const storage = server.storage
    const { updates } = await updatesOf(id as DocumentId)
    const path = `/documents/${id}?purge=true&baseVersion=${version}`
    expect(verdict(await ann.delete(path))).toBe('403 forbidden')
    expect(verdict(await olga.delete(`/documents/${id}?purge=maybe&baseVersion=3`))).toBe('400 invalid-request')
    expect(verdict(await olga.delete(`/documents/${id}?purge=true`))).toBe('428 precondition-required')
    expect(verdict(await olga.delete(`/documents/${id}?purge=true&baseVersion=1`))).toBe('409 version-conflict')
    expectStatus(await olga.delete(path), 204)
    for (const rest of ['', '/versions', '/versions/1', '/blame', '/content']) {
      const answer = await olga.get(`/documents/${id}${rest}`)
      expect([verdict(answer), answer.body.lastVersion]).toEqual(['410 document-deleted', 4])
    }
    expect(verdict(await olga.post(`/documents/${id}/restore`, { version: 1, baseVersion: 4 }))).toBe(
      '410 document-deleted',
    )
    expect(verdict(await olga.get(`/conflicts/${conflict}`))).toBe('404 not-found')
    expect(verdict(await olga.delete(`/documents/${id}?purge=true&baseVersion=4`))).toBe('410 document-deleted')
    expect((await server.eventsOf(id)).map(([type]) => type)).toEqual(['document.deleted'])
    // What SYNC-7 needs: every Yjs client of that life, with its clock.
    const doc = new Y.Doc()
    for (const update of updates) Y.applyUpdate(doc, update)
    expect(await storage.formerClients(id as DocumentId)).toEqual(Y.decodeStateVector(Y.encodeStateVector(doc)))
    // A close moves everything into the file, which held the secret before.
    await server.restart()
    expect(readFileSync(server.file).includes(SECRET)).toBe(false)
  })

  it('[HIST-5] of a deleted document names its last version; the id goes on counting', async () => {
    const id = await server.create({ secret: SECRET })
    const etag = await etagOf(ann, id)
    expectStatus(await ann.delete(`/documents/${id}?baseVersion=1`), 204)
    const purge = (query: string) => olga.delete(`/documents/${id}?purge=true${query}`)
    expect(verdict(await purge('&baseVersion=1'))).toBe('409 version-conflict')
    expect(verdict(await olga.delete(`/documents/${id}?baseVersion=2`))).toBe('410 document-deleted')
    expectStatus(await purge('&baseVersion=2'), 204)
    expect(await server.storage.head(id as DocumentId)).toMatchObject({ schema: null, createdBy: 'olga' })
    expectStatus(await ann.put(`/documents/${id}`, { content: 'anew', baseVersion: 0 }), 201)
    expect(await read(ann, id)).toEqual({ content: 'anew', version: 3 })
    expect((await olga.get(`/documents/${id}/versions`)).body.items).toMatchObject([{ version: 3 }])
    expect(verdict(await olga.get(`/documents/${id}/versions/1`))).toBe('404 not-found')
    expect(verdict(await ann.put(`/documents/${id}`, { content: 'x' }, { 'if-match': etag }))).toBe('409 unknown-base')
    expect(verdict(await olga.delete(`/documents/never?purge=true&baseVersion=1`))).toBe('404 not-found')
    // A write on nothing starts where this life does.
    const stale = await bob.put(`/documents/${id}`, { content: 'other', baseVersion: 0 })
    expect(verdict(stale)).toBe('409 version-conflict')
    expect(stale.body.conflict).toMatchObject({ base: { version: 0, content: '' }, current: { version: 3 } })
    expect(stale.body.conflict.overlaps).toMatchObject([{ current: 'anew', authors: ['ann'] }])
    expectStatus(await olga.get(`/conflicts/${stale.body.conflict.id}`), 200)
  })

  it('[HIST-5] [OPS-6] that is interrupted shows nothing, and is finished by the next start', async () => {
    const { id, version } = await secretDocument()
    breakErasing(Infinity)
    expect(verdict(await olga.delete(`/documents/${id}?purge=true&baseVersion=${version}`))).toBe(
      '503 storage-unavailable',
    )
    expect(verdict(await olga.get(`/documents/${id}/versions`))).toBe('410 document-deleted')
    await server.restart()
    await expect.poll(() => server.storage.unfinishedPurges()).toEqual([])
    expect((await server.eventsOf(id)).map(([type]) => type)).toEqual(['document.deleted'])
  })

  it('[HIST-5] [OPS-6] that a full disk interrupts ends by itself, without a restart', async () => {
    const { id, version } = await secretDocument()
    const erasing = breakErasing(2)
    expect(verdict(await olga.delete(`/documents/${id}?purge=true&baseVersion=${version}`))).toBe(
      '503 storage-unavailable',
    )
    await expect.poll(() => server.storage.unfinishedPurges()).toEqual([])
    expect(erasing.refused).toBe(2)
    expect(filesOf(server.file).filter((bytes) => bytes.includes(SECRET))).toEqual([])
  })

  it('[HIST-5] shows nothing to anybody while it erases, nor when the id was created anew by then', async () => {
    const { cursor } = (await olga.get('/conflict-notifications')).body
    const { id, version, conflict } = await secretDocument()
    const poll = (since: string): Promise<Answer> =>
      olga.get(`/conflict-notifications?documents=${id}&since=${encodeURIComponent(since)}`)
    const typesOf = ({ body }: Answer): string[] => body.events.map((event: { type: string }) => event.type)
    const [first, ...more] = (await poll(cursor)).body.events
    expect([first?.type, more.length > 0]).toEqual(['parley.document.created', true])
    const erasing = breakErasing(Infinity)
    expect(verdict(await olga.delete(`/documents/${id}?purge=true&baseVersion=${version}`))).toBe(
      '503 storage-unavailable',
    )
    expect(typesOf(await poll(cursor))).toEqual(['parley.document.deleted'])
    // A cursor that names an event of it is one that is kept no longer.
    expect(verdict(await poll(first.id))).toBe('410 cursor-expired')
    expect(verdict(await olga.get(`/conflicts/${conflict}`))).toBe('404 not-found')
    expect((await olga.get(`/conflicts?document=${id}`)).body.items).toEqual([])
    expectStatus(await ann.put(`/documents/${id}`, { content: 'anew', baseVersion: 0 }), 201)
    for (const old of [1, 2, 3, 4]) {
      expect(verdict(await olga.get(`/documents/${id}/versions/${old}`))).toBe('404 not-found')
    }
    expect((await olga.get(`/documents/${id}/versions`)).body.items).toMatchObject([{ version: 5 }])
    expect(verdict(await olga.get(`/documents/${id}/diff?from=1&to=5`))).toBe('404 not-found')
    expect(verdict(await olga.get(`/conflicts/${conflict}`))).toBe('404 not-found')
    erasing.mend()
    await expect.poll(() => server.storage.unfinishedPurges()).toEqual([])
    expect(await read(ann, id)).toEqual({ content: 'anew', version: 5 })
  })

  it('[HIST-5] [WRITE-8] its key can be repeated until it has ended: the first step is one act with the answer', async () => {
    const { id, version } = await secretDocument()
    const purge = () =>
      olga.delete(`/documents/${id}?purge=true&baseVersion=${version}`, { 'idempotency-key': `k-${id}` })
    server.storage.failNext(1)
    expect(verdict(await purge())).toBe('503 storage-unavailable')
    // Nothing of it happened, so that a repeat finds what the first try found.
    expect((await read(ann, id)).version).toBe(version)
    const erasing = breakErasing(Infinity)
    expect(verdict(await purge())).toBe('503 storage-unavailable')
    expect(verdict(await purge())).toBe('503 storage-unavailable')
    // Whoever repeats it without a key waits for the same end.
    const unkeyed = () => olga.delete(`/documents/${id}?purge=true&baseVersion=${version}`)
    expect(verdict(await unkeyed())).toBe('503 storage-unavailable')
    erasing.mend()
    const repeated = await purge()
    expect([repeated.status, repeated.headers.get('idempotency-replayed')]).toEqual([204, 'true'])
    expect(await server.storage.unfinishedPurges()).toEqual([])
    expect(filesOf(server.file).filter((bytes) => bytes.includes(SECRET))).toEqual([])
    expect(verdict(await purge())).toBe('204')
    expect(verdict(await unkeyed())).toBe('410 document-deleted')
  })

  it('[HIST-5] leaves its text in no file of the database once it is answered', async () => {
    const { id, version } = await secretDocument()
    expect(filesOf(server.file).some((bytes) => bytes.includes(SECRET))).toBe(true)
    expectStatus(await olga.delete(`/documents/${id}?purge=true&baseVersion=${version}`), 204)
    expect(filesOf(server.file).filter((bytes) => bytes.includes(SECRET))).toEqual([])
  })

  it('[HIST-5] tells of its deletion, and of no conflict that ends with it', async () => {
    const { id, version } = await secretDocument()
    const told: unknown[] = []
    const stop = server.storage.onCommitted(({ events }) => told.push(...events.map(({ type }) => type)))
    expectStatus(await olga.delete(`/documents/${id}?purge=true&baseVersion=${version}`), 204)
    stop()
    expect(told).toEqual(['parley.document.deleted'])
  })

  /** So many steps of erasing fail as on a full disk, after the first one, and until it is mended. */
  function breakErasing(failures: number): { readonly refused: number; mend(): void } {
    const erase = server.storage.erasePurged.bind(server.storage)
    let steps = 0
    let refused = 0
    let left = failures
    Object.assign(server.storage, {
      erasePurged: async (document: DocumentId) => {
        if (++steps > 1 && left > 0) {
          left -= 1
          refused += 1
          throw new ParleyError('storage-unavailable', 'The disk is full, says the test.')
        }
        return erase(document)
      },
    })
    return {
      get refused() {
        return refused
      },
      mend: () => void (left = 0),
    }
  }

  async function updatesOf(id: DocumentId): Promise<{ updates: Uint8Array[] }> {
    const head = await server.storage.head(id)
    if (!head) throw new Error('it is there')
    const entries = await server.storage.entries(id, await server.storage.logStart(id), head.version, 100)
    return { updates: entries.map((entry) => entry.update).filter((update) => update.length > 0) }
  }
})
