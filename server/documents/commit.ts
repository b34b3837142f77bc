import type { Content } from '../content/content.ts'
import { cacheOf } from '../foundation/cache.ts'
import type { DocumentId } from '../foundation/ids.ts'
import { ParleyError, requestInProgress } from '../foundation/problems.ts'
import type { ConflictRecord, ContentHash } from '../model/conflict.ts'
import type { Act, Acting, ActResult, Append } from '../storage/act.ts'
import type { LogWrites, Snapshot } from '../storage/log.ts'
import type { Sharing } from '../storage/sharing.ts'
import { OpenStaleWrites } from './openStaleWrites.ts'
import type { Actor } from '../storage/people.ts'
import { ActorNames } from './actorNames.ts'

/** The parts of an act besides the appends, which come from the staged entries. */
export type ActParts = Omit<Act, 'appends' | 'people'>

/** An entry a replica has applied and that must now be committed, in the same tick. */
export interface Staged {
  readonly append: Append
  /** Taken right after the entry was applied, of which it has the CRC-32 of the update. */
  readonly snapshot: (Snapshot & { readonly entryChecksum: number }) | null
  /** The entry is on disk. */
  confirm(): void
  /** It is not, and what the replica holds is in no log. */
  fail(problem: ParleyError): void
}

/** Documents of which it is known which act changed conflicts last; of one that is forgotten it counts as changed since. */
const MAX_MARKS = 10_000

/** An act that is on disk. */
export interface DoneAct {
  readonly staged: readonly Staged[]
  readonly parts: ActParts
}

/**
 * The only caller of `storage.commit`: hands over what replicas have staged and tells them how it ended.
 *
 * A replica applies an entry before it is on disk, so a failed or stale act leaves it ahead of its log.
 * It is ended then, never repaired; the next access loads it anew from the log.
 */
export class Committer {
  /** Of every author, with what acts on their way make of them; nothing is kept of a storage that others write too. */
  readonly openStaleWrites: OpenStaleWrites | null
  /** What those are called who act. */
  readonly #names: ActorNames
  readonly #storage: Acting & LogWrites & Pick<Sharing, 'shared'>
  /** Conflicts that acts on their way open or change, by document, in the order in which they were handed over. */
  readonly #conflicts = new Map<DocumentId, ConflictRecord[]>()
  /** By document: stands for the last act handed over that opens or changes conflicts of it. */
  readonly #marks = cacheOf<DocumentId, object>(MAX_MARKS)
  /** Contents that they bring. */
  readonly #contents = new Map<ContentHash, { readonly content: Content; acts: number }>()
  /** The acts on their way for each document that has some. */
  readonly #underway = new Map<DocumentId, Set<Promise<ActResult>>>()

  readonly #listeners = new Set<(done: DoneAct) => void>()

  constructor(storage: Acting & LogWrites & Pick<Sharing, 'shared'>, names = new ActorNames()) {
    this.#storage = storage
    this.#names = names
    this.openStaleWrites = storage.shared ? null : new OpenStaleWrites()
  }

  /**
   * Throws what refuses any act now (`overloaded`, `shutting-down`, `storage-unavailable`). To be asked in the tick in
   * which something is applied, before that: an act that is refused costs the replica that is ahead of its log then.
   */
  assertRoom(): void {
    const refusal = this.#storage.refusal()
    if (refusal !== null) throw refusal
  }

  /**
   * Makes the staged entries durable together with the parts. Must be called in the same tick as the
   * staging, so that acts reach storage in the order in which replicas applied them.
   * Rejects with `storage-unavailable`, or with `request-in-progress` where the same request was answered already
   * (nothing was written).
   */
  commit(staged: readonly Staged[], parts: ActParts): Promise<ActResult> {
    const ended = this.#perform(staged, parts)
    const forget = this.#remember(staged, parts, ended)
    const endConflicts = this.#followConflicts(staged, parts)
    const end = (isCommitted: boolean): void => {
      forget()
      endConflicts(isCommitted)
    }
    ended.then(
      ({ status }) => end(status === 'committed'),
      () => end(false),
    )
    return ended
  }

