import type { Content } from '../content/content.ts'
import { expectLive, type LiveExpectation } from '../content/liveMerge.ts'
import { mergeJson } from '../content/mergeJson.ts'
import { toPointer } from '../content/pointer.ts'
import type { Knowledge } from '../documents/clientKnowledge.ts'
import type { Head } from '../documents/document.ts'
import { divide, mayMatter, withEvidence } from '../documents/knowledge.ts'
import type { LiveMerge, Replica } from '../documents/replica.ts'
import { workOutReturn, type Returned } from '../documents/returned.ts'
import { invariant } from '../foundation/assert.ts'
import type { Environment } from '../foundation/environment.ts'
import type { PrincipalId, Version } from '../foundation/ids.ts'
import { yieldTurn } from '../foundation/turns.ts'
import { conflictDetected } from '../notifications/events.ts'
import type { Storage } from '../storage/storage.ts'
import { concurrentEdit, type Forms } from './concurrentEdit.ts'
import type { ConflictRecord } from './conflict.ts'
import { newConflictId } from './ids.ts'

/** Conflicts of an author in a document that edits are compared with, and those remembered of a replica. */
const COMPARED_CONFLICTS = 100

/** Edits of a client that did not know everything the document holds. */
export interface Return {
  readonly author: PrincipalId
  readonly knowledge: Knowledge
  /** Everything it brings, as one update. */
  readonly update: Uint8Array
}

/** Judges what becomes of edits that were made without knowledge of others' (SPEC CONF-6). */
export class ReturnJudge {
  readonly #storage: Storage
  readonly #environment: Environment
  /** What was raised on a replica may not be on disk yet; if it never gets there, the replica is gone. */
  readonly #raised = new WeakMap<Replica, Set<string>>()

  constructor(storage: Storage, environment: Environment) {
    this.#storage = storage
    this.#environment = environment
  }

  /**
   * Works out both sides of the return; what it answers judges the merge when it is applied. Null where the
   * client knew everything that counts. Rejects as `workOutReturn` does, or with what ended the replica.
   */
  async prepare(replica: Replica, returned: Return): Promise<LiveMerge | null> {
    const storage = this.#storage
    const found = await divide(storage, replica, returned.knowledge)
    const divided = withEvidence(found, returned.update)
    const unseen = divided.later.filter((entry) => entry.known !== 'all')
    if (unseen.length === 0 || !mayMatter(replica.doc, divided, returned.update)) return null
    const sides = await workOutReturn(storage, replica.head, { ...returned, divide: divided })
    const own = divided.later.filter((entry) => entry.known === 'all').map((entry) => entry.version)
    const raised = await this.#raisedOn(replica, returned.author)
    await yieldTurn()
    // Most of the work, for which there is time here: the merge and its judgement are one tick.
    const expectation = expectLive({ base: sides.base, current: replica.content(), incoming: sides.incoming })
    await yieldTurn()
    const { author } = returned
    return new Merge({ sides, since: divided.prefix, own, raised, author, expectation }, this.#environment)
  }

  /**
   * What was raised by edits of the author before. A client whose edits the server has kept and taken in (LOCK-4) brings
   * them once more when it comes back, and Yjs does not keep who else deleted what was deleted already.
   */
  async #raisedOn(replica: Replica, author: PrincipalId): Promise<Set<string>> {
    const raised = this.#raised.get(replica) ?? new Set()
    this.#raised.set(replica, raised)
    const kinds = ['concurrent-edit'] as const
    const query = { patterns: [{ exact: replica.id }], kinds, author, before: null, limit: COMPARED_CONFLICTS }
    const stored = await this.#storage.conflicts(query)
    if (raised.size > COMPARED_CONFLICTS) raised.clear()
    for (const record of stored) raised.add(sameness(record))
    return raised
  }
}

interface Prepared {
  readonly sides: Returned
  readonly since: Version
  readonly own: readonly Version[]
  /** `sameness` of what was raised before. */
  readonly raised: Set<string>
  readonly author: PrincipalId
  readonly expectation: LiveExpectation | null
}

/** Two records of the same author in one document that agree in this come of the same edits. */
const sameness = ({ author, live, incoming }: ConflictRecord): string =>
  JSON.stringify([author, live?.since ?? null, incoming.hash])

class Merge implements LiveMerge {
  readonly #prepared: Prepared
  readonly #environment: Environment
  #current: { readonly version: Version; readonly content: Content } | null = null
  #forms: Forms = { texts: [], wholes: [] }

  constructor(prepared: Prepared, environment: Environment) {
    this.#prepared = prepared
    this.#environment = environment
  }

  before(head: Head, content: Content, sharedAt: Returned['sharedAt']): void {
    this.#current = { version: head.version, content }
    this.#forms = formsOf(this.#prepared.sides, content, sharedAt)
  }

  after(head: Head, content: Content, at: number): ReturnType<LiveMerge['after']> {
    const { sides, since, own, author, raised, expectation } = this.#prepared
    invariant(this.#current !== null, 'a merge is looked at before and after')
    const kept = concurrentEdit({
      id: newConflictId(this.#environment),
      at,
      head,
      author,
      base: { content: sides.base, version: sides.baseVersion },
      since,
      own,
      current: this.#current,
      incoming: sides.incoming,
      merged: content,
      forms: this.#forms,
      expectation,
    })
    const nothing = { conflicts: [], contents: new Map(), events: [] }
    if (kept === null) return nothing
    const { record, contents } = kept
    // Only what makes an entry takes the replica along if it cannot be stored.
    if (head.version > this.#current.version) raised.add(sameness(record))
    else if (raised.has(sameness(record))) return nothing
    return { conflicts: [{ op: 'insert', record }], contents, events: [conflictDetected(record)] }
  }
}

/**
 * Where both sides changed a shared text, which is compared by lines, and where they hold different things: the
 * other side replaced what one edited, or plain values, of which a live edit replaces the whole.
 */
function formsOf({ base, incoming, sharedAt }: Returned, current: Content, currentAt: Returned['sharedAt']): Forms {
  const forms = { texts: new Array<string>(), wholes: new Array<string>() }
  if (typeof base === 'string' || typeof current === 'string' || typeof incoming === 'string') return forms
  const keepCurrent = (): 'current' => 'current'
  mergeJson(base, current, incoming, keepCurrent, (path, incomingPath) => {
    const [here, there] = [currentAt(path), sharedAt(incomingPath)]
    if (here === null || here.id !== there?.id) {
      forms.wholes.push(toPointer(path))
      return 'whole'
    }
    if (here.isText) forms.texts.push(toPointer(path))
    return here.isText ? 'lines' : 'parts'
  })
  return forms
}
