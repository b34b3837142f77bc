import type { Content, Violation } from '../content/content.ts'
import type { Acts } from '../documents/acts/acts.ts'
import { type Found, nothing, onOne, type Step } from '../documents/acts/plan.ts'
import type { View } from '../documents/acts/view.ts'
import { newConflictId } from '../documents/conflictIds.ts'
import { openInvalidMerge, validAgain } from '../documents/openConflicts.ts'
import { contentAt } from '../documents/past.ts'
import type { SchemaJudge } from '../documents/schemaJudge.ts'
import { invariant } from '../foundation/assert.ts'
import type { Environment, Timer } from '../foundation/environment.ts'
import type { DocumentId, Version } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { problemKind } from '../foundation/problemTable.ts'
import { yieldTurn } from '../foundation/turns.ts'
import type { ConflictRecord } from '../model/conflict.ts'
import type { Head, JsonSchema } from '../model/document.ts'
import { conflictDetected } from '../model/events.ts'
import type { Act, Committed, CommittedActs } from '../storage/act.ts'
import type { StorageView } from '../storage/view.ts'
import { type Break, findBreak, invalidMerge, type PastValidity, seenAgain, sufficesToTakeBack } from './validity.ts'

/** SPEC CONF-8: a document is not judged more often. */
export const CHECK_INTERVAL_MS = 250
/** SPEC CONF-8: content is invalid for so long before anybody is told. */
export const GRACE_MS = 2_000
/** Nor is it judged for more than a twentieth of the time: a schema may take up to a quarter of a second of everybody's. */
const REST_FACTOR = 20
/** Where to look for the broken entry longer than this, the search makes do with what it has. */
const MAX_SEARCH_MS = 500
/** Storage that refuses is asked again after this time. */
const RETRY_MS = 1_000

export interface ValidityParts {
  readonly storage: StorageView & CommittedActs
  readonly acts: Acts
  readonly environment: Environment
  readonly schemas: Pick<SchemaJudge, 'violationsOf'>
  /** Told of errors that are bugs. */
  readonly onUnexpected: (error: unknown) => void
}

/** Who asks the judge: each document waits for itself. */
const watching = ({ id }: Head): string => `watching ${id}`

/** A document that was written a moment ago, or is invalid and nobody was told yet. */
interface Watch {
  readonly document: DocumentId
  /** Written since it was judged. */
  isDue: boolean
  /** Since when its content has been invalid (monotonic), and the version that was found so first. */
  spell: { readonly sinceMs: number; readonly version: Version } | null
  timer: Timer | null
}

/** What a document turned out to be at one moment. */
interface Judged {
  readonly head: Head
  readonly schema: JsonSchema
  readonly content: Content
  readonly violations: readonly Violation[]
}

/** The conflicts, contents and events of an act; null where there is nothing to store. */
type ValidityWatchParts = Pick<Act, 'conflicts' | 'events'> | null

/**
 * Opens, refreshes and ends the conflict of a document whose content live edits made break its schema (SPEC CONF-8).
 * It watches the documents that are being written, and forgets each when it has been judged and stays as it is: so
 * there are never more than are written within a moment, or are in their first two seconds of being invalid.
 */
export class ValidityWatch {
  readonly #parts: ValidityParts
  readonly #watches = new Map<DocumentId, Watch>()
  readonly #running = new Set<Promise<void>>()
  readonly #stopListening: () => void
  #isClosed = false

  constructor(parts: ValidityParts) {
    this.#parts = parts
    this.#stopListening = parts.storage.onCommitted((committed) => this.#notice(committed))
  }

  /** How many documents are watched. */
  get size(): number {
    return this.#watches.size
  }

