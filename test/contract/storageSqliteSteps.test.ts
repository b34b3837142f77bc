import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import {
  type DocumentId,
  matchesPattern,
  toSequence,
  toVersion,
  trustedDocumentId,
} from '../../server/foundation/ids.ts'
import { NO_MARK } from '../../server/foundation/mark.ts'
import type { Head } from '../../server/model/document.ts'
import type { Append } from '../../server/storage/act.ts'
import type { Storage } from '../../server/storage/storage.ts'
import {
  actOf,
  after,
  alice,
  appendTo,
  bob,
  commitAll,
  newConflict,
  newDocumentId,
  newAct,
  newEvent,
  newHead,
  NOON,
  opening,
} from '../support/storageSamples.ts'
import { open, temporaryFolder } from '../support/storageSqlite.ts'
import { withTurns } from '../support/turns.ts'

async function openedStorage(): Promise<Storage> {
  const folder = temporaryFolder()
  const storage = await open(join(folder.path, 'parley.db'))
  onTestFinished(async () => {
    await storage.close()
    folder.dispose()
  })
  return storage
}

it('[OPS-8] whoever may read few of very many conflicts is answered in steps, whatever is asked for', async () => {
  const storage = await openedStorage()
  const [few, many] = [newDocumentId('few'), newDocumentId('many')]
  const made = Array.from({ length: 9_000 }, (_, n) =>
    newConflict(n % 4_000 === 7 ? few : many, {
      author: n % 3 === 1 ? bob : alice,
      kind: n % 5 === 0 ? 'concurrent-edit' : 'stale-write',
      ...(n % 2 === 0 && { state: { status: 'dismissed', closedAt: NOON, closedBy: alice, comment: null } }),
    }),
  )
  await commitAll(storage, opening(...made))
  // As many as a token may name.
  const others = Array.from({ length: 700 }, (_, n) => ({ prefix: `none-${n}-` }))
  const newestFirst = made.toReversed()
  const patternSets = [
    [{ exact: few }],
    [{ exact: many }],
    [{ exact: few }, { prefix: 'none' }],
    [{ exact: few }, ...others],
    [{ prefix: '' }],
  ]
  let longest = 0
  for (const patterns of patternSets) {
    const isReadable = (id: DocumentId): boolean => patterns.some((pattern) => matchesPattern(pattern, id))
    const readableIds = [few, many].filter(isReadable)
    const readable = newestFirst.filter((record) => readableIds.includes(record.document))
    for (const statuses of [undefined, ['open'], ['dismissed'], ['open', 'resolved']] as const) {
      for (const kinds of [undefined, ['concurrent-edit'], ['stale-write', 'invalid-merge']] as const) {
        for (const author of [undefined, bob]) {
          for (const [before, limit] of [
            [null, 3],
            [null, 9_000],
            [made[8_000]?.id ?? null, 2],
          ] as const) {
            const fits = readable.filter(
              (record) =>
                (statuses?.some((status) => status === record.state.status) ?? true) &&
                (kinds?.some((kind) => kind === record.kind) ?? true) &&
                (author === undefined || record.author === author) &&
                (before === null || record.id < before),
            )
            const query = {
              patterns,
              before,
              limit,
              ...(statuses && { statuses }),
              ...(kinds && { kinds }),
              ...(author && { author }),
            }
            const { answer, turns } = await withTurns(() => storage.conflicts(query))
            expect(
              answer.map(({ id }) => id),
              JSON.stringify(query),
            ).toEqual(fits.slice(0, limit).map(({ id }) => id))
            longest = Math.max(longest, turns)
          }
        }
      }
    }
  }
  expect(longest).toBeGreaterThanOrEqual(2)
})

it('[OPS-8] events among very many that a purge hides are found in steps, and a mark without looking for others', async () => {
  const storage = await openedStorage()
  const [purged, other] = [newDocumentId('purged'), newDocumentId('other')]
  const isOther = (sequence: number): boolean => sequence % 4_500 === 5 || (sequence >= 4_094 && sequence <= 4_099)
  const events = Array.from({ length: 9_000 }, (_, n) => newEvent(isOther(n + 1) ? other : purged))
  const deleted = after(newHead(purged), { deletedAt: NOON })
  await commitAll(
    storage,
    newAct({ events }),
    actOf(appendTo(newHead(purged)), appendTo(deleted, { origin: 'delete' })),
  )
  await commitAll(storage, newAct({ purges: [{ ...deleted, schema: null }] }))
  await commitAll(storage, newAct({ events: [newEvent(purged)] }))
  const shown = [...Array.from({ length: 9_000 }, (_, n) => n + 1).filter(isOther), 9_001]
  for (const [start, limit] of [
    [0, 500],
    [0, 3],
    [5, 1],
    [4_096, 500],
    [9_000, 500],
    [9_001, 500],
  ] as const) {
    const { answer, turns } = await withTurns(() => storage.events(toSequence(start), limit))
    expect(answer.map(({ sequence }) => sequence)).toEqual(shown.filter((one) => one > start).slice(0, limit))
    if (start === 0 && limit === 500) expect(turns).toBeGreaterThanOrEqual(2)
  }
  expect(await storage.eventMark(toSequence(6))).toBe(NO_MARK)
  expect(await storage.eventMark(toSequence(5))).not.toBe(NO_MARK)
})

