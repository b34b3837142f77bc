import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { ParleyError } from '../../server/foundation/problems.ts'
import type { DocumentId } from '../../server/foundation/ids.ts'
import { expectStatus, read } from '../support/conflicts.ts'
import { etagOf, startDocumentServer, verdict } from '../support/documents.ts'
import { StockClient } from '../support/stockClient.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(startDocumentServer)
const ann = server.caller('ann')
const olga = server.caller('olga', { '*': ['admin'] })

const SECRET = 'to be forgotten'

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
  })

  it('[HIST-5] [OPS-6] that is interrupted shows nothing, and is finished by the next start', async () => {
    const { id, version } = await secretDocument()
    const erase = server.storage.erasePurged.bind(server.storage)
    let steps = 0
    // The disk fails after the first step.
    Object.assign(server.storage, {
      erasePurged: async (document: DocumentId) => {
        if (++steps > 1) throw new ParleyError('storage-unavailable', 'The disk is full, says the test.')
        return erase(document)
      },
    })
    expect(verdict(await olga.delete(`/documents/${id}?purge=true&baseVersion=${version}`))).toBe(
      '503 storage-unavailable',
    )
    expect(verdict(await olga.get(`/documents/${id}/versions`))).toBe('410 document-deleted')
    await server.restart()
    await expect.poll(() => server.storage.unfinishedPurges()).toEqual([])
    expect((await server.eventsOf(id)).map(([type]) => type)).toEqual(['document.deleted'])
  })

  async function updatesOf(id: DocumentId): Promise<{ updates: Uint8Array[] }> {
    const head = await server.storage.head(id)
    if (!head) throw new Error('it is there')
    const entries = await server.storage.entries(id, await server.storage.logStart(id), head.version, 100)
    return { updates: entries.map((entry) => entry.update).filter((update) => update.length > 0) }
  }
})
