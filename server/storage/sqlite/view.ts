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
import { type IdRange, idRanges } from '../idRanges.ts'
import type { LogState, VersionFacts } from '../history.ts'
import type { Checkpoint, Entry, EntryEffect, Snapshot } from '../log.ts'
import type { Revocation } from '../revocations.ts'
import type { PeopleQuery, Person } from '../people.ts'
import type { StorageView } from '../view.ts'
import type { WaitingEdits, WaitingFacts, WaitingQuery } from '../waiting.ts'
import type { DeliveryQuery } from '../webhooks.ts'
import type { HeadStep, SqliteDocumentReader } from './documents.ts'
import { toStorageError } from './errors.ts'
import type { EventStep } from './feed.ts'
import type { VersionStep } from './history.ts'
import type { SqliteReader } from './reader.ts'
import { STEP_ROWS } from './row.ts'

/** To ask for a range of ids at all takes as long as to look at so many rows, and a token may have thousands. */
const RANGE_ROWS = 16

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
        const step: HeadStep = this.#headStep(range, { after, room, limit: query.limit - found.length })
        found.push(...step.heads)
        if (found.length >= query.limit) return found
        room -= RANGE_ROWS + step.rows
        after = step.after
      }
    }
    return found
  }

  #headStep(range: IdRange, step: { after: string; room: number; limit: number }): HeadStep {
    return this.ask((reader) => reader.documents.heads(range, step))
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
      const step = this.#versionStep(document, after, end, limit - found.length)
      found.push(...step.versions)
      if (step.upTo === null || found.length >= limit) return found
      await yieldTurn()
      // Rows on both sides may have become one meanwhile, and none of it would be listed.
      const isStill = (await this.versionAt(document, step.upTo))?.version === step.upTo
      if (!isStill) found.length = 0
      end = isStill ? step.upTo : upTo
    }
  }

  #versionStep(document: DocumentId, after: Version, upTo: Version, limit: number): VersionStep {
    return this.ask((reader) => reader.history.versions(document, after, upTo, limit))
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
    const found = new Map<number, number>()
    for (let after: number | null = null; ;) {
      const step = this.#clientStep(document, after)
      for (const { client, clock } of step.clients) found.set(client, clock)
      if (step.after === null) return found
      after = step.after
      await yieldTurn()
    }
  }

  #clientStep(document: DocumentId, after: number | null): ReturnType<SqliteDocumentReader['formerClients']> {
    return this.ask((reader) => reader.documents.formerClients(document, after))
  }

  async conflict(id: ConflictId): Promise<ConflictRecord | null> {
    return this.ask((reader) => reader.conflicts.conflict(id))
  }

  async conflicts(query: ConflictQuery): Promise<readonly ConflictRecord[]> {
    const found: ConflictRecord[] = []
    for (let { before } = query; ;) {
      const limit = query.limit - found.length
      const step = this.ask((reader) => reader.conflicts.conflicts({ ...query, before, limit }))
      found.push(...step.records)
      if (step.before === null || found.length >= query.limit) return found
      before = step.before
      await yieldTurn()
    }
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
    const found: StoredEvent[] = []
    for (let at: number = after; ;) {
      const step: EventStep = this.#eventStep(at, limit - found.length)
      found.push(...step.events)
      if (step.after === null || found.length >= limit) return found
      at = step.after
      await yieldTurn()
    }
  }

  #eventStep(after: number, limit: number): EventStep {
    return this.ask((reader) => reader.feed.events(after, limit))
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
