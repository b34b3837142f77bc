/** What clients saw of documents whose contents are unique marks, checked against what a single copy could have told. */
interface Timed {
  /** When it was asked and when the answer was there, on one clock. */
  readonly start: number
  readonly end: number
}

export type Observation = Timed &
  (
    | { readonly kind: 'read'; readonly id: string; readonly version: number; readonly mark: string }
    | {
        readonly kind: 'write'
        readonly writes: readonly { readonly id: string; readonly base: number; readonly mark: string }[]
        /** What each became, where it was done. */
        readonly versions?: readonly number[]
        readonly refusedWith?: number
      }
    /** The time in which only `by` may have written; `from` is the version at its start. */
    | { readonly kind: 'lock'; readonly id: string; readonly by: string; readonly from: number }
  )

/** One version that somebody saw or made, with the time of it. */
interface Sight extends Timed {
  readonly version: number
  readonly isWrite: boolean
}

export interface HistoryFacts {
  readonly wins: number
  readonly refusals: number
  readonly transactions: number
  readonly reads: number
  readonly locks: number
}

/** Throws, naming `context`, where the history is not that of one copy of each document. */
export function checkHistory(
  history: readonly Observation[],
  final: ReadonlyMap<string, { readonly version: number; readonly content: { readonly mark: string } }>,
  context: string,
): HistoryFacts {
  const fail = (what: string): never => {
    throw new Error(`${context}: ${what}`)
  }
  const winners = collectWinners(history, fail)
  const sights = collectSights(history)
  for (const [id, { version, content }] of final) {
    const marks = winners.get(id) ?? new Map<number, string>()
    // The first is the creation; after it every version has exactly one winner, and none is missing.
    if (marks.size !== version - 1) fail(`${id} is at version ${version} after ${marks.size} writes`)
    if (version > 1 && marks.get(version) !== content.mark) fail(`${id} ends with ${content.mark}`)
    assertNeverBack(id, sights.get(id) ?? [], fail)
  }
  for (const one of history) {
    if (one.kind === 'read' && one.version > 1 && winners.get(one.id)?.get(one.version) !== one.mark) {
      fail(
        `version ${one.version} of ${one.id} was read as ${one.mark}, written as ${winners.get(one.id)?.get(one.version)}`,
      )
    }
    if (one.kind === 'lock') assertLocked(one, history, fail)
    if (one.kind === 'write' && one.versions === undefined) assertRefusable(one, winners, sights, fail)
  }
  const writes = history.filter((one) => one.kind === 'write')
  return {
    wins: writes.filter((one) => one.versions !== undefined).length,
    refusals: writes.filter((one) => one.versions === undefined).length,
    transactions: writes.filter((one) => one.writes.length > 1 && one.versions !== undefined).length,
    reads: history.filter((one) => one.kind === 'read').length,
    locks: history.filter((one) => one.kind === 'lock').length,
  }
}

type Winners = ReadonlyMap<string, ReadonlyMap<number, string>>

/** The mark of each version, of which there is exactly one, made on the version before it. */
function collectWinners(history: readonly Observation[], fail: (what: string) => never): Winners {
  const winners = new Map<string, Map<number, string>>()
  for (const one of history) {
    if (one.kind !== 'write' || one.versions === undefined) continue
    for (const [n, { id, base, mark }] of one.writes.entries()) {
      const version = one.versions[n] ?? 0
      const marks = winners.get(id) ?? new Map<number, string>()
      winners.set(id, marks)
      if (version !== base + 1) fail(`${mark} was written on version ${base} of ${id} as ${version}`)
      if (marks.has(version)) fail(`version ${version} of ${id} is both ${marks.get(version)} and ${mark}`)
      marks.set(version, mark)
    }
  }
  return winners
}

function collectSights(history: readonly Observation[]): ReadonlyMap<string, readonly Sight[]> {
  const sights = new Map<string, Sight[]>()
  const see = (id: string, sight: Sight): void => {
    const known = sights.get(id)
    if (known) known.push(sight)
    else sights.set(id, [sight])
  }
  for (const one of history) {
    const { start, end } = one
    if (one.kind === 'read') see(one.id, { start, end, version: one.version, isWrite: false })
    if (one.kind === 'write' && one.versions !== undefined) {
      for (const [n, { id }] of one.writes.entries()) {
        see(id, { start, end, version: one.versions[n] ?? 0, isWrite: true })
      }
    }
  }
  return sights
}

/** What was asked after an answer was there tells of no older version; a write makes a newer one. */
function assertNeverBack(id: string, sights: readonly Sight[], fail: (what: string) => never): void {
  const byStart = sights.toSorted((a, b) => a.start - b.start)
  const byEnd = sights.toSorted((a, b) => a.end - b.end)
  let [newest, ended] = [0, 0]
  for (const sight of byStart) {
    for (let done = byEnd[ended]; done !== undefined && done.end < sight.start; done = byEnd[++ended]) {
      newest = Math.max(newest, done.version)
    }
    if (sight.version < newest || (sight.isWrite && sight.version === newest)) {
      fail(`${id} went from version ${newest} back to ${sight.version}`)
    }
  }
}

/** While somebody holds the lock, each version is theirs: no mark of another in between. */
function assertLocked(
  lock: Extract<Observation, { kind: 'lock' }>,
  history: readonly Observation[],
  fail: (what: string) => never,
): void {
  for (const one of history) {
    if (one.kind !== 'write' || one.versions === undefined) continue
    if (one.start < lock.start || one.end > lock.end) continue
    const foreign = one.writes.find(({ id, mark }) => id === lock.id && !mark.startsWith(`${lock.by} `))
    if (foreign) fail(`${foreign.mark} was written to ${lock.id} while ${lock.by} had its lock`)
  }
}

/** A 409 is right only where some base could have been stale: another version was made before the answer was there. */
function assertRefusable(
  refused: Extract<Observation, { kind: 'write' }>,
  winners: Winners,
  sights: ReadonlyMap<string, readonly Sight[]>,
  fail: (what: string) => never,
): void {
  if (refused.refusedWith !== 409) return
  const isStale = refused.writes.some(({ id, base }) =>
    (sights.get(id) ?? []).some(
      ({ isWrite, version, start }) => isWrite && version === base + 1 && start < refused.end,
    ),
  )
  const marks = refused.writes.map(({ mark }) => mark)
  if (!isStale) fail(`${marks.join(', ')} was refused on the current version`)
  for (const { id, mark } of refused.writes) {
    if ([...(winners.get(id)?.values() ?? [])].includes(mark)) fail(`${mark} was refused and written`)
  }
}
