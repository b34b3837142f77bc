/** Overlaps of a conflict with who is behind their current side. */
import { Attribution, soughtOverlap, soughtSince } from '../content/attribution.ts'
import { authorsOf, type Hand, handOf, newestOf } from '../content/hands.ts'
import type { JsonOverlap, Merge, Overlap, Sides, TextOverlap } from '../content/merge.ts'
import { contentAt, firstVersionOf } from '../documents/past.ts'
import { nameCharacters } from '../documents/staleWrite.ts'
import { invariant } from '../foundation/assert.ts'
import { toTimestamp } from '../foundation/environment.ts'
import { previousVersion } from '../foundation/ids.ts'
import { whenKnown } from '../foundation/known.ts'
import { inSteps } from '../foundation/steps.ts'
import type { ConflictRecord } from '../model/conflict.ts'
import type { EntryEffect } from '../storage/log.ts'
import type { StorageView } from '../storage/view.ts'
import type { History } from './history.ts'

/** SPEC CONF-4: overlaps past this are left out of an answer. */
const OVERLAPS_CAP_BYTES = 1024 * 1024

interface WorkedOut {
  readonly sides: Sides
  readonly merged: Merge
  readonly history: History
  readonly gone: AbortSignal | null
}

/** The overlaps, null where they are too large to be sent along. */
export function showOverlaps(
  storage: StorageView,
  record: ConflictRecord,
  { sides, merged, history, gone }: WorkedOut,
): object[] | null | Promise<object[] | null> {
  const { overlaps } = merged
  const characters = overlaps.reduce((sum, overlap) => sum + nameCharacters(overlap), 0)
  if (characters > OVERLAPS_CAP_BYTES) return null
  return whenKnown(handsBehind(storage, record, sides, overlaps, history, gone), (hands) => {
    const shown = withHands(overlaps, hands)
    return Buffer.byteLength(JSON.stringify(shown)) <= OVERLAPS_CAP_BYTES ? shown : null
  })
}

/** Overlaps of a conflict with who is behind their current side. */
export async function authoredOverlaps(
  storage: StorageView,
  record: ConflictRecord,
  sides: Sides,
  overlaps: readonly Overlap[],
  history: History,
  gone: AbortSignal | null = null,
): Promise<object[]> {
  return withHands(overlaps, await handsBehind(storage, record, sides, overlaps, history, gone))
}

const withHands = (overlaps: readonly Overlap[], hands: readonly (readonly Hand[])[]): object[] =>
  overlaps.map((overlap, index) => showOverlap(overlap, hands[index] ?? []))

/** Who is behind the current side of each overlap: as far as the history was read, and not what the returning client knew. */
function handsBehind(...question: Parameters<typeof handsOfMany>): (readonly Hand[])[] | Promise<(readonly Hand[])[]> {
  const [, record, , overlaps, { between, isWhole }] = question
  const [first, second] = between
  if (first === undefined || overlaps.length === 0) return []
  // Whatever differs from base then came of it.
  const isOfOne = second === undefined && isWhole && record.base.version !== null && !record.live
  return isOfOne ? overlaps.map(() => [handOf(first)]) : handsOfMany(...question)
}

async function handsOfMany(
  storage: StorageView,
  record: ConflictRecord,
  { base, current }: Sides,
  overlaps: readonly Overlap[],
  { between, isWhole }: History,
  gone: AbortSignal | null,
): Promise<(readonly Hand[])[]> {
  const [first] = between
  invariant(first !== undefined, 'there is a history')
  const { document, documentKind } = record
  const isFromBase = isWhole && record.base.version !== null
  const start = previousVersion(firstVersionOf(first))
  const before = isFromBase ? base : await contentAt(storage, document, documentKind, start)
  const sought = isFromBase ? soughtOverlap : soughtSince(before, current)
  const attribution = new Attribution(before)
  await inSteps(between, gone, effectSize, ({ effect, version, author, at }) =>
    attribution.apply(effect, { version, author, at }),
  )
  const own = new Set<number>(record.live?.own)
  const hands: (readonly Hand[])[] = []
  await inSteps(
    overlaps,
    gone,
    () => 1,
    (overlap) => {
      hands.push(attribution.handsOf(sought(overlap)).filter(({ by }) => !own.has(by.version)))
    },
  )
  return hands
}

const effectSize = ({ effect }: EntryEffect): number =>
  effect?.kind === 'json' ? effect.edits.length : (effect?.delta.length ?? 0)

function showOverlap(overlap: TextOverlap | JsonOverlap, hands: readonly Hand[]): object {
  if ('lines' in overlap) return { ...overlap, authors: authorsOf(hands) }
  const newest = newestOf(hands)
  const blame = newest && { version: newest.version, author: newest.author, at: toTimestamp(newest.at) }
  return { ...overlap, current: { ...overlap.current, ...blame } }
}
