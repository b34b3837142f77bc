import { randomBytes } from 'node:crypto'
import { expect, it, onTestFinished } from 'vitest'
import { toIncarnation, toVersion, trustedDocumentId } from '../../server/foundation/ids.ts'
import type { ConflictRecord } from '../../server/model/conflict.ts'
import type { ConflictQuery } from '../../server/storage/conflicts.ts'
import type { Act } from '../../server/storage/act.ts'
import type { Storage } from '../../server/storage/storage.ts'
import type { CreateFixture, SharedFixture } from './storageFixture.ts'
import {
  actOf,
  after,
  alice,
  appendTo,
  bob,
  changing,
  closed,
  commitAll,
  createDocument,
  newConflict,
  newDocumentId,
  newHead,
  newProposal,
  largeContent,
  NOON,
  opening,
  openingWith,
  smallContent,
} from './storageSamples.ts'

export function describeConflicts(shared: SharedFixture, create: CreateFixture): void {
  describeRecords(shared)
  describeQueries(shared)
  describeContents(shared)
  describeReferredVersions(shared)
  describePruning(create)
}

function describeRecords(shared: SharedFixture): void {
  it('a conflict comes back as it was, in every state', async () => {
    const { storage } = shared()
    const document = newDocumentId()
    const records: ConflictRecord[] = [
      newConflict(document),
      newConflict(document, { state: closed, kind: 'invalid-merge', documentKind: 'json' }),
      newConflict(document, {
        kind: 'concurrent-edit',
        incarnation: toIncarnation('wxyz6789'),
        base: { version: null, hash: `base of ${document}` },
        proposals: [newProposal(`proposed for ${document}`)],
        state: {
          status: 'resolved',
          closedAt: NOON + 1,
          resolution: { use: 'merged', by: bob, at: NOON + 1, version: toVersion(4), comment: 'both "fine"\u0000' },
        },
      }),
    ]
    await commitAll(storage, opening(...records))
    for (const record of records) expect(await storage.conflict(record.id)).toEqual(record)
    expect(await storage.conflict(newConflict(document).id)).toBeNull()
  })

  it('[RES-6] of many concurrent changes of one revision exactly one stands', async () => {
    const { storage } = shared()
    const record = newConflict(newDocumentId())
    await commitAll(storage, opening(record))
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        storage.commit(changing({ ...record, revision: 2, state: { ...closed, closedAt: NOON + n, comment: `${n}` } })),
      ),
    )
    expect(results.filter((result) => result.status === 'committed')).toHaveLength(1)
    expect(results.filter((result) => result.status === 'conflict-moved')).toHaveLength(19)
    const winner = results.findIndex((result) => result.status === 'committed')
    expect(await storage.conflict(record.id)).toMatchObject({ revision: 2, state: { comment: `${winner}` } })
  })

  it('a change of a conflict that does not exist is refused', async () => {
    const { storage } = shared()
    const record = newConflict(newDocumentId(), { revision: 2, incoming: { version: toVersion(1), hash: null } })
    expect(await storage.commit(changing(record))).toEqual({ status: 'conflict-moved', conflict: record.id })
    expect(await storage.conflict(record.id)).toBeNull()
  })

  it('one act may change a conflict twice', async () => {
    const { storage } = shared()
    const record = newConflict(newDocumentId())
    const twice = { ...changing({ ...record, revision: 2 }) }
    await commitAll(storage, opening(record), {
      ...twice,
      conflicts: [...twice.conflicts, { op: 'update', record: { ...record, revision: 3, state: closed } }],
    })
    expect(await storage.conflict(record.id)).toMatchObject({ revision: 3, state: closed })
  })
}

