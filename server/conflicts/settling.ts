import type { Content } from '../content/content.ts'
import type { Acts } from '../documents/acts/acts.ts'
import { nothing, onOne, type Found, type Step } from '../documents/acts/plan.ts'
import { supersededBy, type Unsettled } from '../documents/openConflicts.ts'
import { contentAt } from '../documents/past.ts'
import { bringsNothing, touchesOverlap } from '../documents/superseded.ts'
import { NO_VERSION, type DocumentId } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { yieldTurn } from '../foundation/turns.ts'
import type { ConflictRecord } from '../model/conflict.ts'
import { conflictSuperseded } from '../model/events.ts'
import type { Storage } from '../storage/storage.ts'

/** Writes that wait, each with two contents: past this the oldest is let go, and the conflicts it settled stay open. */
const MAX_WAITING = 16

export interface ConflictSettlerParts {
  readonly storage: Storage
  readonly acts: Acts
  /** Told of errors that are bugs. */
  readonly onUnexpected: (error: unknown) => void
}

interface WaitingWrite {
  readonly document: DocumentId
  readonly write: Unsettled
}

/**
 * Closes what a write settles of its author's open conflicts (SPEC WRITE-7), where that was too much to compare within its
 * act: one conflict after the other, with everybody else's turn between. A crash leaves them open, for their author to see.
 */
export class ConflictSettler {
  readonly #parts: ConflictSettlerParts
  readonly #waiting: WaitingWrite[] = []
  readonly #stopListening: () => void
  #running: Promise<void> | null = null
  #isClosed = false

  constructor(parts: ConflictSettlerParts) {
    this.#parts = parts
    this.#stopListening = parts.acts.onUnsettled((document, write) => this.#take({ document, write }))
  }

  /** Compares nothing from now on; resolves once it is done with the conflict under way. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#stopListening()
    await this.#running
  }

  #take(write: WaitingWrite): void {
    this.#waiting.push(write)
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift()
    this.#running ??= this.#work().finally(() => (this.#running = null))
  }

  async #work(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      for (const conflict of next.write.own) {
        if (this.#isClosed) return
        await this.#settle(next, conflict).catch((problem: unknown) => {
          // A base may be compacted away meanwhile, or the disk be full: the conflict stays open.
          if (!(problem instanceof ParleyError)) this.#parts.onUnexpected(problem)
        })
      }
    }
  }

  async #settle({ document, write }: WaitingWrite, conflict: ConflictRecord): Promise<void> {
    const { storage, acts } = this.#parts
    const { hash } = conflict.incoming
    const incoming = hash === null ? null : await storage.content(hash)
    if (incoming === null) return
    const base = await contentAt(storage, document, conflict.documentKind, conflict.base.version ?? NO_VERSION)
    if (!(await isSettled({ base, incoming }, write))) return
    await acts.perform(
      [document],
      onOne((found) => closing(found, conflict, write)),
    )
  }
}

/** Each half is a merge of two whole contents, which cannot be cut. */
async function isSettled(
  sides: { readonly base: Content; readonly incoming: Content },
  write: Unsettled,
): Promise<boolean> {
  await yieldTurn()
  if (touchesOverlap(sides, write)) return true
  await yieldTurn()
  return bringsNothing(sides, write)
}

async function closing(found: Found, { id }: ConflictRecord, write: Unsettled): Promise<Step<void>> {
  const open = 'absent' in found ? null : await found.conflict(id)
  if ('absent' in found || open?.state.status !== 'open') return { outcome: undefined, plan: null }
  const record = supersededBy(open, write)
  const conflicts = [{ op: 'update', record }] as const
  return { outcome: undefined, plan: { ...nothing(found), conflicts, events: [conflictSuperseded(record)] } }
}
