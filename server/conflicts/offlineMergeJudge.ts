import type { Content } from '../content/content.ts'
import { contentHash } from '../content/equal.ts'
import { type Granularities, granularityOf } from '../content/granularity.ts'
import { expectLive, type LiveExpectation } from '../content/liveMerge.ts'
import { merge, mergeWith, type Sides } from '../content/merge.ts'
import type { OfflineEdits } from '../model/clientKnowledge.ts'
import type { Head } from '../model/document.ts'
import { divide, type Divide, mayMatter, withEvidence } from '../documents/knowledge.ts'
import type { Committer } from '../documents/commit.ts'
import type { LiveMerge, Replica } from '../documents/replica.ts'
import { workOutSides } from '../documents/offlineSides.ts'
import type { OfflineSides } from '../model/offlineSides.ts'
import { invariant } from '../foundation/assert.ts'
import type { Environment } from '../foundation/environment.ts'
import type { PrincipalId, Version } from '../foundation/ids.ts'
import { yieldTurn } from '../foundation/turns.ts'
import { conflictDetected } from '../model/events.ts'
import type { StorageView } from '../storage/view.ts'
import { concurrentEdit, type MergedReturn } from './concurrentEdit.ts'
import type { ConflictRecord, ContentHash, LiveFacts } from '../model/conflict.ts'
import { sidesOf } from './show.ts'
import { granularitiesOf } from './granularity.ts'
import { newConflictId } from '../documents/conflictIds.ts'

/** Conflicts of an author in a document that edits are compared with, and those remembered of a replica. */
const COMPARED_CONFLICTS = 100

/** Judges what becomes of edits that were made without knowledge of others' (SPEC CONF-6). */
export class OfflineMergeJudge {
  readonly #storage: StorageView
  readonly #committer: Pick<Committer, 'settled' | 'conflictMark'>
  readonly #environment: Environment
  /** What was raised on a replica may not be on disk yet; if it never gets there, the replica is gone. */
  readonly #raised = new WeakMap<Replica, Set<string>>()

  constructor(storage: StorageView, committer: Pick<Committer, 'settled' | 'conflictMark'>, environment: Environment) {
    this.#storage = storage
    this.#committer = committer
    this.#environment = environment
  }

  /**
   * Works out both sides of the offline merge; what it answers judges the merge when it is applied. Null where the
   * client knew everything that counts. Rejects as `workOutSides` does, or with what ended the replica.
   */
  async prepare(replica: Replica, edits: OfflineEdits): Promise<LiveMerge | null> {
    const worked = await this.#storage.read((view) => workOut(view, replica, edits))
    if (worked === null) return null
    const { divided, sides } = worked
    const own = divided.later.filter((entry) => entry.known === 'all').map((entry) => entry.version)
    const mark = this.#committer.conflictMark(replica.id)
    // What is read then is as that act left it.
    await this.#committer.settled(replica.id)
    const areStill = (): boolean => this.#committer.conflictMark(replica.id) === mark
    const { raised, stored } = await this.#raisedOn(replica, edits.author)
    const expected = await expect(replica, sides)
    const continued = await this.#continuedBy(divided, own, stored, sides, expected.granularities)
    const found = { own, raised, continued, areStill, author: edits.author, waited: edits.waited === true }
    const prepared = { sides, ...hashesOf(sides), since: divided.prefix, ...found }
    await yieldTurn()
    return new JudgedMerge(prepared, expected, this.#environment)
  }

  /**
   * What was raised by edits of the author before. A client whose edits the server has kept and taken in (LOCK-4) brings
   * them once more when it comes back, and Yjs does not keep who else deleted what was deleted already.
   */
  async #raisedOn(
    replica: Replica,
    author: PrincipalId,
  ): Promise<{ readonly raised: Set<string>; readonly stored: readonly ConflictRecord[] }> {
    const raised = this.#raised.get(replica) ?? new Set()
    this.#raised.set(replica, raised)
    const kinds = ['concurrent-edit'] as const
    const query = { patterns: [{ exact: replica.id }], kinds, author, before: null, limit: COMPARED_CONFLICTS }
    const stored = await this.#storage.conflicts(query)
    if (raised.size > COMPARED_CONFLICTS) raised.clear()
    for (const record of stored) raised.add(sameness(record))
    return { raised, stored }
  }

