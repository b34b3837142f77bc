import { encodeEffect } from '../content/effect.ts'
import { joinEntries } from '../documents/joinEntries.ts'
import { logPages } from '../documents/logPages.ts'
import type { Environment } from '../foundation/environment.ts'
import { type DocumentId, toVersion, type Version } from '../foundation/ids.ts'
import type { Job, Jobs } from '../foundation/jobs.ts'
import { yieldTurn } from '../foundation/turns.ts'
import { BLOCK_VERSIONS } from '../model/document.ts'
import type { CommittedActs } from '../storage/act.ts'
import type { HistoryWrites, LogState, VersionFacts } from '../storage/history.ts'
import type { Entry } from '../storage/log.ts'
import type { StorageView } from '../storage/view.ts'
import { blockEnd, joinable, packable } from './planCompaction.ts'

/** Logs looked at in one go. */
const STATES_PAGE = 200
/** Effects in one pack; more would take long to read for the sake of one. */
const MAX_EFFECT_CHARACTERS = 512 * 1024
/** Documents that wait to be packed; the others are found by the next pass. */
const MAX_WAITING = 10_000

export interface CompactorOptions {
  readonly storage: StorageView & HistoryWrites & CommittedActs
  readonly environment: Environment
  /** Entries younger than this stay as they are (SPEC HIST-4). */
  readonly ageMs: number
  /** Between two looks at all documents. */
  readonly intervalMs: number
  /** Told of a document some versions of which became part of others. */
  readonly onJoined: (document: DocumentId) => void
  /** Told of a log that cannot be compacted; the others are. */
  readonly onUnexpected: (error: unknown) => void
}

/**
 * Keeps logs small, in the background: full blocks of rows are packed soon, and what may become one version does once
 * it is old enough. Each step is one short act of storage, after which the log says what it said before; a crash
 * between two loses nothing but the work of one.
 */
export class LogCompactor {
  readonly #options: CompactorOptions
  readonly #waiting = new Set<DocumentId>()
  /** When all documents are looked at again, by the clock that never goes back. */
  #nextPassMs: number

  constructor(options: CompactorOptions) {
    this.#options = options
    this.#nextPassMs = options.environment.monotonicMs() + options.intervalMs
  }

  /** From now on packs what has become a full block, and looks at all documents now and again. */
  start(jobs: Jobs): void {
    const job = jobs.start({ name: 'compaction', run: (stopping) => this.#run(stopping) })
    this.#options.storage.onCommitted(({ heads }) => {
      for (const { id, version } of heads) if (version % BLOCK_VERSIONS === 0) this.#want(id, job)
    })
  }

  /** Does everything that is due for a document now; ends after the step that is being made once `stopping` is aborted. */
  async compact(document: DocumentId, stopping: AbortSignal = NEVER): Promise<void> {
    for (;;) {
      const state = await this.#options.storage.logState(document)
      if (stopping.aborted || !state || !(await this.#step(state, stopping))) return
      await yieldTurn()
    }
  }

  #want(document: DocumentId, job: Job): void {
    if (this.#waiting.size >= MAX_WAITING) return
    this.#waiting.add(document)
    job.wake()
  }

  async #run(stopping: AbortSignal): Promise<number> {
    const { environment, intervalMs } = this.#options
    if (environment.monotonicMs() >= this.#nextPassMs) {
      await this.#pass(stopping)
      this.#nextPassMs = environment.monotonicMs() + intervalMs
    }
    const documents = [...this.#waiting]
    this.#waiting.clear()
    for (const document of documents) await this.#tryCompact(document, stopping)
    return Math.max(0, this.#nextPassMs - environment.monotonicMs())
  }

  async #pass(stopping: AbortSignal): Promise<void> {
    let after: DocumentId | null = null
    for (;;) {
      const page: readonly LogState[] = await this.#options.storage.logStates(after, STATES_PAGE)
      for (const state of page) if (this.#isWorthALook(state)) await this.#tryCompact(state.document, stopping)
      after = page.at(-1)?.document ?? null
      if (stopping.aborted || after === null || page.length < STATES_PAGE) return
      await yieldTurn()
    }
  }

  #isWorthALook(state: LogState): boolean {
    const mayJoin = state.joined < state.version && (state.dueAt ?? 0) <= this.#options.environment.now()
    return mayJoin || this.#packEnd(state) !== null
  }

  /** One damaged document must not keep all others from being compacted. */
  async #tryCompact(document: DocumentId, stopping: AbortSignal): Promise<void> {
    try {
      await this.compact(document, stopping)
    } catch (error) {
      this.#options.onUnexpected(error)
    }
  }

  /** Joins or packs one block; false where nothing is due. */
  async #step(state: LogState, stopping: AbortSignal): Promise<boolean> {
    const { storage, environment, ageMs } = this.#options
    const { document, packed, joined, version } = state
    const joinEnd = toVersion(Math.min(blockEnd(joined + 1), version))
    const dueAt = joined < version ? await this.#dueAt(document, joinEnd, ageMs) : null
    if (dueAt !== null && dueAt <= environment.now()) {
      await this.#rewrite(state, { after: joined, upTo: joinEnd, how: 'join' }, stopping)
      const furthest = packed > joinEnd ? packed : joinEnd
      await storage.setLogProgress(document, { packed: furthest, joined: joinEnd, dueAt: null })
      return true
    }
    const packEnd = this.#packEnd(state)
    if (packEnd !== null) {
      const after = packed > joined ? packed : joined
      await this.#rewrite(state, { after, upTo: packEnd, how: 'pack' }, stopping)
      await storage.setLogProgress(document, { packed: packEnd, joined, dueAt })
      return true
    }
    if (dueAt !== state.dueAt) await storage.setLogProgress(document, { packed, joined, dueAt })
    return false
  }

