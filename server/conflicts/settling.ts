import type { Acts } from '../documents/acts/acts.ts'
import { type Found, nothing, onOne, type Step } from '../documents/acts/plan.ts'
import { type Settling, supersededBy } from '../documents/openConflicts.ts'
import type { ConflictId, Version } from '../foundation/ids.ts'
import type { Job, Jobs } from '../foundation/jobs.ts'
import { ParleyError } from '../foundation/problems.ts'
import { problemKind } from '../foundation/problemTable.ts'
import { yieldTurn } from '../foundation/turns.ts'
import type { ConflictRecord } from '../model/conflict.ts'
import { conflictSuperseded } from '../model/events.ts'
import type { ConflictReads } from '../storage/conflicts.ts'
import type { Desk } from '../threads/desk.ts'
import type { SettledQuestion, TimedVerdict } from './settled.ts'

/** Open conflicts read at a time when the server starts. */
const PAGE = 100

export interface ConflictSettlerParts {
  readonly storage: ConflictReads
  readonly acts: Acts
  readonly desk: Desk<SettledQuestion, Uint8Array>
}

/**
 * Closes what a write settles of its author's open conflicts (SPEC WRITE-7), where that was too much to compare within its
 * act: one conflict after the other, compared beside the event loop. Their records name the writes that they are to be
 * compared with, so a restart goes on.
 */
export class ConflictSettler {
  readonly #parts: ConflictSettlerParts
  readonly #due = new Set<ConflictId>()
  readonly #stopListening: () => void
  #job: Job | null = null
  #hasLooked = false

  constructor(parts: ConflictSettlerParts) {
    this.#parts = parts
    this.#stopListening = parts.acts.onSettling((settling) => this.#take(settling))
  }

  /** Goes on with what was left, now and whenever a write leaves something. */
  start(jobs: Jobs): void {
    this.#job = jobs.start({ name: 'settling', run: (stopping) => this.#settleAll(stopping) })
  }

  /** Compares nothing from now on; resolves once it is done with the conflict under way. */
  async close(): Promise<void> {
    this.#stopListening()
    await this.#job?.stop()
  }

  #take({ unsettled }: Settling): void {
    for (const id of unsettled) this.#due.add(id)
    if (unsettled.length > 0) this.#job?.wake()
  }

  /** One that fails does not keep the others from being settled; what went wrong last is thrown then. */
  async #settleAll(stopping: AbortSignal): Promise<null> {
    if (!this.#hasLooked) await this.#look(stopping)
    const failures: unknown[] = []
    for (const id of this.#due) {
      if (stopping.aborted) return null
      try {
        while (await this.#settleNext(id)) if (stopping.aborted) return null
        this.#due.delete(id)
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures.at(-1)
    return null
  }

  /** Finds what an earlier process left. */
  async #look(stopping: AbortSignal): Promise<void> {
    let before: ConflictId | null = null
    do {
      const page: readonly ConflictRecord[] = await this.#parts.storage.conflicts({
        patterns: [{ prefix: '' }],
        statuses: ['open'],
        kinds: ['stale-write'],
        before,
        limit: PAGE,
      })
      for (const { id, unsettled = [] } of page) if (unsettled.length > 0) this.#due.add(id)
      before = page.length < PAGE ? null : (page.at(-1)?.id ?? null)
      await yieldTurn()
    } while (before !== null && !stopping.aborted)
    this.#hasLooked = !stopping.aborted
  }

  /** Compares a conflict with the first write that it is to be compared with; false where there is none. */
  async #settleNext(id: ConflictId): Promise<boolean> {
    const { storage, acts } = this.#parts
    const record = await storage.conflict(id)
    const version = record?.unsettled?.[0]
    if (record?.state.status !== 'open' || version === undefined) return false
    const verdict = await this.#verdictOn(record, version)
    await acts.perform(
      [record.document],
      onOne((found) => settled(found, record, version, verdict)),
    )
    return true
  }

  async #verdictOn(record: ConflictRecord, version: Version): Promise<TimedVerdict | null> {
    try {
      // In a line of its own: its author's own questions do not wait for it.
      const answer = await this.#parts.desk.ask(
        { ask: 'settled', record, version },
        { by: `settling ${record.author}` },
      )
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the desk answers this question with a verdict
      return JSON.parse(Buffer.from(answer).toString()) as TimedVerdict
    } catch (error) {
      // What it needs may be compacted away: then the conflict stays open.
      if (!(error instanceof ParleyError) || problemKind(error.code).retryable) throw error
      return null
    }
  }
}

async function settled(
  found: Found,
  { id }: ConflictRecord,
  version: Version,
  verdict: TimedVerdict | null,
): Promise<Step<void>> {
  const open = 'absent' in found ? null : await found.conflict(id)
  if ('absent' in found || open?.state.status !== 'open') return { outcome: undefined, plan: null }
  const { unsettled = [], ...rest } = open
  if (verdict?.isSettled) {
    const record = supersededBy(rest, { at: verdict.at, author: open.author })
    const conflicts = [{ op: 'update', record }] as const
    return { outcome: undefined, plan: { ...nothing(found), conflicts, events: [conflictSuperseded(record)] } }
  }
  const left = unsettled.filter((one) => one !== version)
  const record = {
    ...rest,
    ...(left.length > 0 && { unsettled: left }),
    // What is known from a refresh meanwhile is newer.
    ...(verdict && (open.reach?.version ?? 0) < version && { reach: { version, reach: verdict.reach } }),
    revision: open.revision + 1,
  }
  return { outcome: undefined, plan: { ...nothing(found), conflicts: [{ op: 'update', record }] } }
}