  /**
   * The conflict that the edits go on with: its author wrote more in the same absence, before their page had our answer, and
   * nobody else wrote since it was raised.
   */
  async #continuedBy(
    { later }: Divide,
    own: readonly Version[],
    stored: readonly ConflictRecord[],
    now: OfflineSides,
    granularities: Granularities,
  ): Promise<Continued | null> {
    const record = stored.find(({ state, live }) => state.status === 'open' && live && own.includes(live.merged))
    const { live, current } = record ?? {}
    const upTo = current?.version ?? null
    if (!record || !live || upTo === null) return null
    if (later.some(({ known, version }) => known !== 'all' && version > upTo)) return null
    const sides = await this.#storage.read((view) => sidesOf(view, record))
    await yieldTurn()
    const incoming = withWhatLost(sides.incoming, now)
    await yieldTurn()
    const both: Granularities = {
      texts: union(live.texts, granularities.texts),
      wholes: union(live.wholes, granularities.wholes),
    }
    return {
      record,
      live,
      upTo,
      sides,
      incoming: { content: incoming, hash: contentHash(incoming) },
      granularities: both,
      expectation: expectLive({ ...sides, incoming }, granularityOf(both)),
    }
  }
}

/** How the log divides, and the sides of the return, both from one state of it; null where nothing matters. */
async function workOut(
  view: StorageView,
  replica: Replica,
  edits: OfflineEdits,
): Promise<{ readonly divided: Divide; readonly sides: OfflineSides } | null> {
  const found = await divide(view, replica, edits)
  const divided = withEvidence(found, edits.update, edits.knowledge, replica.head.kind)
  const unseen = divided.later.filter((entry) => entry.known !== 'all')
  if (unseen.length === 0 || !mayMatter(replica.doc, divided, edits.update)) return null
  return { divided, sides: await workOutSides(view, replica.head, { ...edits, divide: divided }) }
}

interface Prepared {
  readonly sides: OfflineSides
  readonly since: Version
  readonly own: readonly Version[]
  /** `sameness` of what was raised before. */
  readonly raised: Set<string>
  readonly author: PrincipalId
  readonly waited: boolean
  readonly continued: Continued | null
  /** Whether nobody has changed a conflict of the document since. */
  readonly areStill: () => boolean
  readonly incomingHash: ContentHash
  /** Null where base is a version. */
  readonly baseHash: ContentHash | null
}

/** What is known of a merge before it is one. */
interface Expected {
  /** What the edits are to meet; of a json content the very object, which stands for the shared types in it too. */
  readonly current: Content
  readonly granularities: Granularities
  readonly expectation: LiveExpectation | null
}

/** A conflict that is open, to which more of the same absence belongs. */
interface Continued extends Pick<Expected, 'granularities' | 'expectation'> {
  readonly record: ConflictRecord
  readonly live: LiveFacts
  /** The version of its current side. */
  readonly upTo: Version
  readonly sides: Sides
  /** What its author has with all of it. */
  readonly incoming: MergedReturn['incoming']
}

/**
 * What its author has after edits that go on with a conflict. Of a json content the log keeps no value that lost, so the sides
 * of those edits may lack one; the conflict has it, and the author's own changes since are put on top.
 */
function withWhatLost(before: Content, { base, incoming }: OfflineSides): Content {
  if (typeof before === 'string') return incoming
  const { content, overlaps } = merge(base, before, incoming)
  if (overlaps.length === 0) return content
  return mergeWith(base, before, incoming, new Map(overlaps.map(({ id }) => [id, 'incoming']))).content
}

const union = (one: readonly string[], other: readonly string[]): string[] => [...new Set([...one, ...other])]

