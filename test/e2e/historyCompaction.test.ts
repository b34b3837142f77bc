import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { contentAt } from '../../server/documents/past.ts'
import { toVersion, trustedDocumentId } from '../../server/foundation/ids.ts'
import { Ageing } from '../support/ageing.ts'
import { childUrl } from '../support/children.ts'
import { expectStatus } from '../support/conflicts.ts'
import { typedContents } from '../support/compactionKeystrokes.ts'
import { startDocumentServer, verdict, type DocumentServer } from '../support/documents.ts'
import { OfflineScene } from '../support/offline.ts'
import type { Caller } from '../support/server.ts'
import { StockClient } from '../support/stockClient.ts'
import { open, temporaryFolder } from '../support/storageSqlite.ts'

interface Item {
  readonly version: number
  readonly firstVersion?: number
  readonly origin: string
  readonly authors: readonly string[]
}

describe('a server that compacts what is old', () => {
  const ageing = new Ageing()
  let server: DocumentServer
  let ann: Caller
  beforeAll(async () => {
    server = await startDocumentServer(ageing.variables, ageing.clock)
    ann = await server.as('ann')
  })
  afterAll(() => server.stop())

  it('[HIST-1] [HIST-4] [WRITE-1] shows ranges; a version in one is 410 to readers and 409 to writers', async () => {
    const id = await server.create('start\n')
    const socket = `${server.url.replace('http', 'ws')}/sync`
    const typist = await new StockClient(socket, id, { token: await server.token('typist') }).synced()
    for (let n = 0; n < 12; n++) typist.text.insert(typist.text.length, `${n} `)
    const typed = typist.text.toString()
    await expect.poll(async () => (await ann.get(`/documents/${id}/content`)).body).toBe(typed)
    const written = await ann.put(`/documents/${id}`, { content: 'by REST\n' }, { 'if-match': await tagOf(id) })
    expectStatus(written, 200)
    ageing.passes()
    const versionsOf = async (): Promise<Item[]> => (await ann.get(`/documents/${id}/versions`)).body.items
    const isRange = (item: Item): boolean => item.firstVersion !== undefined
    await expect.poll(async () => (await versionsOf()).some(isRange)).toBe(true)
    const items = await versionsOf()
    const range = items.find(isRange)
    expect(range).toMatchObject({ origin: 'live', authors: ['typist'] })
    expect(items.at(-1)).toMatchObject({ version: 1, origin: 'create' })
    expect(items[0]).toMatchObject({ version: written.body.version, origin: 'write' })
    const gone = (range?.version ?? 0) - 1
    const read = await ann.get(`/documents/${id}/versions/${gone}`)
    expect([verdict(read), read.body.nearest]).toEqual(['410 version-compacted', range?.version])
    expect(verdict(await ann.get(`/documents/${id}/diff?from=${gone}&to=1`))).toBe('410 version-compacted')
    expect(verdict(await ann.put(`/documents/${id}/versions/${gone}/label`, { label: 'x' }))).toBe(
      '410 version-compacted',
    )
    expect(verdict(await ann.post(`/documents/${id}/restore`, { version: gone, baseVersion: 1 }))).toBe(
      '410 version-compacted',
    )
    const write = await ann.put(`/documents/${id}`, { content: 'mine', baseVersion: gone })
    expect([verdict(write), write.body.nearest, write.body.current]).toEqual([
      '409 base-compacted',
      range?.version,
      written.body.version,
    ])
    expect((await ann.get(`/conflicts?document=${id}`)).body.items).toEqual([])
    const kept = (await ann.get(`/documents/${id}/versions/${range?.version}`)).body
    expect([kept.firstVersion, typed.startsWith(kept.content)]).toEqual([range?.firstVersion, true])
    // Editors notice nothing of it.
    typist.text.insert(0, 'and on ')
    await expect.poll(async () => (await ann.get(`/documents/${id}/content`)).body).toBe('and on by REST\n')
    typist.destroy()
  })

  async function tagOf(id: string): Promise<string> {
    return (await ann.get(`/documents/${id}`)).headers.get('etag') ?? ''
  }
})

describe('an editor that returns', () => {
  const ageing = new Ageing()
  let scene: OfflineScene
  beforeAll(async () => {
    scene = await OfflineScene.start(ageing.variables, ageing.clock)
  })
  afterAll(() => scene.stop())

  it('[HIST-4] [CONF-6] is judged as before, although what it had and what it lacks became one version', async () => {
    const { id, rest } = await scene.create('one\ntwo\n')
    const [stays, leaves] = [await scene.join(id, 'stays'), await scene.join(id, 'leaves')]
    for (const letter of 'before ') stays.text.insert(stays.text.length, letter)
    await leaves.shows('one\ntwo\nbefore ')
    await scene.leave(leaves)
    // Builds on the last letter it has: that must not stand for having seen what came later.
    leaves.text.insert(leaves.text.length, 'mine')
    for (const letter of 'theirs') stays.text.insert(stays.text.length, letter)
    await expect.poll(() => scene.content(id)).toBe('one\ntwo\nbefore theirs')
    ageing.passes()
    const newest = async (): Promise<Item> => (await rest.get(`/documents/${id}/versions`)).body.items[0]
    await expect.poll(async () => (await newest()).firstVersion).toBe(2)
    await scene.comeBack(leaves)
    const [conflict] = await scene.conflicts(id)
    expect(conflict).toMatchObject({
      kind: 'concurrent-edit',
      base: { content: 'one\ntwo\nbefore ' },
      current: { content: 'one\ntwo\nbefore theirs' },
      incoming: { content: 'one\ntwo\nbefore mine' },
      overlaps: [{ base: 'before ', current: 'before theirs', incoming: 'before mine' }],
    })
  })
})

const CHILD = fileURLToPath(childUrl('compactionChild'))
const DOC = trustedDocumentId('doc')

describe('kill -9', () => {
  it('[HIST-4] [WRITE-10] in the midst of a compaction takes nothing along', async () => {
    const folder = temporaryFolder()
    onTestFinished(() => folder.dispose())
    const file = join(folder.path, 'parley.db')
    const contents = typedContents()
    let rounds = 0
    let isFinished = false
    while (!isFinished) {
      isFinished = await compactUntilKilled(file, 1 + rounds)
      rounds += 1
      const storage = await open(file)
      const kept = await storage.versions(DOC, toVersion(0), toVersion(10_000), 10_000)
      expect(kept.length).toBeGreaterThan(0)
      let next = kept.at(-1)?.firstVersion ?? 0
      for (const { version, firstVersion } of kept.toReversed()) {
        expect(firstVersion).toBe(next)
        next = toVersion(version + 1)
        expect(await contentAt(storage, DOC, 'text', version)).toBe(contents.get(version))
      }
      if (isFinished) expect(kept.length).toBeLessThan(100)
      await storage.close()
    }
    expect(rounds).toBeGreaterThan(2)
  })
})

/** Lets a child type, once, and compact; kills it at so many steps. True where it had finished before. */
async function compactUntilKilled(file: string, steps: number): Promise<boolean> {
  const child = spawn(process.execPath, [CHILD, file], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  const lines: string[] = []
  for await (const line of createInterface(child.stdout)) {
    lines.push(line)
    if (lines.length === steps) child.kill('SIGKILL')
  }
  await ended
  return lines.at(-1) === 'finished'
}
