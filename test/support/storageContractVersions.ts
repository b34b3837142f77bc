import { expect, it } from 'vitest'
import { toVersion } from '../../server/foundation/ids.ts'
import type { VersionFacts } from '../../server/storage/history.ts'
import type { SharedFixture } from './storageFixture.ts'
import {
  actOf,
  after,
  appendTo,
  bob,
  commitAll,
  createDocument,
  newDocumentId,
  newHead,
  NOON,
} from './storageSamples.ts'

const numbers = (facts: readonly VersionFacts[]): number[] => facts.map((one) => one.version)

/** What lists of versions are made of, and names of versions. */
export function describeVersions(shared: SharedFixture): void {
  it('[HIST-1] versions are told newest first, without what they did', async () => {
    const { storage } = shared()
    const first = newHead(newDocumentId())
    const second = after(first)
    const settings = after(second)
    await commitAll(
      storage,
      actOf(appendTo(first)),
      actOf(appendTo(second, { update: new Uint8Array(12_345) })),
      actOf(appendTo(settings, { origin: 'settings', update: new Uint8Array(0), effect: null })),
    )
    const all = await storage.versions(first.id, toVersion(0), toVersion(3), 10)
    expect(all.map(({ version, origin, bytes }) => [version, origin, bytes])).toEqual([
      [3, 'settings', 0],
      [2, 'live', 12_345],
      [1, 'create', 3],
    ])
    expect(all[1]).toEqual({
      version: 2,
      firstVersion: 2,
      author: bob,
      at: NOON + 1000,
      origin: 'live',
      bytes: 12_345,
      label: null,
    })
  })

  it('[HIST-1] a list of versions is bounded on both ends and in length', async () => {
    const { storage } = shared()
    const { id } = await createDocument(storage, newDocumentId(), 6)
    const list = async (from: number, to: number, limit: number): Promise<number[]> =>
      numbers(await storage.versions(id, toVersion(from), toVersion(to), limit))
    expect(await list(0, 99, 10)).toEqual([6, 5, 4, 3, 2, 1])
    expect(await list(2, 5, 10)).toEqual([5, 4, 3])
    expect(await list(0, 5, 2)).toEqual([5, 4])
    expect(await list(6, 6, 2)).toEqual([])
    expect(await storage.versions(newDocumentId(), toVersion(0), toVersion(9), 5)).toEqual([])
  })

  it('[HIST-2] one version is found, or there is none', async () => {
    const { storage } = shared()
    const { id } = await createDocument(storage, newDocumentId(), 2)
    expect((await storage.versionAt(id, toVersion(2)))?.version).toBe(2)
    expect(await storage.versionAt(id, toVersion(3))).toBeNull()
    expect(await storage.versionAt(newDocumentId(), toVersion(1))).toBeNull()
  })

  it('[HIST-3] a version is named, renamed, and its name taken away; names belong to their document', async () => {
    const fixture = shared()
    const [mine, other] = [newDocumentId(), newDocumentId()]
    for (const id of [mine, other]) await createDocument(fixture.storage, id, 2)
    const labels = async (id = mine) =>
      (await fixture.storage.versions(id, toVersion(0), toVersion(9), 9)).map((one) => one.label)
    const label = (version: number, text: string | null) => fixture.storage.setLabel(mine, toVersion(version), text)
    expect(await label(1, 'draft')).toBe(true)
    expect(await label(2, 'sent')).toBe(true)
    expect(await label(2, 'sent to Ada')).toBe(true)
    expect(await labels()).toEqual(['sent to Ada', 'draft'])
    await fixture.reopen()
    expect(await label(1, null)).toBe(true)
    expect(await label(1, null)).toBe(true)
    expect(await label(3, 'later')).toBe(false)
    expect(await fixture.storage.setLabel(newDocumentId(), toVersion(1), 'x')).toBe(false)
    expect(await labels()).toEqual(['sent to Ada', null])
    expect(await labels(other)).toEqual([null, null])
    expect((await fixture.storage.versionAt(mine, toVersion(2)))?.label).toBe('sent to Ada')
  })
}