function describeQueries(shared: SharedFixture): void {
  const find = async (storage: Storage, query: Partial<ConflictQuery>): Promise<string[]> =>
    (await storage.conflicts({ patterns: [{ prefix: '' }], before: null, limit: 500, ...query })).map(({ id }) => id)

  it('[CONF-4] conflicts are listed newest first, by document, status, kind and author', async () => {
    const { storage } = shared()
    const space = newDocumentId('query')
    const [one, two] = [trustedDocumentId(`${space}:1`), trustedDocumentId(`${space}:2`)]
    const records = [
      newConflict(one),
      newConflict(two, { state: closed }),
      newConflict(one, { kind: 'invalid-merge', author: bob }),
      newConflict(two, { kind: 'concurrent-edit', author: bob }),
    ]
    await commitAll(storage, ...records.map((record) => opening(record)))
    const [a, b, c, d] = records.map((record) => record.id)
    const patterns = [{ prefix: `${space}:` }]
    expect(await find(storage, { patterns })).toEqual([d, c, b, a])
    expect(await find(storage, { patterns: [{ exact: one }] })).toEqual([c, a])
    expect(await find(storage, { patterns: [{ exact: two }, { exact: one }] })).toEqual([d, c, b, a])
    expect(await find(storage, { patterns: [{ prefix: `${space}:2` }] })).toEqual([d, b])
    expect(await find(storage, { patterns: [{ prefix: `${space}_` }] })).toEqual([])
    expect(await find(storage, { patterns: [] })).toEqual([])
    expect(await find(storage, { patterns, statuses: ['open'] })).toEqual([d, c, a])
    expect(await find(storage, { patterns, statuses: ['dismissed', 'expired'] })).toEqual([b])
    expect(await find(storage, { patterns, statuses: [] })).toEqual([])
    expect(await find(storage, { patterns, kinds: ['stale-write', 'invalid-merge'] })).toEqual([c, b, a])
    expect(await find(storage, { patterns, author: alice })).toEqual([b, a])
    expect(await find(storage, { patterns, author: bob, kinds: ['invalid-merge'], statuses: ['open'] })).toEqual([c])
    expect(await find(storage, { before: c ?? null, limit: 2 })).toEqual([b, a])
    expect(await find(storage, { patterns, limit: 2 })).toEqual([d, c])
    expect(await find(storage, { patterns, limit: 0 })).toEqual([])
    const many = Array.from({ length: 2000 }, (_, n) => ({ prefix: `query${n}:` }))
    expect(await find(storage, { patterns: [...many, ...patterns] })).toEqual([d, c, b, a])
  })

  it('a conflict is found by its new status at once', async () => {
    const { storage } = shared()
    const document = newDocumentId()
    const record = newConflict(document)
    await commitAll(storage, opening(record), changing({ ...record, revision: 2, state: closed }))
    expect(await find(storage, { patterns: [{ exact: document }], statuses: ['open'] })).toEqual([])
    expect(await find(storage, { patterns: [{ exact: document }], statuses: ['dismissed'] })).toEqual([record.id])
  })

  it('[DOC-7] open conflicts are counted by document, for living documents', async () => {
    const { storage } = shared()
    const [two, none, deleted, closedOnly] = [newDocumentId(), newDocumentId(), newDocumentId(), newDocumentId()]
    for (const id of [two, none, closedOnly]) await createDocument(storage, id)
    const head = await createDocument(storage, deleted)
    await commitAll(
      storage,
      opening(newConflict(two), newConflict(two), newConflict(two, { state: closed })),
      opening(newConflict(deleted), newConflict(closedOnly, { state: closed })),
      actOf(appendTo(after(head, { deletedAt: NOON }))),
    )
    const counts = await storage.openConflictCounts([two, none, deleted, closedOnly])
    expect([...counts]).toEqual([[two, 2]])
    expect([...(await storage.openConflictCounts([]))]).toEqual([])
  })
}

