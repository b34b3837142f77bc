/** What an act is made of, row by row, and how they are written: all of them or none. */
import { invariant } from '../../foundation/assert.ts'
import type { Act, Append } from '../act.ts'
import type { LockWrite } from '../locks.ts'
import type { Standing } from '../log.ts'
import type { Actor } from '../people.ts'
import { encodeAnswer, type WithAnswer } from './answers.ts'
import {
  type ConflictWriteRow,
  type ContentJson,
  encodeConflictWrite,
  encodeContents,
  type SqliteConflictWriter,
} from './conflicts.ts'
import { encodeHead, type HeadMove, type NewHeadRow, type SqliteDocumentWriter } from './documents.ts'
import { encodeEvent, type NewEventRow, type SqliteFeedWriter } from './feed.ts'
import type { SqliteExpiringWriter } from './expiring.ts'
import { encodePass, type SqliteLockWriter } from './locks.ts'
import { encodeEntry, type NewEntryRow, type SqliteLogWriter } from './log.ts'
import type { SqlitePeopleWriter } from './people.ts'
import type { SqlitePurgeWriter } from './purges.ts'
import { ROW_BYTES } from './row.ts'
import type { SqliteSnapshotWriter } from './snapshots.ts'
import type { SqliteWaitingWriter } from './waiting.ts'

/**
 * What the writer is asked to do for an act. What there is none of is left out, because each member is copied into the
 * writer's thread, and most acts are one entry and nothing else.
 */
export interface ActOperation {
  readonly op: 'act'
  readonly at: number
  readonly appends?: readonly AppendRow[]
  readonly conflicts?: readonly ConflictWriteRow[]
  readonly contents?: readonly ContentJson[]
  readonly events?: readonly NewEventRow[]
  readonly locks?: readonly LockWrite[]
  readonly settles?: readonly number[]
  /** Heads of documents that are purged. */
  readonly purges?: readonly NewHeadRow[]
  readonly onto?: readonly Standing[]
  readonly people?: readonly Actor[]
}

interface AppendRow extends HeadMove {
  readonly entry: NewEntryRow
  /** JSON; the writer packs it. */
  readonly checkpoint?: string
  readonly formerClients?: readonly (readonly [client: number, clock: number])[]
}

/** The rows of an act. Throws where it breaks the rules of the port, which is a bug of the caller. */
export function encodeAct(act: Act): ActOperation & WithAnswer {
  const { at, appends, conflicts, contents, events, locks, settles, purges, onto, people, answer } = act
  const changed = conflicts.map(encodeConflictWrite)
  // Member by member: to leave some out of a literal takes several times as long.
  const made: Writable<ActOperation & WithAnswer> = { op: 'act', at }
  if (appends.length > 0) made.appends = appends.map(encodeAppend)
  if (changed.length > 0) made.conflicts = changed
  if (contents.size > 0) made.contents = encodeContents(contents, changed)
  if (events.length > 0) made.events = events.map(encodeEvent)
  if (hasAny(locks)) made.locks = locks
  if (hasAny(settles)) made.settles = settles
  if (hasAny(purges)) made.purges = purges.map(encodeHead)
  if (hasAny(onto)) made.onto = onto
  if (hasAny(people)) made.people = people
  if (answer !== undefined) made.answer = encodeAnswer(answer)
  return made
}

type Writable<T> = { -readonly [Member in keyof T]: T[Member] }

const hasAny = <T>(list: readonly T[] | undefined): list is readonly T[] => list !== undefined && list.length > 0

function encodeAppend(append: Append): AppendRow {
  const { head, entry, expected } = append
  invariant(entry.version === head.version, 'the head is at the version of its entry')
  invariant(entry.version === expected + 1, 'an entry takes the version after the expected one')
  return {
    expected,
    isStep: append.keepsSettings === true && append.onto === undefined && !append.pass?.tokenHash,
    ...(append.onto !== undefined && { onto: append.onto }),
    ...(append.pass !== undefined && { pass: encodePass(append.pass) }),
    head: encodeHead(head),
    entry: encodeEntry(entry),
    ...(append.checkpoint !== undefined && { checkpoint: JSON.stringify(append.checkpoint) }),
    ...(append.formerClients !== undefined && { formerClients: [...append.formerClients] }),
  }
}