  /** When the block that ends with this version is old enough. */
  async #dueAt(document: DocumentId, end: Version, ageMs: number): Promise<number | null> {
    const last = await this.#options.storage.versionAt(document, end)
    return last && last.at + ageMs
  }

  /** The end of a block that may be packed: a whole one follows it, so that the newest rows stay as they are. */
  #packEnd({ packed, joined, version }: LogState): Version | null {
    const end = blockEnd(Math.max(packed, joined) + 1)
    return version - end >= BLOCK_VERSIONS ? toVersion(end) : null
  }

  async #rewrite(
    { document, packed }: LogState,
    { after, upTo, how }: Rewriting,
    stopping: AbortSignal,
  ): Promise<void> {
    const { storage, onJoined } = this.#options
    const { facts, pinned } = await storage.read(async (view) => {
      // The log of a document that was purged once does not begin at 1.
      const start = Math.max(after, await view.logStart(document))
      return {
        facts: await view.versions(document, toVersion(start), upTo, BLOCK_VERSIONS),
        pinned: how === 'join' ? await view.pinned(document, after, upTo) : null,
      }
    })
    for (const stretch of packable(facts.toReversed())) {
      const [first, last] = [stretch[0], stretch.at(-1)]
      if (!first || !last || stopping.aborted) continue
      const entries = await this.#entries(document, first, last)
      await yieldTurn()
      if (entries?.length !== stretch.length) continue
      const rows: readonly Entry[] = pinned ? await joined(entries, pinned) : entries
      if (rows.length === entries.length && last.version <= packed) continue
      await yieldTurn()
      await storage.rewrite({ document, replaced: entries.map((entry) => entry.version), rows })
      if (rows.length < entries.length) onJoined(document)
      await yieldTurn()
    }
  }

  /** All from one row to another; null where their effects are too large for one pack. */
  async #entries(document: DocumentId, first: VersionFacts, last: VersionFacts): Promise<readonly Entry[] | null> {
    const end = last.version
    const read = (after: Version): Promise<readonly Entry[]> =>
      this.#options.storage.entries(document, after, end, BLOCK_VERSIONS)
    const entries: Entry[] = []
    let characters = 0
    for await (const page of logPages(read, toVersion(first.firstVersion - 1), end)) {
      entries.push(...page)
      // A small update can have a large effect.
      for (const { effect } of page) characters += encodeEffect(effect)?.length ?? 0
      if (characters > MAX_EFFECT_CHARACTERS) return null
    }
    return entries
  }
}

/** The versions after `after` up to `upTo`, and what becomes of their rows. */
interface Rewriting {
  readonly after: Version
  readonly upTo: Version
  readonly how: 'join' | 'pack'
}

/** Of whoever has one document compacted and waits for it. */
const NEVER = new AbortController().signal

async function joined(entries: readonly Entry[], pinned: ReadonlySet<Version>): Promise<Entry[]> {
  const rows: Entry[] = []
  for (const run of joinable(entries, pinned)) {
    const [only] = run
    rows.push(run.length === 1 && only ? only : await joinEntries(run))
  }
  return rows
}