/** Most of the work, in pieces, for which there is time here: the merge and its judgement are one tick. */
async function expect(replica: Replica, sides: OfflineSides): Promise<Expected> {
  await yieldTurn()
  const current = replica.content()
  const granularities = granularitiesOf(sides, current, (path) => replica.sharedAt(path))
  await yieldTurn()
  const { base, incoming } = sides
  const expectation = expectLive({ base, current, incoming }, granularityOf(granularities))
  await yieldTurn()
  return { current, granularities, expectation }
}

const hashesOf = ({ base, baseVersion, incoming }: OfflineSides): Pick<Prepared, 'incomingHash' | 'baseHash'> => ({
  incomingHash: contentHash(incoming),
  baseHash: baseVersion === null ? contentHash(base) : null,
})

/** Two records of the same author in one document that agree in this come of the same edits. */
const sameness = ({ author, live, incoming }: ConflictRecord): string =>
  JSON.stringify([author, live?.since ?? null, incoming.hash])

class JudgedMerge implements LiveMerge {
  readonly #prepared: Prepared
  readonly #environment: Environment
  #expected: Expected
  #currentVersion: Version | null = null
  #continued: Continued | null

  constructor(prepared: Prepared, expected: Expected, environment: Environment) {
    this.#prepared = prepared
    this.#expected = expected
    this.#environment = environment
    this.#continued = prepared.continued
  }

  before(head: Head, content: Content, sharedAt: OfflineSides['sharedAt']): void {
    this.#currentVersion = head.version
    if (!this.#prepared.areStill()) this.#continued = null
    if (content === this.#expected.current) return
    // Somebody was faster.
    const granularities = granularitiesOf(this.#prepared.sides, content, sharedAt)
    this.#expected = { current: content, granularities, expectation: null }
    this.#continued = null
  }

  after(head: Head, content: Content, at: number): ReturnType<LiveMerge['after']> {
    const { sides, since, own, author, waited, raised, incomingHash, baseHash } = this.#prepared
    const { current, granularities, expectation } = this.#expected
    invariant(this.#currentVersion !== null, 'a merge is looked at before and after')
    if (this.#continued && head.version > this.#currentVersion) return this.#goOn(this.#continued, head, content)
    const kept = concurrentEdit({
      id: newConflictId(this.#environment),
      at,
      head,
      author,
      base: {
        content: sides.base,
        ref:
          baseHash === null ? { version: sides.baseVersion ?? since, hash: null } : { version: null, hash: baseHash },
      },
      since,
      waited,
      own,
      current: { version: this.#currentVersion, content: current },
      incoming: { content: sides.incoming, hash: incomingHash },
      merged: content,
      granularities,
      expectation,
    })
    const nothing = { conflicts: [], contents: new Map(), events: [] }
    if (kept === null) return nothing
    const { record, contents } = kept
    // Only what makes an entry takes the replica along if it cannot be stored.
    if (head.version > this.#currentVersion) raised.add(sameness(record))
    else if (raised.has(sameness(record))) return nothing
    return { conflicts: [{ op: 'insert', record }], contents, events: [conflictDetected(record)] }
  }

  /** The same conflict holds all of it. */
  #goOn(
    { record, live, upTo, sides, incoming, granularities, expectation }: Continued,
    head: Head,
    content: Content,
  ): ReturnType<LiveMerge['after']> {
    const { author, raised } = this.#prepared
    const kept = concurrentEdit({
      id: record.id,
      at: record.detectedAt,
      head,
      author,
      base: { content: sides.base, ref: record.base },
      since: live.since,
      waited: live.waited === true,
      own: live.own,
      current: { version: upTo, content: sides.current },
      incoming,
      merged: content,
      granularities,
      expectation,
    })
    if (kept === null) return { conflicts: [], contents: new Map(), events: [] }
    const { proposals, revision } = record
    const updated = { ...kept.record, proposals, revision: revision + 1 }
    raised.add(sameness(updated))
    return { conflicts: [{ op: 'update', record: updated }], contents: kept.contents, events: [] }
  }
}
