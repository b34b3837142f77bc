import type { Content } from '../content/content.ts'
import type { ConflictId, DocumentId, Version } from '../foundation/ids.ts'
import type { ConflictRecord, ContentHash } from '../model/conflict.ts'
import type { Head } from '../model/document.ts'
import { toStorageError } from './sqlite/errors.ts'
import type { SqliteReader } from './sqliteReader.ts'
import type {
  Checkpoint,
  ConflictQuery,
  Entry,
  EntryEffect,
  HeadQuery,
  LogState,
  Snapshot,
  VersionFacts,
  StorageView,
} from './storage.ts'

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
    return this.ask((reader) => reader.documents.heads(query))
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
    return this.ask((reader) => reader.documents.formerClients(document))
  }

  async conflict(id: ConflictId): Promise<ConflictRecord | null> {
    return this.ask((reader) => reader.conflicts.conflict(id))
  }

  async conflicts(query: ConflictQuery): Promise<readonly ConflictRecord[]> {
    return this.ask((reader) => reader.conflicts.conflicts(query))
  }

  async openConflictCounts(documents: readonly DocumentId[]): Promise<ReadonlyMap<DocumentId, number>> {
    return this.ask((reader) => reader.conflicts.openConflictCounts(documents))
  }

  async content(hash: ContentHash): Promise<Content | null> {
    return this.ask((reader) => reader.conflicts.content(hash))
  }
}