function describeContents(shared: SharedFixture): void {
  it('[CONF-9] equal contents of 1 KiB and more are stored once', async () => {
    const fixture = shared()
    const { storage } = fixture
    const document = newDocumentId()
    const before = await fixture.countContents()
    const records = [newConflict(document), newConflict(document), newConflict(document)] as const
    await commitAll(storage, opening(records[0]), opening(records[1], records[2]))
    expect(await fixture.countContents()).toBe(before + 1)
    const hash = `incoming of ${document}`
    for (const { id } of records) expect(await storage.content(id, hash)).toBe(largeContent(hash))
    expect(await storage.content(records[0].id, 'of nothing')).toBeNull()
    // As an answer of before small ones lay with their conflicts names it.
    expect(await storage.content(null, hash)).toBe(largeContent(hash))
  })

  it('a small content lies with its conflict, and is found by it alone', async () => {
    const { storage } = shared()
    const document = newDocumentId()
    const [one, two] = [newConflict(document), newConflict(document, { incoming: { version: null, hash: 'other' } })]
    await commitAll(storage, openingWith(smallContent, one, two))
    const hash = `incoming of ${document}`
    expect(await storage.content(one.id, hash)).toBe(smallContent(hash))
    expect(await storage.content(two.id, 'other')).toBe(smallContent('other'))
    expect(await storage.content(two.id, hash)).toBeNull()
    expect(await storage.content(null, hash)).toBeNull()
  })

  it.each([
    ['small', ''],
    ['large', 'long '.repeat(400)],
  ])('%s contents keep text and json exactly, one beside the other', async (_which, more) => {
    const { storage } = shared()
    const document = newDocumentId()
    const json = { list: [1, { deep: null }], text: `é\ud800\u0000${more}`, ['"]\\']: more }
    const record = newConflict(document, { base: { version: null, hash: `base of "${document}"` } })
    const contents = new Map<string, string | typeof json>([
      [`base of "${document}"`, json],
      [`incoming of ${document}`, more],
    ])
    await commitAll(storage, { ...opening(record), contents })
    expect(await storage.content(record.id, `base of "${document}"`)).toEqual(json)
    expect(await storage.content(record.id, `incoming of ${document}`)).toBe(more)
  })

  it.each([
    ['small', smallContent],
    ['large', largeContent],
  ])('a %s content goes when the last conflict that refers to it stops to', async (_which, contentOf) => {
    const fixture = shared()
    const { storage } = fixture
    const before = await fixture.countContents()
    const document = newDocumentId()
    const hash = `current of ${document}`
    const [one, two] = [1, 2].map(() => newConflict(document, { current: { version: toVersion(1), hash } }))
    if (!one || !two) throw new Error('two records')
    const refreshed = { version: toVersion(3), hash: null }
    await commitAll(storage, openingWith(contentOf, one, two), changing({ ...one, revision: 2, current: refreshed }))
    expect(await storage.content(two.id, hash)).toBe(contentOf(hash))
    await commitAll(storage, changing({ ...two, revision: 2, current: refreshed }))
    for (const { id } of [one, two]) {
      expect(await storage.content(id, hash)).toBeNull()
      expect(await storage.content(id, `incoming of ${document}`)).toBe(contentOf(`incoming of ${document}`))
    }
    expect(await fixture.countContents()).toBe(before + (contentOf === smallContent ? 2 : 1))
  })

  it.each([
    [smallContent, smallContent],
    [smallContent, largeContent],
    [largeContent, smallContent],
    [largeContent, largeContent],
  ])('a change may bring a further content (%o, %o)', async (had, brought) => {
    const fixture = shared()
    const { storage } = fixture
    const before = await fixture.countContents()
    const record = newConflict(newDocumentId())
    const [first, second] = ['first', 'second'].map((which) => `${which} for ${record.document}`)
    if (first === undefined || second === undefined) throw new Error('two hashes')
    const proposed = { ...record, revision: 2, proposals: [newProposal(first)] }
    const again = { ...proposed, revision: 3, proposals: [newProposal(first), newProposal(second)] }
    const bringing = (changed: ConflictRecord, hash: string): Act => ({
      ...changing(changed),
      contents: new Map([[hash, brought(hash)]]),
    })
    await commitAll(storage, openingWith(had, record), bringing(proposed, first), bringing(again, second))
    const incoming = `incoming of ${record.document}`
    expect(await storage.content(record.id, incoming)).toBe(had(incoming))
    for (const hash of [first, second]) expect(await storage.content(record.id, hash)).toBe(brought(hash))
    expect(await fixture.countContents()).toBe(before + 3)
    // What it brings anew is had once, and what nobody refers to any more goes.
    await commitAll(storage, bringing({ ...again, revision: 4, proposals: [newProposal(second)] }, second))
    expect(await storage.content(record.id, first)).toBeNull()
    expect(await storage.content(record.id, second)).toBe(brought(second))
    expect(await fixture.countContents()).toBe(before + 2)
  })
}

function describeReferredVersions(shared: SharedFixture): void {
  const at = (version: number): ConflictRecord['base'] => ({ version: toVersion(version), hash: null })
  const pinned = async (storage: Storage, { document }: ConflictRecord): Promise<number[]> =>
    [...(await storage.pinned(document, toVersion(0), toVersion(1_000)))].toSorted((a, b) => a - b)
  /** Makes one row of the rows from a version to another. */
  const join = (storage: Storage, { document }: ConflictRecord, first: number, last: number): Promise<boolean> => {
    const versions = Array.from({ length: last - first + 1 }, (_, n) => toVersion(first + n))
    const { entry } = appendTo(newHead(document, { version: toVersion(last), firstVersion: toVersion(1) }))
    return storage.rewrite({ document, replaced: versions, rows: [{ ...entry, firstVersion: toVersion(first) }] })
  }

  it('[HIST-4] a conflict pins what it refers to after each change, and releases what it no longer does', async () => {
    const { storage } = shared()
    const { id } = await createDocument(storage, newDocumentId(), 12)
    const proposed = newProposal(`incoming of ${id}`)
    const record = newConflict(id, { base: at(3), current: at(5) })
    const other = newConflict(id, { base: at(3), current: at(4) })
    await commitAll(storage, opening(record, other))
    expect(await pinned(storage, record)).toEqual([3, 4, 5])
    const seen = { ...record, current: at(8), proposals: [{ ...proposed, baseVersion: toVersion(6) }], revision: 2 }
    await commitAll(storage, changing(seen))
    expect(await pinned(storage, record)).toEqual([3, 4, 6, 8])
    await commitAll(storage, changing({ ...seen, revision: 3 }))
    expect(await pinned(storage, record)).toEqual([3, 4, 6, 8])
    expect(await join(storage, record, 4, 5)).toBe(false)
    const decided = { ...proposed, baseVersion: toVersion(6), status: 'rejected' as const }
    await commitAll(storage, changing({ ...seen, base: at(2), proposals: [decided], state: closed, revision: 4 }))
    expect(await pinned(storage, record)).toEqual([2, 3, 4, 8])
    await commitAll(storage, changing({ ...other, base: at(4), revision: 2 }))
    expect(await pinned(storage, record)).toEqual([2, 4, 8])
    expect([await join(storage, record, 5, 7), await join(storage, record, 8, 9)]).toEqual([true, false])
  })

  it('[HIST-4] a change that refers to a version compacted away meanwhile is refused, and releases nothing', async () => {
    const { storage } = shared()
    const { id } = await createDocument(storage, newDocumentId(), 8)
    const record = newConflict(id, { base: at(2), current: at(3) })
    await commitAll(storage, opening(record))
    expect(await join(storage, record, 4, 6)).toBe(true)
    const late = { ...record, current: at(5), revision: 2 }
    expect(await storage.commit(changing(late))).toEqual({ status: 'conflict-moved', conflict: record.id })
    expect(await storage.conflict(record.id)).toEqual(record)
    expect(await pinned(storage, record)).toEqual([2, 3])
    await commitAll(storage, changing({ ...late, current: at(6) }))
    expect(await pinned(storage, record)).toEqual([2, 6])
  })
}

