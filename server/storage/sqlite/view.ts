import type { Content } from '../../content/content.ts'
import type { StoredAnswer } from '../../foundation/answer.ts'
import type { ConflictId, DocumentId, PrincipalId, Sequence, Version } from '../../foundation/ids.ts'
import { yieldTurn } from '../../foundation/turns.ts'
import type { ConflictRecord, ContentHash } from '../../model/conflict.ts'
import type { Head } from '../../model/document.ts'
import type { StoredEvent } from '../../model/event.ts'
import type { HeldLock, LapsedLock, LockState } from '../../model/lock.ts'
import type { StoredDelivery, StoredWebhook, WebhookId } from '../../model/webhook.ts'
import type { ConflictQuery } from '../conflicts.ts'
import type { HeadQuery } from '../documents.ts'
import { idRanges } from '../idRanges.ts'
import type { LogState, VersionFacts } from '../history.ts'
import type { Checkpoint, Entry, EntryEffect, Snapshot } from '../log.ts'
import type { Revocation } from '../revocations.ts'
import type { PeopleQuery, Person } from '../people.ts'
import type { StorageView } from '../view.ts'
import type { WaitingEdits, WaitingFacts, WaitingQuery } from '../waiting.ts'
import type { DeliveryQuery } from '../webhooks.ts'
import type { HeadStep, HeadsWanted, SqliteDocumentReader } from './documents.ts'
import { toStorageError } from './errors.ts'
import type { SqliteReader } from './reader.ts'
import { type StorageStep, STEP_ROWS } from './row.ts'

/** To ask for a range of ids at all takes as long as to look at so many rows, and a token may have thousands. */
const RANGE_ROWS = 16
/** Client ids are not negative. */
const BEFORE_ALL_CLIENTS = -1

/** The questions of a `StorageView`, each answered by a reader. */
export abstract class SqliteView implements StorageView {
  readonly epoch: string

  constructor(epoch: string) {
    this.epoch = epoch
  }

  abstract read<T>(question: (view: StorageView) => Promise<T>): Promise<T>

  /** The reader to ask now. Throws where there is none any more. */
  protected abstract reader(): SqliteReader

  protected ask<T>(question: (reader: SqliteReader) => T): T {
    const reader = this.reader()
    try {
      return question(reader)
    } catch (error) {
      throw toStorageError(error)
    }
  }

