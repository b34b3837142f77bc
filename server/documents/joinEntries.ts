import * as Y from 'yjs'
import { joinEffects } from '../content/effect.ts'
import { invariant } from '../foundation/assert.ts'
import { yieldTurn } from '../foundation/turns.ts'
import type { Entry } from '../storage/storage.ts'
import { firstVersionOf } from './past.ts'

/** Merging takes time by the square of how many are merged at once. */
const MERGED_AT_ONCE = 16

/** Effects joined in one go; some 1.5 ms. */
const JOINED_AT_ONCE = 64

/**
 * One entry that does what these of one author do, in its Yjs state as in its content. Its version is that of
 * the last. In between everything else that is ready goes first.
 */
export async function joinEntries(entries: readonly Entry[]): Promise<Entry> {
  const [first, last] = [entries[0], entries.at(-1)]
  invariant(first !== undefined && last !== undefined, 'some entries are joined')
  invariant(
    entries.every((entry) => entry.author === first.author),
    'entries of different authors are never joined',
  )
  const updates = entries.map((entry) => entry.update).filter((update) => update.length > 0)
  const effects = entries.map((entry) => entry.effect)
  return {
    version: last.version,
    firstVersion: firstVersionOf(first),
    author: last.author,
    at: last.at,
    origin: last.origin,
    update: await inParts(updates, MERGED_AT_ONCE, new Uint8Array(0), (some) => Y.mergeUpdates([...some])),
    effect: await inParts(effects, JOINED_AT_ONCE, null, joinEffects),
  }
}

/** Joins a part at a time, and then what came of the parts. */
async function inParts<T>(all: readonly T[], atOnce: number, none: T, join: (some: readonly T[]) => T): Promise<T> {
  if (all.length <= 1) return all[0] ?? none
  const joined: T[] = []
  for (let start = 0; start < all.length; start += atOnce) {
    joined.push(join(all.slice(start, start + atOnce)))
    await yieldTurn()
  }
  return inParts(joined, atOnce, none, join)
}