  /** Called after each act that is on disk. Returns how to stop. */
  onDone(listener: (done: DoneAct) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /**
   * Resolves once every act handed over so far for the document has ended, however it ended. A replica that
   * ended may have left some on their way; one that is loaded without them would be behind the log.
   */
  async settled(document: DocumentId): Promise<void> {
    await Promise.allSettled(this.#underway.get(document) ?? new Set<Promise<ActResult>>())
  }

  /** What acts on their way make of conflicts of the document, oldest first. */
  conflictsUnderway(document: DocumentId): readonly ConflictRecord[] {
    return [...(this.#conflicts.get(document) ?? [])]
  }

  /** Another one once an act was handed over that opens or changes a conflict of the document. */
  conflictMark(document: DocumentId): object | null {
    return this.#marks.get(document) ?? null
  }

  /** A content that an act on its way brings; null where none does. */
  contentUnderway(hash: ContentHash): Content | null {
    return this.#contents.get(hash)?.content ?? null
  }

  async #perform(staged: readonly Staged[], parts: ActParts): Promise<ActResult> {
    let settled: ActResult
    try {
      const act = actOf(staged, parts)
      const people = this.#names.unstored(act)
      if (people !== null) act.people = people
      const result = this.#storage.commit(act)
      for (const one of staged) this.#storeSnapshot(one)
      settled = await result
      // Of what other nodes erase with a document nothing is heard here in time.
      const isKept = settled.status === 'committed' && !this.#storage.shared
      if (people !== null && isKept) this.#names.remember(people)
    } catch (cause) {
      const problem =
        cause instanceof ParleyError ? cause : new ParleyError('internal', 'The write failed in storage.', { cause })
      for (const one of staged) one.fail(problem)
      throw problem
    }
    this.#settle(staged, settled)
    if (settled.status === 'committed') for (const listener of this.#listeners) listener({ staged, parts })
    if (settled.status === 'answered') throw requestInProgress()
    return settled
  }

  /** Answers what is to be called once the act has ended. */
  #remember(staged: readonly Staged[], parts: ActParts, ended: Promise<ActResult>): () => void {
    const documents = staged.map((one) => one.append.head.id)
    for (const write of parts.conflicts) documents.push(write.record.document)
    for (const write of parts.locks ?? []) documents.push(write.document)
    for (const document of documents) {
      const underway = this.#underway.get(document)
      if (underway === undefined) this.#underway.set(document, new Set([ended]))
      else underway.add(ended)
    }
    return () => {
      for (const document of documents) {
        const underway = this.#underway.get(document)
        underway?.delete(ended)
        if (underway?.size === 0) this.#underway.delete(document)
      }
    }
  }

  /**
   * What an act does to conflicts shows until it has ended, and of open stale writes also afterwards. Answers what is to be
   * called then.
   */
  #followConflicts(
    staged: readonly Staged[],
    { conflicts, contents, purges = [] }: ActParts,
  ): (isCommitted: boolean) => void {
    if (conflicts.length === 0 && purges.length === 0) return () => undefined
    for (const { record } of conflicts) {
      const underway = this.#conflicts.get(record.document)
      if (underway === undefined) this.#conflicts.set(record.document, [record])
      else underway.push(record)
      this.#marks.set(record.document, conflicts)
      this.openStaleWrites?.apply(record)
    }
    for (const [hash, content] of contents) {
      const kept = this.#contents.get(hash)
      if (kept === undefined) this.#contents.set(hash, { content, acts: 1 })
      else kept.acts += 1
    }
    return (isCommitted) => {
      for (const { record } of conflicts) this.#forgetConflict(record, isCommitted)
      for (const hash of contents.keys()) this.#forgetContent(hash)
      // Until then they are read by whoever looks. With a deletion others expire than those that its act closes.
      for (const { append } of staged) if (append.head.deletedAt !== null) this.openStaleWrites?.forget(append.head.id)
      for (const { id } of purges) {
        this.openStaleWrites?.forget(id)
        this.#names.forget(id)
      }
    }
  }

  #forgetConflict(record: ConflictRecord, isCommitted: boolean): void {
    const { document } = record
    const underway = this.#conflicts.get(document) ?? []
    underway.splice(underway.indexOf(record), 1)
    if (underway.length === 0) this.#conflicts.delete(document)
    if (!isCommitted) this.openStaleWrites?.forget(document)
  }

  #forgetContent(hash: ContentHash): void {
    const kept = this.#contents.get(hash)
    if (kept === undefined) return
    kept.acts -= 1
    if (kept.acts === 0) this.#contents.delete(hash)
  }

  #settle(staged: readonly Staged[], result: ActResult): void {
    if (result.status === 'committed') {
      for (const one of staged) one.confirm()
      return
    }
    const problem = new ParleyError('overloaded', 'Another node wrote or locked this document; it is loaded anew.')
    for (const one of staged) one.fail(problem)
  }

  /**
   * A snapshot was taken right after its entry was applied and follows it into storage, which drops it
   * unless that very entry stands in the log. Losing one costs a longer replay, so a failure is not an error.
   */
  #storeSnapshot(one: Staged): void {
    if (one.snapshot === null) return
    const document: DocumentId = one.append.head.id
    void this.#storage.storeSnapshot(document, one.snapshot, one.snapshot.entryChecksum).catch(() => undefined)
  }
}

/** Field by field, for it is made with every write. */
function actOf(staged: readonly Staged[], parts: ActParts): Act & { people: readonly Actor[] } {
  const { at, conflicts, contents, events, locks = [], settles = [], purges = [], onto = [], answer } = parts
  const appends = staged.map((one) => one.append)
  return { at, appends, conflicts, contents, events, locks, settles, purges, onto, people: [], answer }
}
