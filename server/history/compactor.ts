import { encodeEffect } from '../content/effect.ts'
import { BLOCK_VERSIONS } from '../model/document.ts'
import { joinEntries } from '../documents/joinEntries.ts'
import type { Environment, Timer } from '../foundation/environment.ts'
import { toVersion, type DocumentId, type Version } from '../foundation/ids.ts'
import { yieldTurn } from '../foundation/turns.ts'
import type { Entry, LogState, Storage } from '../storage/storage.ts'
import { blockEnd, joinable, packable } from './planCompaction.ts'

/** Logs looked at in one go. */
const STATES_PAGE = 200
/** Effects in one pack; more would take long to read for the sake of one. */
const MAX_EFFECT_CHARACTERS = 512 * 1024
/** Documents that wait to be packed; the others are found by the next pass. */
const MAX_WAITING = 10_000

export interface CompactorOptions {
  readonly storage: Storage
  readonly environment: Environment
  /** Entries younger than this stay as they are (SPEC HIST-4). */
  readonly ageMs: number
  /** Between two looks at all documents. */
  readonly intervalMs: number
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
  readonly #unsubscribe: () => void
  #timer: Timer
  #working: Promise<void> | null = null
  #isPassDue = false
  #stopped = false

  constructor(options: CompactorOptions) {
    this.#options = options
    this.#unsubscribe = options.storage.onCommitted(({ heads }) => {
      for (const { id, version } of heads) if (version % BLOCK_VERSIONS === 0) this.#want(id)
    })
    this.#timer = this.#passLater()
  }

  /** Resolves when the step that is being made is made. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#unsubscribe()
    this.#timer.cancel()
    await this.#working
  }

  /** Does everything that is due for a document now. */
  async compact(document: DocumentId): Promise<void> {
    for (;;) {
      const state = await this.#options.storage.logState(document)
      if (this.#stopped || !state || !(await this.#step(state))) return
      await yieldTurn()
    }
  }

  #want(document: DocumentId): void {
    if (this.#waiting.size < MAX_WAITING) this.#waiting.add(document)
    this.#work()
  }

  #passLater(): Timer {
    return this.#options.environment.after(this.#options.intervalMs, () => {
      this.#isPassDue = true
      this.#work()
      this.#timer = this.#passLater()
    })
  }

  #work(): void {
    if (this.#working || this.#stopped) return
    this.#working = this.#workOff()
      .catch(this.#options.onUnexpected)
      .finally(() => (this.#working = null))
  }

  async #workOff(): Promise<void> {
    while (!this.#stopped && (this.#isPassDue || this.#waiting.size > 0)) {
      if (this.#isPassDue) {
        this.#isPassDue = false
        await this.#pass()
      }
      const documents = [...this.#waiting]
      this.#waiting.clear()
      for (const document of documents) await this.#tryCompact(document)
    }
  }

  async #pass(): Promise<void> {
    let after: DocumentId | null = null
    for (;;) {
      const page: readonly LogState[] = await this.#options.storage.logStates(after, STATES_PAGE)
      for (const state of page) if (this.#isWorthALook(state)) await this.#tryCompact(state.document)
      after = page.at(-1)?.document ?? null
      if (this.#stopped || after === null || page.length < STATES_PAGE) return
      await yieldTurn()
    }
  }

  #isWorthALook(state: LogState): boolean {
    const mayJoin = state.joined < state.version && (state.dueAt ?? 0) <= this.#options.environment.now()
    return mayJoin || this.#packEnd(state) !== null
  }

  /** One damaged document must not keep all others from being compacted. */
  async #tryCompact(document: DocumentId): Promise<void> {
    try {
      await this.compact(document)
    } catch (error) {
      this.#options.onUnexpected(error)
    }
  }

  /** Joins or packs one block; false where nothing is due. */
  async #step(state: LogState): Promise<boolean> {
    const { storage, environment, ageMs } = this.#options
    const { document, packed, joined, version } = state
    const joinEnd = toVersion(Math.min(blockEnd(joined + 1), version))
    const dueAt = joined < version ? await this.#dueAt(document, joinEnd, ageMs) : null
    if (dueAt !== null && dueAt <= environment.now()) {
      await this.#rewrite(state, joined, joinEnd, 'join')
      const furthest = packed > joinEnd ? packed : joinEnd
      await storage.setLogProgress(document, { packed: furthest, joined: joinEnd, dueAt: null })
      return true
    }
    const packEnd = this.#packEnd(state)
    if (packEnd !== null) {
      await this.#rewrite(state, packed > joined ? packed : joined, packEnd, 'pack')
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

  async #rewrite({ document, packed }: LogState, after: Version, upTo: Version, how: 'join' | 'pack'): Promise<void> {
    const { storage } = this.#options
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
      if (!first || !last || this.#stopped) continue
      const before = toVersion(first.firstVersion - 1)
      const entries = await storage.entries(document, before, last.version, stretch.length)
      await yieldTurn()
      const rows: readonly Entry[] = pinned ? await joined(entries, pinned) : entries
      const isDone = rows.length === entries.length && last.version <= packed
      if (isDone || entries.length !== stretch.length || hasLargeEffects(entries)) continue
      await yieldTurn()
      await storage.rewrite({ document, replaced: entries.map((entry) => entry.version), rows })
      await yieldTurn()
    }
  }
}

/** A small update can have a large effect. */
function hasLargeEffects(entries: readonly Entry[]): boolean {
  const characters = entries.reduce((sum, entry) => sum + (encodeEffect(entry.effect)?.length ?? 0), 0)
  return characters > MAX_EFFECT_CHARACTERS
}

async function joined(entries: readonly Entry[], pinned: ReadonlySet<Version>): Promise<Entry[]> {
  const rows: Entry[] = []
  for (const run of joinable(entries, pinned)) {
    const [only] = run
    rows.push(run.length === 1 && only ? only : await joinEntries(run))
  }
  return rows
}