/** About how many bytes an act holds while it waits. */
export function actBytes(operation: ActOperation): number {
  let bytes = ROW_BYTES
  for (const { head, entry, checkpoint } of operation.appends ?? []) {
    bytes += ROW_BYTES + entry.update_bytes.byteLength
    bytes += (entry.effect?.length ?? 0) + (checkpoint?.length ?? 0) + (head.schema?.length ?? 0)
  }
  for (const conflict of operation.conflicts ?? []) bytes += ROW_BYTES + conflict.row.record.length
  for (const content of operation.contents ?? []) bytes += ROW_BYTES + content.json.length
  for (const event of operation.events ?? []) bytes += ROW_BYTES + event.data.length
  return bytes
}

/** Why an act does not stand. */
export type ActRefusal =
  | { readonly status: 'stale'; readonly document: string; readonly version: number }
  | { readonly status: 'locked' | 'lock-moved'; readonly document: string }
  | { readonly status: 'conflict-moved'; readonly conflict: string }
  | { readonly status: 'settled' }

/** `value` is the sequence of the first event; 0 where there is none. */
type ActDone = { readonly status: 'done'; readonly value: number; readonly lockExpiresAt?: number }

/** What an act writes to. */
interface ActTables {
  readonly documents: SqliteDocumentWriter
  readonly log: SqliteLogWriter
  readonly snapshots: SqliteSnapshotWriter
  readonly conflicts: SqliteConflictWriter
  readonly expiring: SqliteExpiringWriter
  readonly feed: SqliteFeedWriter
  readonly locks: SqliteLockWriter
  readonly waiting: SqliteWaitingWriter
  readonly purges: SqlitePurgeWriter
  readonly people: SqlitePeopleWriter
}

/** Writes acts; knows nothing of transactions: what it refuses is to be taken back. */
export class SqliteActWriter {
  readonly #to: ActTables

  constructor(to: ActTables) {
    this.#to = to
  }

  write(act: ActOperation): ActDone | ActRefusal {
    const lost = act.onto?.find((standing) => !this.#to.log.stands(standing))
    if (lost !== undefined) return this.#stale(lost.document)
    for (const append of act.appends ?? []) {
      const refusal = this.#append(append)
      if (refusal !== null) return refusal
    }
    if (act.settles?.every((position) => this.#to.waiting.settle(position)) === false) return { status: 'settled' }
    for (const write of act.conflicts ?? []) {
      if (!this.#to.conflicts.write(write, act.contents ?? []))
        return { status: 'conflict-moved', conflict: write.row.id }
    }
    this.#followExpiry(act)
    const value = this.#to.feed.append(act.at, act.events ?? [])
    let lockExpiresAt = 0
    for (const write of act.locks ?? []) {
      const expiresAt = this.#to.locks.run(write)
      if (expiresAt === null) return { status: 'lock-moved', document: write.document }
      lockExpiresAt = expiresAt
    }
    for (const actor of act.people ?? []) this.#to.people.keep(actor)
    const refused = act.purges?.find((head) => !this.#to.purges.begin(head))
    if (refused !== undefined) return this.#stale(refused.id)
    return { status: 'done', value, ...(lockExpiresAt === 0 ? {} : { lockExpiresAt }) }
  }

  /** What refuses it, null if nothing did. A lock is refused before a version (SPEC API-4). */
  #append(append: AppendRow): ActRefusal | null {
    const { head, entry, checkpoint, formerClients = [] } = append
    const moved = this.#to.documents.move(append)
    if (moved === 'locked') return { status: 'locked', document: head.id }
    if (moved === 'stale') return this.#stale(head.id)
    this.#to.log.insert(head.id, entry, this.#to.documents.keyOf(head.id))
    if (checkpoint !== undefined) this.#to.snapshots.keepCheckpoint(head.id, entry.version, checkpoint)
    if (head.deleted_at !== null) this.#to.waiting.forget(head.id)
    this.#to.documents.keepFormerClients(head.id, formerClients)
    if (head.version === head.first_version) this.#to.snapshots.forget(head.id)
    return null
  }

  /** Comes after the conflicts of the act: what it closes is left to nobody. */
  #followExpiry({ appends = [], conflicts = [] }: ActOperation): void {
    const expired = conflicts.filter(({ row }) => row.status === 'expired').map(({ row }) => row.document)
    for (const document of new Set(expired)) this.#to.expiring.end(document)
    for (const { head } of appends) if (head.deleted_at !== null) this.#to.expiring.begin(head)
  }

  #stale(document: string): ActRefusal {
    return { status: 'stale', document, version: this.#to.documents.version(document) }
  }
}