function describePruning(create: CreateFixture): void {
  it('[CONF-9] closed conflicts are forgotten by age, with the contents that only they referred to', async () => {
    const fixture = await create()
    onTestFinished(() => fixture.dispose())
    const { storage } = fixture
    const [old, young] = [newDocumentId(), newDocumentId()]
    const shared = { version: null, hash: 'shared' }
    const closedAt = (at: number): ConflictRecord['state'] => ({ ...closed, closedAt: at })
    const small = newConflict(old, { state: closedAt(NOON - 1), incoming: { version: null, hash: 'small' } })
    const records = [
      newConflict(old, { state: closedAt(NOON - 1), base: shared }),
      newConflict(old, { state: closedAt(NOON), base: shared }),
      newConflict(young, { detectedAt: 1 }),
    ]
    await commitAll(storage, ...records.map((record) => opening(record)), openingWith(smallContent, small))
    expect(await storage.pruneConflicts(NOON)).toBe(2)
    expect(await Promise.all(records.map(async ({ id }) => (await storage.conflict(id)) !== null))).toEqual([
      false,
      true,
      true,
    ])
    expect(await storage.content(small.id, 'small')).toBeNull()
    expect(await storage.content(null, 'shared')).not.toBeNull()
    expect(await storage.pruneConflicts(NOON + 1)).toBe(1)
    expect(await storage.content(null, 'shared')).toBeNull()
    expect(await storage.content(null, `incoming of ${old}`)).toBeNull()
    expect(await storage.content(null, `incoming of ${young}`)).not.toBeNull()
    expect(await storage.pruneConflicts(NOON + 1)).toBe(0)
    expect(await fixture.countContents()).toBe(1)
  })

  it('[OPS-8] of conflicts with large contents a few are pruned at a time', async () => {
    const fixture = await create()
    onTestFinished(() => fixture.dispose())
    const { storage } = fixture
    const document = newDocumentId()
    for (let n = 0; n < 6; n++) {
      const record = newConflict(document, { state: closed, incoming: { version: null, hash: `${n}` } })
      await commitAll(
        storage,
        openingWith(() => randomBytes(1_500_000).toString('base64'), record),
      )
    }
    const pruned: number[] = []
    do pruned.push(await storage.pruneConflicts(NOON * 2))
    while (pruned.at(-1) !== 0)
    expect(pruned.reduce((sum, count) => sum + count)).toBe(6)
    expect(Math.max(...pruned)).toBeLessThan(6)
    expect(await fixture.countContents()).toBe(0)
  })

  it('pruning conflicts is bounded, and goes on with the next call', async () => {
    const fixture = await create()
    onTestFinished(() => fixture.dispose())
    const { storage } = fixture
    const document = newDocumentId()
    const records = Array.from({ length: 1500 }, () => newConflict(document, { state: closed }))
    await commitAll(storage, opening(...records))
    const pruned: number[] = []
    do pruned.push(await storage.pruneConflicts(NOON * 2))
    while (pruned.at(-1) !== 0)
    expect(pruned.reduce((sum, count) => sum + count)).toBe(1500)
    expect(Math.max(...pruned)).toBeLessThan(1500)
    expect(await fixture.countContents()).toBe(0)
  })
}