/** A document of as many packs, each of so many rows whose effects are so long. */
async function packedDocument(storage: Storage, packs: number, rows: number, characters: number): Promise<Head> {
  let head = newHead(newDocumentId('packed'))
  const effect = { kind: 'text', delta: ['x'.repeat(characters)] } as const
  for (let n = 0; n < packs; n += 1) {
    const appends: Append[] = []
    for (let row = 0; row < rows; row += 1) {
      if (n + row > 0) head = after(head)
      appends.push(appendTo(head, { effect }))
    }
    await commitAll(storage, actOf(...appends))
    const entries = appends.map(({ entry }) => entry)
    const replaced = entries.map(({ version }) => version)
    expect(await storage.rewrite({ document: head.id, replaced, rows: entries })).toBe(true)
  }
  return head
}

it('[OPS-8] versions are listed in steps, of many packs and of large ones', async () => {
  const storage = await openedStorage()
  for (const [packs, rows, characters] of [
    [90, 1, 5],
    [20, 2, 80_000],
  ] as const) {
    const { id, version: last } = await packedDocument(storage, packs, rows, characters)
    for (const [from, upTo, limit] of [
      [0, last, 1_000],
      [0, last, 3],
      [2, last - 1, 1_000],
    ] as const) {
      const { answer, turns } = await withTurns(() => storage.versions(id, toVersion(from), toVersion(upTo), limit))
      const expected = Array.from({ length: upTo - from }, (_, n) => upTo - n).slice(0, limit)
      expect(answer.map(({ version }) => version)).toEqual(expected)
      expect(turns).toBeGreaterThanOrEqual(limit === 3 ? 0 : 2)
    }
  }
})

it('[OPS-8] [HIST-2] rows that become one while versions are listed leave no gap', async () => {
  const storage = await openedStorage()
  const { id, version: last } = await packedDocument(storage, 90, 1, 5)
  const rows = await storage.entries(id, toVersion(0), last, 100)
  const [one, end] = [rows[0], rows.at(-1)]
  if (!one || !end) throw new Error('there are ninety')
  const rewriting = { isOver: false }
  const replaced = rows.map(({ version }) => version)
  const done = storage
    .rewrite({ document: id, replaced, rows: [one, { ...end, firstVersion: toVersion(2) }] })
    .then(() => (rewriting.isOver = true))
  const lengths = new Set<number>()
  do {
    const listed = await storage.versions(id, toVersion(0), last, 1_000)
    lengths.add(listed.length)
    expect(listed.map(({ firstVersion }) => firstVersion - 1)).toEqual([
      ...listed.slice(1).map(({ version }) => version),
      0,
    ])
  } while (!rewriting.isOver || !lengths.has(2))
  await done
  expect(lengths).toEqual(new Set([90, 2]))
})

it('[OPS-8] living documents among very many deleted ones are found in steps', async () => {
  const storage = await openedStorage()
  const [prefix, other] = [newDocumentId('gone-'), newDocumentId('gone-')]
  const ids = Array.from({ length: 9_000 }, (_, n) =>
    trustedDocumentId(`${n % 2 ? prefix : other}/${String(n).padStart(5, '0')}`),
  )
  // The last of a step, the one before it and the one after it among them.
  const isLiving = (n: number): boolean => n % 3_000 === 999 || (n >= 8_188 && n <= 8_193) || n === 8_999
  const heads = ids.map((id, n) => newHead(id, isLiving(n) ? {} : { deletedAt: NOON }))
  await commitAll(storage, actOf(...heads.map((head) => appendTo(head))))
  const living = ids.filter((_, n) => isLiving(n)).toSorted()
  const patterns = [{ prefix }, { prefix: other }]
  for (const [start, limit] of [
    [null, 500],
    [null, 2],
    [living[0] ?? null, 500],
    [ids[4_000] ?? null, 500],
  ] as const) {
    const { answer, turns } = await withTurns(() => storage.heads({ patterns, after: start, limit }))
    const expected = living.filter((id) => start === null || id > start).slice(0, limit)
    expect(answer.map(({ id }) => id)).toEqual(expected)
    if (start === null && limit === 500) expect(turns).toBeGreaterThanOrEqual(2)
  }
})

it('[OPS-8] documents of many patterns are found in steps, also where each alone has few', async () => {
  const storage = await openedStorage()
  const prefixes = Array.from({ length: 30 }, (_, n) => newDocumentId(`gone-${n}-`))
  const heads = prefixes.flatMap((prefix, n) =>
    Array.from({ length: 300 }, (_, nth) =>
      newHead(trustedDocumentId(`${prefix}${String(nth).padStart(3, '0')}`), nth === n ? {} : { deletedAt: NOON }),
    ),
  )
  await commitAll(storage, actOf(...heads.map((head) => appendTo(head))))
  const patterns = prefixes.map((prefix) => ({ prefix }))
  const { answer, turns } = await withTurns(() => storage.heads({ patterns, after: null, limit: 500 }))
  const living = heads.filter(({ deletedAt }) => deletedAt === null).map(({ id }) => id)
  expect(answer.map(({ id }) => id)).toEqual(living.toSorted())
  expect(turns).toBeGreaterThanOrEqual(2)
  const none = Array.from({ length: 2_000 }, (_, n) => ({ prefix: `nothing-${n}-` }))
  expect((await withTurns(() => storage.heads({ patterns: none, after: null, limit: 500 }))).turns).toBeGreaterThan(1)
})

it('[OPS-8] the Yjs clients of earlier lives of a document are read in steps', async () => {
  const storage = await openedStorage()
  const deleted = newHead(newDocumentId(), { deletedAt: NOON })
  const clients = new Map(Array.from({ length: 9_000 }, (_, n) => [n === 8_999 ? 4_294_967_295 : n * 3, n + 1]))
  await commitAll(storage, actOf({ ...appendTo(deleted, { origin: 'delete' }), formerClients: clients }))
  const { answer, turns } = await withTurns(() => storage.formerClients(deleted.id))
  expect(answer).toEqual(clients)
  expect(turns).toBeGreaterThanOrEqual(2)
})
