import { expect, it, onTestFinished } from 'vitest'
import { expectStatus, read } from '../support/conflicts.ts'
import { conflictsOf, etagOf, startDocumentServer, tagAt, verdict } from '../support/documents.ts'
import { copyDatabase } from '../support/putBack.ts'
import { temporaryFolder } from '../support/storageSqlite.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(startDocumentServer)
const alice = server.caller('alice')
const bob = server.caller('bob')

/** Copies the files while nobody has them open, lets `lost` happen, and puts them back. */
async function putBackAfter(lost: () => Promise<void>): Promise<void> {
  const folder = temporaryFolder()
  onTestFinished(() => folder.dispose())
  let copy: { back(): void } | null = null
  await server.restart((file) => (copy = copyDatabase(file, folder.path)))
  await lost()
  await server.restart(() => copy?.back())
}

it('[OPS-7] [DOC-2] [WRITE-1] after the files were put back, no tag of what is gone matches, and those from before do', async () => {
  const id = await server.create('one\n')
  const first = await etagOf(alice, id)
  const lost: string[] = []
  await putBackAfter(async () => {
    for (const version of [1, 2]) {
      expectStatus(await alice.put(`/documents/${id}`, { content: `lost ${version}\n`, baseVersion: version }), 200)
      lost.push(await etagOf(alice, id))
    }
  })
  // By the same author too: what is told apart is the entry.
  expectStatus(await alice.put(`/documents/${id}`, { content: 'alice\n', baseVersion: 1 }), 200)
  expectStatus(await bob.put(`/documents/${id}`, { content: 'bob\n', baseVersion: 2 }), 200)
  for (const tag of lost) {
    for (const path of [`/documents/${id}`, `/documents/${id}/content`]) {
      expect((await alice.get(path, { 'if-none-match': tag })).status).toBe(200)
    }
    const headers = { 'if-match': tag }
    const answers = [
      await alice.put(`/documents/${id}`, { content: 'mine\n' }, headers),
      await alice.patch(`/documents/${id}`, { conflictPolicy: 'merge' }, headers),
      await alice.post(`/documents/${id}/restore`, { version: 1 }, headers),
      await alice.post(`/documents/${id}/revert`, { author: 'bob', since: 0 }, headers),
      await alice.delete(`/documents/${id}`, headers),
    ]
    expect(answers.map(verdict)).toEqual(answers.map(() => '409 unknown-base'))
  }
  expect([await read(alice, id), await conflictsOf(alice, id)]).toEqual([{ content: 'bob\n', version: 3 }, []])
  const stale = await alice.put(`/documents/${id}`, { content: 'mine\n' }, { 'if-match': first })
  expect([verdict(stale), stale.body.conflict.base.etag]).toEqual(['409 version-conflict', first.slice(1, -1)])
  expect(stale.body.conflict.current.etag).toBe((await etagOf(alice, id)).slice(1, -1))
  const list = (await alice.get(`/conflicts?document=${id}`)).body.items[0]
  expect([list.base.etag, list.current.etag]).toEqual([
    stale.body.conflict.base.etag,
    (await tagAt(alice, id, 3)).slice(1, -1),
  ])
  expect(
    verdict(await alice.put(`/documents/${id}`, { content: 'mine\n' }, { 'if-match': await etagOf(alice, id) })),
  ).toBe('200 written')
})
