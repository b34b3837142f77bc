import { type Effect, joinEffects } from '../content/effect.ts'
import { invariant } from '../foundation/assert.ts'
import { yieldTurn } from '../foundation/turns.ts'
import type { Entry } from '../storage/log.ts'
import { joinInSteps } from './joinUpdates.ts'
import { firstVersionOf } from './past.ts'

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
  const handedOn = entries.flatMap((entry) => entry.handedOn ?? [])
  return {
    version: last.version,
    firstVersion: firstVersionOf(first),
    author: last.author,
    at: last.at,
    origin: last.origin,
    update: await joinInSteps(updates),
    effect: await joinedEffect(effects),
    ...(handedOn.length > 0 ? { handedOn } : {}),
  }
}

/** Joins a part at a time, and then what came of the parts. */
async function joinedEffect(effects: readonly Effect[]): Promise<Effect> {
  if (effects.length <= 1) return effects[0] ?? null
  const joined: Effect[] = []
  for (let start = 0; start < effects.length; start += JOINED_AT_ONCE) {
    joined.push(joinEffects(effects.slice(start, start + JOINED_AT_ONCE)))
    await yieldTurn()
  }
  return joinedEffect(joined)
}
