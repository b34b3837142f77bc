import { cacheOf } from '../foundation/cache.ts'
import type { DocumentId, PrincipalId } from '../foundation/ids.ts'
import type { ConflictRecord } from '../model/conflict.ts'
import type { Act } from '../storage/act.ts'
import type { Actor } from '../storage/people.ts'

/** As many people as act at the same time, and more: of one who is forgotten no name is kept until their token is read anew. */
const MAX_NAMES = 50_000
/** People of all documents whose name is known to be stored, about 10 MB; of one that is forgotten it is stored again. */
const MAX_STORED = 100_000
/** The same of one document, so that a crowd forgets no other. */
const MAX_OF_DOCUMENT = 1_000

/**
 * What people are called (SPEC HIST-8). Their tokens say so; it is stored with the first of their acts on a document, and
 * again where it changed. Acts themselves name them by `sub` alone.
 */
export class ActorNames {
  readonly #names = cacheOf<PrincipalId, string>(MAX_NAMES)
  readonly #stored = cacheOf<DocumentId, Map<PrincipalId, string>>(MAX_STORED, {
    together: MAX_STORED,
    of: (people) => people.size,
  })

  /** A token of theirs was read. */
  meet(sub: PrincipalId, name: string | null): void {
    if (name !== null) this.#names.set(sub, name)
  }

  /** Those who act, where their name is not stored with that document yet; null where there are none, which is mostly so. */
  unstored(act: Pick<Act, 'appends' | 'conflicts' | 'locks'>): readonly Actor[] | null {
    let found: Actor[] | null = null
    const look = (document: DocumentId, sub: PrincipalId): void => {
      const name = this.#names.get(sub)
      if (name === undefined || this.#stored.get(document)?.get(sub) === name) return
      found ??= []
      found.push({ document, sub, name })
    }
    for (const { head, entry } of act.appends) look(head.id, entry.author)
    for (const { record } of act.conflicts) for (const sub of actorsOf(record)) look(record.document, sub)
    for (const lock of act.locks ?? []) if (lock.op === 'acquire') look(lock.document, lock.owner)
    return found
  }

  /** They are on disk. */
  remember(actors: readonly Actor[]): void {
    for (const { document, sub, name } of actors) {
      const known = this.#stored.get(document) ?? new Map<PrincipalId, string>()
      if (known.size >= MAX_OF_DOCUMENT) known.clear()
      known.set(sub, name)
      // A value is weighed when it comes in.
      this.#stored.delete(document)
      this.#stored.set(document, known)
    }
  }

  /** What was stored of the document is erased. */
  forget(document: DocumentId): void {
    this.#stored.delete(document)
  }
}

/** Who did something to a conflict; whoever did so earlier was met then. */
function actorsOf({ author, state, proposals }: ConflictRecord): PrincipalId[] {
  const closedBy = state.status === 'resolved' ? state.resolution.by : 'closedBy' in state ? state.closedBy : null
  if (proposals.length === 0) return closedBy === null ? [author] : [author, closedBy]
  const ofProposals = proposals.flatMap(({ by, decidedBy }) => (decidedBy === null ? [by] : [by, decidedBy]))
  return closedBy === null ? [author, ...ofProposals] : [author, closedBy, ...ofProposals]
}
