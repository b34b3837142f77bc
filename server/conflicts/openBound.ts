import type { Acts } from '../documents/acts/acts.ts'
import { type Found, nothing, onOne, type Step } from '../documents/acts/plan.ts'
import { type DocumentId, type PrincipalId, toPrincipalId } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { closed, MAX_OPEN_CONFLICTS } from '../model/conflict.ts'
import type { StoredEvent } from '../model/event.ts'
import { conflictSuperseded } from '../model/events.ts'
import type { Committed, CommittedActs } from '../storage/act.ts'
import type { ConflictReads } from '../storage/conflicts.ts'

const COMMENT = `Its author has ${MAX_OPEN_CONFLICTS} newer open conflicts here.`

export interface OpenBoundParts {
  readonly storage: ConflictReads & CommittedActs
  readonly acts: Acts
  /** Told of errors that are bugs. */
  readonly onUnexpected: (error: unknown) => void
}

/**
 * Keeps the open `concurrent-edit` of a principal and document within their bound (SPEC CONF-9): the oldest gives way to
 * a new one. A refused write past the bound can be left out, for its sender has it still; a merge cannot be refused.
 *
 * This comes after the act of the merge. As a part of it, it would be refused where somebody closed the oldest at that
 * moment, and the merge with it. What a crash, a full disk or another node leaves undone the next conflict makes up for.
 */
export class OpenBound {
  readonly #parts: OpenBoundParts
  readonly #running = new Set<Promise<void>>()
  readonly #stopListening: () => void

  constructor(parts: OpenBoundParts) {
    this.#parts = parts
    this.#stopListening = parts.storage.onCommitted((committed) => this.#notice(committed))
  }

  /** Closes nothing that opens from now on; resolves once it is done with what opened before. */
  async close(): Promise<void> {
    this.#stopListening()
    await Promise.all(this.#running)
  }

  #notice({ events }: Committed): void {
    for (const event of events) {
      const author = returningAuthor(event)
      if (author === null) continue
      const { document } = event
      const running: Promise<void> = this.#makeRoom(document, author)
        .catch((problem: unknown) => {
          if (!(problem instanceof ParleyError)) this.#parts.onUnexpected(problem)
        })
        .finally(() => this.#running.delete(running))
      this.#running.add(running)
    }
  }

  async #makeRoom(document: DocumentId, author: PrincipalId): Promise<void> {
    const { storage, acts } = this.#parts
    // Most documents have few open conflicts, and a record may be long.
    const counts = await storage.openConflictCounts([document])
    if ((counts.get(document) ?? 0) <= MAX_OPEN_CONFLICTS) return
    const closing = onOne((found, at) => closingOldest(found, author, at))
    while ((await acts.perform([document], closing)) === 'closed');
  }
}

/** Closes the oldest open conflict of the author, where they have one too many. */
async function closingOldest(found: Found, author: PrincipalId, at: number): Promise<Step<'closed' | 'done'>> {
  if ('absent' in found) return { outcome: 'done', plan: null }
  const limit = MAX_OPEN_CONFLICTS + 1
  const newestFirst = await found.conflicts({
    statuses: ['open'],
    kinds: ['concurrent-edit'],
    author,
    before: null,
    limit,
  })
  const tooMany = newestFirst[MAX_OPEN_CONFLICTS]
  if (tooMany === undefined) return { outcome: 'done', plan: null }
  const record = closed(tooMany, { status: 'superseded', closedAt: at, closedBy: author, comment: COMMENT })
  const events = [conflictSuperseded(record)]
  return { outcome: 'closed', plan: { ...nothing(found), conflicts: [{ op: 'update', record }], events } }
}

/** Whose edits opened a `concurrent-edit`, where the event tells of that. */
function returningAuthor({ type, data }: StoredEvent): PrincipalId | null {
  const { kind, author } = data
  const isOne = type === 'parley.conflict.detected' && kind === 'concurrent-edit' && typeof author === 'string'
  return isOne ? toPrincipalId(author) : null
}