  /** Judges nothing from now on; resolves once what is being judged is done. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#stopListening()
    for (const watch of this.#watches.values()) watch.timer?.cancel()
    this.#watches.clear()
    await Promise.all(this.#running)
  }

  /** Every entry counts, for those of REST end what live ones began; each of those paid for a judgement already. */
  #notice({ heads }: Committed): void {
    for (const { id, schema, deletedAt } of heads) {
      if (schema === null || deletedAt !== null) continue
      const known = this.#watches.get(id)
      if (known) {
        known.isDue = true
        continue
      }
      const watch: Watch = { document: id, isDue: true, spell: null, timer: null }
      this.#watches.set(id, watch)
      this.#restFor(watch, CHECK_INTERVAL_MS)
    }
  }

  #restFor(watch: Watch, ms: number): void {
    if (this.#isClosed) return
    watch.timer = this.#parts.environment.after(ms, () => {
      if (!watch.isDue && watch.spell === null) {
        this.#watches.delete(watch.document)
        return
      }
      const running: Promise<void> = this.#run(watch).finally(() => this.#running.delete(running))
      this.#running.add(running)
    })
  }

  /** Never rejects. */
  async #run(watch: Watch): Promise<void> {
    watch.isDue = false
    try {
      const judgedMs = await this.#check(watch)
      this.#restFor(watch, Math.max(CHECK_INTERVAL_MS, judgedMs * REST_FACTOR))
    } catch (problem) {
      if (!(problem instanceof ParleyError)) this.#parts.onUnexpected(problem)
      if (problem instanceof ParleyError && problemKind(problem.code).retryable) watch.isDue = true
      else watch.spell = null
      this.#restFor(watch, RETRY_MS)
    }
  }

  /** Answers how long the judgement took. */
  #check(watch: Watch): Promise<number> {
    return this.#parts.acts.perform(
      [watch.document],
      onOne((found) => this.#judge(watch, found)),
    )
  }

  async #judge(watch: Watch, found: Found): Promise<Step<number>> {
    const { environment } = this.#parts
    if ('absent' in found || found.head.schema === null) {
      watch.spell = null
      return { outcome: 0, plan: null }
    }
    const { head } = found
    const content = found.content()
    const beganMs = environment.monotonicMs()
    const violations = await this.#parts.schemas.violationsOf(head.schema, content, watching(head))
    const judgedMs = environment.monotonicMs() - beganMs
    // Where it broke is looked for in storage.
    await found.whenOnDisk()
    const parts = await this.#decide(watch, found, { head, schema: found.head.schema, content, violations })
    return { outcome: judgedMs, plan: parts === null ? null : { ...nothing(found), ...parts } }
  }

  async #decide(watch: Watch, view: View, judged: Judged): Promise<ValidityWatchParts> {
    const { environment } = this.#parts
    const { head, violations } = judged
    const open = await openInvalidMerge(view)
    if (violations.length === 0) {
      watch.spell = null
      return validAgain(open, { by: head.updatedBy, at: environment.now() })
    }
    if (open !== null) {
      watch.spell = null
      return this.#refresh(open, judged)
    }
    watch.spell ??= { sinceMs: environment.monotonicMs(), version: head.version }
    if (environment.monotonicMs() - watch.spell.sinceMs < GRACE_MS) return null
    const parts = await this.#open(judged, watch.spell.version)
    // Once it is on disk the next judgement finds it; until then the two seconds are over.
    if (parts === null) watch.spell = null
    return parts
  }

  async #refresh(open: ConflictRecord, judged: Judged): Promise<ValidityWatchParts> {
    const { current, incoming } = open
    invariant(current.version !== null && incoming.version !== null, 'its sides are versions of the log')
    const reach = await this.#reach({ before: current.version, after: incoming.version }, judged)
    const record = seenAgain(open, reach, judged.violations)
    return record && { conflicts: [{ op: 'update', record }], events: [] }
  }

  async #open(judged: Judged, invalid: Version): Promise<ValidityWatchParts> {
    const { environment } = this.#parts
    const { head, violations } = judged
    const found = await this.#search(judged, invalid)
    if (await this.#isDismissed(head, found)) return null
    const incoming = await this.#reach(found, judged)
    const id = newConflictId(environment)
    const record = invalidMerge({ id, at: environment.now(), head, found, incoming, violations })
    return { conflicts: [{ op: 'insert', record }], events: [conflictDetected(record)] }
  }

  #search({ head, schema }: Judged, invalid: Version): Promise<Break> {
    const { storage, environment } = this.#parts
    const isValid = this.#isValid(head, schema)
    const beganMs = environment.monotonicMs()
    const past = (view: StorageView): PastValidity => ({
      isEnough: () => environment.monotonicMs() - beganMs > MAX_SEARCH_MS,
      isValidAt: async (version) => {
        await yieldTurn()
        return isValid(await contentAt(view, head.id, head.kind, version))
      },
      rowAt: async (version) => {
        const row = await view.versionAt(head.id, version)
        if (row === null) throw new ParleyError('document-damaged', `The log of ${head.id} lacks version ${version}.`)
        return row
      },
    })
    return storage.read((view) => findBreak(past(view), head.firstVersion, invalid))
  }

  /** Up to which version what is to be taken back reaches: where that one entry does not do, all that came since. */
  async #reach({ before, after }: Pick<Break, 'before' | 'after'>, judged: Judged): Promise<Version> {
    const { storage } = this.#parts
    const { head, schema, content } = judged
    if (after >= head.version) return after
    const at = (view: StorageView, version: Version): Promise<Content> => contentAt(view, head.id, head.kind, version)
    const sides = await storage.read(async (view) => ({
      current: await at(view, before),
      incoming: await at(view, after),
    }))
    const suffices = await sufficesToTakeBack(sides, content, this.#isValid(head, schema))
    return suffices ? after : head.version
  }

  #isValid(head: Head, schema: JsonSchema): (content: Content) => Promise<boolean> {
    return async (content) => (await this.#parts.schemas.violationsOf(schema, content, watching(head))).length === 0
  }

  /** Whether somebody said of this very spell that it need not be looked at. */
  async #isDismissed(head: Head, found: Break): Promise<boolean> {
    const [last] = await this.#parts.storage.conflicts({
      patterns: [{ exact: head.id }],
      statuses: ['dismissed'],
      kinds: ['invalid-merge'],
      before: null,
      limit: 1,
    })
    return last?.incarnation === head.incarnation && found.before < (last.incoming.version ?? 0)
  }
}
