import type { Effect } from '../content/effect.ts'
import { type Reach, reachAfter } from '../content/reach.ts'
import { cacheOf } from '../foundation/cache.ts'
import type { ConflictId, Version } from '../foundation/ids.ts'
import type { ConflictRecord } from '../model/conflict.ts'
import type { EntryEffect } from '../storage/log.ts'
import { logPages } from './logPages.ts'
import { firstVersionOf } from './past.ts'

/** Those of a hundred authors with as many conflicts as one may have; some 4 KB each. */
const MAX_FOLLOWED = 10_000
/** Entries that a write follows for its author's conflicts: some milliseconds. What is further back is not followed in the act. */
const MAX_ENTRIES = 512

/** What became of the reach of a conflict up to a version. */
interface Followed {
  readonly upTo: Version
  /** Null once it was touched: only a comparison tells where it is then. */
  readonly reach: Reach | null
}

/** An open conflict that was compared with a version, and where it reaches there. */
export interface StillOpen {
  readonly conflict: ConflictId
  readonly reach: Reach
}

/** A page of the entries after a version, up to the one that is asked about. */
export type ReadEffects = (after: Version) => Promise<readonly EntryEffect[]>

/**
 * Follows where open conflicts reach through what is written, so that a write is compared only with those that it or another
 * since touched (SPEC WRITE-7). Everything here can be found again from the records and the log.
 */
export class OpenReaches {
  readonly #followed = cacheOf<ConflictId, Followed>(MAX_FOLLOWED)

  /** Those of the conflicts that a write on a version may settle. `read` reads entries up to that version. */
  async touchedBy(
    conflicts: readonly ConflictRecord[],
    { version, effect }: { readonly version: Version; readonly effect: Effect },
    read: ReadEffects,
  ): Promise<readonly ConflictRecord[]> {
    let reached = conflicts.map((conflict) => this.#start(conflict))
    const oldest = reached.reduce((least, start) => (start && start.upTo < least ? start.upTo : least), version)
    const isNear = version - oldest <= MAX_ENTRIES
    // A document that moves meanwhile is planned on anew, and goes on from here.
    for await (const page of isNear ? logPages(read, oldest, version) : []) {
      reached = reached.map((followed) => followed && follow(followed, page))
    }
    return conflicts.filter(({ id }, index) => {
      const followed = reached[index] ?? null
      if (followed?.upTo !== version) return true
      this.#followed.set(id, followed)
      return followed.reach === null || reachAfter(followed.reach, effect) === null
    })
  }

  /** Of conflicts that were compared with the content at a version, which is on disk. */
  compared(open: readonly StillOpen[], version: Version): void {
    for (const { conflict, reach } of open) this.#followed.set(conflict, { upTo: version, reach })
  }

  #start({ id, reach, clean, current }: ConflictRecord): Followed | null {
    const known = this.#followed.get(id)
    if (reach === undefined) return known ?? null
    if (known && known.upTo >= reach.version) return known
    // What has no overlaps may have brought nothing from the first, and was compared with nothing since.
    const isUnknown = clean && reach.version === current.version
    return { upTo: reach.version, reach: isUnknown ? null : reach.reach }
  }
}

/** Up to the last entry; null where the log does not say all that came between. */
function follow(start: Followed, entries: readonly EntryEffect[]): Followed | null {
  let { upTo, reach } = start
  for (const entry of entries) {
    if (entry.version <= upTo) continue
    if (firstVersionOf(entry) !== upTo + 1) return null
    reach = reach && reachAfter(reach, entry.effect)
    upTo = entry.version
  }
  return { upTo, reach }
}
