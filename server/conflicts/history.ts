import { effectCharacters } from '../content/effect.ts'
import { logPages } from '../documents/logPages.ts'
import { type DocumentId, NO_VERSION, toVersion, type Version } from '../foundation/ids.ts'
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
  const [base, current] = [record.base.version ?? record.live?.since ?? null, record.current.version]
  if (base === null || current === null) return { baseAuthors: [], between: [], isWhole: false }
  const isNothing = base === NO_VERSION
  const maker = toVersion(isNothing ? NO_VERSION : base - 1)
  const read = await newestEntries(storage, record, maker, current)
  if (isNothing) {
    // A write on nothing starts where the incarnation does: what came before is another history.
    const start = read.entries.findLastIndex((entry) => entry.origin === 'delete') + 1
    return { baseAuthors: [], between: read.entries.slice(start), isWhole: read.isWhole || start > 0 }
  }
  if (read.isWhole)
    return { baseAuthors: authorsOf(read.entries.slice(0, 1)), between: read.entries.slice(1), isWhole: true }
  const baseAuthors = authorsOf(await storage.effects(record.document, maker, base, 1))
  return { baseAuthors, between: read.entries.filter((entry) => entry.version > base), isWhole: false }
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

/** Answers from entries that are at hand what storage would answer of their versions. */
export class LogAtHand {
  readonly epoch: string
  readonly #entries: readonly EntryEffect[]

  /** Without a gap, oldest first. */
  constructor(epoch: string, entries: readonly EntryEffect[]) {
    this.epoch = epoch
    this.#entries = entries
  }

  async effects(_document: DocumentId, after: Version, upTo: Version, limit: number): Promise<readonly EntryEffect[]> {
    return this.#entries.filter(({ version }) => version > after && version <= upTo).slice(0, limit)
  }

  versionAt(_document: DocumentId, wanted: Version): EntryEffect | null {
    return this.#entries.find(({ version }) => version === wanted) ?? null
  }
}
