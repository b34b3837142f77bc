import { effectCharacters } from '../content/effect.ts'
import { logPages } from '../documents/logPages.ts'
import { NO_VERSION, toVersion, type Version } from '../foundation/ids.ts'
import type { ConflictRecord } from '../model/conflict.ts'
import type { EntryEffect, LogReads } from '../storage/log.ts'

/** Entries held together while the log is read backwards: enough for most conflicts, of rewrites of 10 MiB still not too much. */
const BLOCK_ENTRIES = 32
/** Entries between base and current that are attributed: the newest so many, a day of typing. */
const MAX_ENTRIES = 10_000
/** Their effects together, as JSON; full rewrites of a large content would fill memory otherwise. */
const MAX_EFFECT_CHARACTERS = 16 * 1024 * 1024

/** What lies between the base and the current side of a conflict. */
export interface History {
  /** Who made the base version: one, or nobody where it was no version. */
  readonly baseAuthors: string[]
  /** The entries after base up to current, oldest first; the newest of them where they are very many or large. */
  readonly between: readonly EntryEffect[]
  /** Whether `between` begins right after base. */
  readonly isWhole: boolean
}

export async function readHistory(storage: Pick<LogReads, 'effects'>, record: ConflictRecord): Promise<History> {
  const span = spanOf(record)
  if (span === null) return NO_HISTORY
  const { base, maker, current } = span
  const { entries, isWhole } = await newestEntries(storage, record, maker, current)
  if (base === NO_VERSION || isWhole) return historyOf(base, entries, isWhole)
  const baseAuthors = authorsOf(await storage.effects(record.document, maker, base, 1))
  return { baseAuthors, between: entries.filter((entry) => entry.version > base), isWhole: false }
}

/** The same of all entries from the base up to the current version, oldest first. */
export function historyAtHand(record: ConflictRecord, entries: readonly EntryEffect[]): History {
  const span = spanOf(record)
  return span === null ? NO_HISTORY : historyOf(span.base, entries, true)
}

const NO_HISTORY: History = { baseAuthors: [], between: [], isWhole: false }

/** The versions of base and current, and the one before base; null where base was no version. */
function spanOf(record: ConflictRecord): { base: Version; maker: Version; current: Version } | null {
  const [base, current] = [record.base.version ?? record.live?.since ?? null, record.current.version]
  if (base === null || current === null) return null
  return { base, maker: toVersion(base === NO_VERSION ? NO_VERSION : base - 1), current }
}

/** Of the entries from the one that made the base on; of a write on nothing there may be some missing. */
function historyOf(base: Version, entries: readonly EntryEffect[], isWhole: boolean): History {
  if (base !== NO_VERSION) return { baseAuthors: authorsOf(entries.slice(0, 1)), between: entries.slice(1), isWhole }
  // A write on nothing starts where the incarnation does: what came before is another history.
  const start = entries.findLastIndex((entry) => entry.origin === 'delete') + 1
  return { baseAuthors: [], between: entries.slice(start), isWhole: isWhole || start > 0 }
}

const authorsOf = (entries: readonly EntryEffect[]): string[] => entries.map((entry) => entry.author)

/** Entries with `after < version <= upTo`, or the newest of them. */
async function newestEntries(
  storage: Pick<LogReads, 'effects'>,
  record: ConflictRecord,
  after: Version,
  upTo: Version,
): Promise<{ entries: EntryEffect[]; isWhole: boolean }> {
  const blocks: (readonly EntryEffect[])[] = []
  let end = upTo
  let characters = 0
  while (end > after && upTo - end < MAX_ENTRIES && characters < MAX_EFFECT_CHARACTERS) {
    const start = toVersion(Math.max(after, end - BLOCK_ENTRIES))
    const last = end
    const block: EntryEffect[] = []
    const read = (from: Version): Promise<readonly EntryEffect[]> =>
      storage.effects(record.document, from, last, BLOCK_ENTRIES)
    for await (const page of logPages(read, start, last)) block.push(...page)
    for (const { effect } of block) characters += effectCharacters(effect)
    blocks.unshift(block)
    end = start
  }
  return { entries: blocks.flat(), isWhole: end <= after }
}
