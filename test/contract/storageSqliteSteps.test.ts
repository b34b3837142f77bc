import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { toSequence, trustedDocumentId } from '../../server/foundation/ids.ts'
import { NO_MARK } from '../../server/foundation/mark.ts'
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
  const newestFirst = made.toReversed()
  const patternSets = [[{ exact: few }], [{ exact: many }], [{ exact: few }, { prefix: 'none' }], [{ prefix: '' }]]
  let longest = 0
  for (const patterns of patternSets) {
    for (const statuses of [undefined, ['open'], ['dismissed'], ['open', 'resolved']] as const) {
      for (const kinds of [undefined, ['concurrent-edit'], ['stale-write', 'invalid-merge']] as const) {
        for (const author of [undefined, bob]) {
          for (const [before, limit] of [
            [null, 3],
            [null, 9_000],
            [made[8_000]?.id ?? null, 2],
          ] as const) {
            const fits = newestFirst.filter(
              (record) =>
                patterns.some((pattern) =>
                  'exact' in pattern ? record.document === pattern.exact : pattern.prefix === '',
                ) &&
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