  /** Up to `limit` of what is found from a place on; everything else that is ready goes first between two steps. */
  async #stepByStep<Found, Place>(
    first: Place,
    limit: number,
    step: (reader: SqliteReader, at: Place, room: number) => StorageStep<Found, Place & {}>,
  ): Promise<Found[]> {
    const all: Found[] = []
    for (let at = first; ;) {
      const { found, next } = this.ask((reader) => step(reader, at, limit - all.length))
      all.push(...found)
      if (next === null || all.length >= limit) return all
      at = next
      await yieldTurn()
    }
  }

  async head(document: DocumentId): Promise<Head | null> {
    return this.ask((reader) => reader.documents.head(document))
  }

  async heads(query: HeadQuery): Promise<readonly Head[]> {
    const found: Head[] = []
    let room = STEP_ROWS
    for (const range of idRanges(query.patterns)) {
      let after: string | null = query.after ?? ''
      while (after !== null) {
        if (room <= 0) {
          await yieldTurn()
          room = STEP_ROWS
        }
        const wanted: HeadsWanted = { after, room, limit: query.limit - found.length }
        const step: HeadStep = this.ask((reader) => reader.documents.heads(range, wanted))
        found.push(...step.found)
        if (found.length >= query.limit) return found
        room -= RANGE_ROWS + step.rows
        after = step.next
      }
    }
    return found
  }

  async snapshot(document: DocumentId): Promise<Snapshot | null> {
    return this.ask((reader) => reader.snapshots.snapshot(document))
  }

  async entries(document: DocumentId, after: Version, upTo: Version, limit: number): Promise<readonly Entry[]> {
    return this.ask((reader) => reader.log.entries(document, { after, upTo, limit }))
  }

  async effects(document: DocumentId, after: Version, upTo: Version, limit: number): Promise<readonly EntryEffect[]> {
    return this.ask((reader) => reader.log.effects(document, { after, upTo, limit }))
  }

  async checkpoint(document: DocumentId, version: Version): Promise<Checkpoint | null> {
    return this.ask((reader) => reader.snapshots.checkpoint(document, version))
  }

  async versions(document: DocumentId, after: Version, upTo: Version, limit: number): Promise<readonly VersionFacts[]> {
    const found: VersionFacts[] = []
    for (let end = upTo; ;) {
      const room = limit - found.length
      const { found: newest, next } = this.ask((reader) => reader.history.versions(document, after, end, room))
      found.push(...newest)
      if (next === null || found.length >= limit) return found
      await yieldTurn()
      // Rows on both sides may have become one meanwhile, and none of it would be listed.
      const isStill = (await this.versionAt(document, next))?.version === next
      if (!isStill) found.length = 0
      end = isStill ? next : upTo
    }
  }

  async versionAt(document: DocumentId, version: Version): Promise<VersionFacts | null> {
    return this.ask((reader) => reader.history.versionAt(document, version))
  }

  async pinned(document: DocumentId, after: Version, upTo: Version): Promise<ReadonlySet<Version>> {
    return this.ask((reader) => reader.history.pinned(document, after, upTo))
  }

  async logStates(after: DocumentId | null, limit: number): Promise<readonly LogState[]> {
    return this.ask((reader) => reader.history.logStates(after, limit))
  }

  async logState(document: DocumentId): Promise<LogState | null> {
    return this.ask((reader) => reader.history.logState(document))
  }

  async logStart(document: DocumentId): Promise<Version> {
    return this.ask((reader) => reader.history.logStart(document))
  }

  async formerClients(document: DocumentId): Promise<ReadonlyMap<number, number>> {
    const clocks = new Map<number, number>()
    for (let after = BEFORE_ALL_CLIENTS; ;) {
      const { found, next } = this.#clientStep(document, after)
      for (const { client, clock } of found) clocks.set(client, clock)
      if (next === null) return clocks
      after = next
      await yieldTurn()
    }
  }

  #clientStep(document: DocumentId, after: number): ReturnType<SqliteDocumentReader['formerClients']> {
    return this.ask((reader) => reader.documents.formerClients(document, after))
  }

  async conflict(id: ConflictId): Promise<ConflictRecord | null> {
    return this.ask((reader) => reader.conflicts.conflict(id))
  }

  async conflicts(query: ConflictQuery): Promise<readonly ConflictRecord[]> {
    return this.#stepByStep(query.before, query.limit, (reader, before, limit) =>
      reader.conflicts.conflicts({ ...query, before, limit }),
    )
  }

  async expiringDocuments(): Promise<readonly DocumentId[]> {
    return this.ask((reader) => reader.conflicts.expiringDocuments())
  }

  async expiringConflicts(document: DocumentId, limit: number): Promise<readonly ConflictRecord[]> {
    return this.ask((reader) => reader.conflicts.expiringConflicts(document, limit))
  }

  async openConflictCounts(documents: readonly DocumentId[]): Promise<ReadonlyMap<DocumentId, number>> {
    return this.ask((reader) => reader.conflicts.openConflictCounts(documents))
  }

  async content(conflict: ConflictId | null, hash: ContentHash): Promise<Content | null> {
    return this.ask((reader) => reader.conflicts.content(conflict, hash))
  }

  async people(document: DocumentId, query: PeopleQuery): Promise<readonly Person[]> {
    return this.ask((reader) => reader.people.people(document, query))
  }

  async updaterNames(documents: readonly DocumentId[]): Promise<ReadonlyMap<DocumentId, string>> {
    return this.ask((reader) => reader.people.updaterNames(documents))
  }

  async unfinishedPurges(): Promise<readonly DocumentId[]> {
    return this.ask((reader) => reader.purges.unfinished())
  }

  async lock(document: DocumentId): Promise<LockState> {
    return this.ask((reader) => reader.locks.lock(document))
  }

  async locks(documents: readonly DocumentId[]): Promise<ReadonlyMap<DocumentId, HeldLock>> {
    return this.ask((reader) => reader.locks.locks(documents))
  }

  async nextLocks(limit: number): Promise<readonly { document: DocumentId; lock: HeldLock | LapsedLock }[]> {
    return this.ask((reader) => reader.locks.nextLocks(limit))
  }

  async waiting(query: WaitingQuery): Promise<readonly WaitingFacts[]> {
    return this.ask((reader) => reader.waiting.list(query))
  }

  async waitingEdits(position: number): Promise<WaitingEdits | null> {
    return this.ask((reader) => reader.waiting.edits(position))
  }

  async events(after: Sequence, limit: number): Promise<readonly StoredEvent[]> {
    return this.#stepByStep<StoredEvent, number>(after, limit, (reader, at, room) => reader.feed.events(at, room))
  }

  async eventRange(): Promise<{ readonly first: Sequence; readonly last: Sequence }> {
    return this.ask((reader) => reader.feed.eventRange())
  }

  async eventMark(sequence: Sequence): Promise<string> {
    return this.ask((reader) => reader.feed.eventMark(sequence))
  }

  async answer(principal: PrincipalId, key: string): Promise<StoredAnswer | null> {
    return this.ask((reader) => reader.answers.answer(principal, key))
  }

  async revocations(since: number): Promise<readonly Revocation[]> {
    return this.ask((reader) => reader.revocations.revocations(since))
  }

  async webhooks(): Promise<readonly StoredWebhook[]> {
    return this.ask((reader) => reader.webhooks.webhooks())
  }

  async webhook(id: WebhookId): Promise<StoredWebhook | null> {
    return this.ask((reader) => reader.webhooks.webhook(id))
  }

  async pendingDeliveries(id: WebhookId): Promise<readonly StoredDelivery[]> {
    return this.ask((reader) => reader.webhooks.pendingDeliveries(id))
  }

  async delivery(id: WebhookId, message: string): Promise<StoredDelivery | null> {
    return this.ask((reader) => reader.webhooks.delivery(id, message))
  }

  async deliveries(id: WebhookId, query: DeliveryQuery): Promise<readonly StoredDelivery[]> {
    return this.ask((reader) => reader.webhooks.deliveries(id, query))
  }
}
