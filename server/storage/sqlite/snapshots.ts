import type Database from 'better-sqlite3'
import { type DocumentId, toVersion, type Version } from '../../foundation/ids.ts'
import { type Checkpoint, entryChecksum, type Snapshot } from '../log.ts'
import { damaged, exactBytes, packContent, type PackedContent, plainBytes, rowChecksum, unpackContent } from './row.ts'

/** A row of `checkpoints`. */
interface CheckpointRow extends PackedContent {
  readonly version: number
}

/** Throws `document-damaged`. */
function decodeCheckpoint(document: DocumentId, row: CheckpointRow): Checkpoint {
  const what = `The content of ${document} at version ${row.version}`
  return { version: toVersion(row.version), content: unpackContent([document, row.version], row, what) }
}

/** A row of `snapshots`. */
interface SnapshotRow {
  readonly version: number
  readonly checksum: number
  readonly state: Uint8Array
  /** Empty: not known. */
  readonly owners: Uint8Array
}

export function encodeSnapshot(document: DocumentId, snapshot: Snapshot): SnapshotRow {
  const { version, state, owners = new Uint8Array(0) } = snapshot
  const checksum = rowChecksum([document, version], state, owners)
  return { version, checksum, state: exactBytes(state), owners: exactBytes(owners) }
}

/** Throws `document-damaged`. */
export function decodeSnapshot(document: DocumentId, row: SnapshotRow): Snapshot {
  if (rowChecksum([document, row.version], row.state, row.owners) !== row.checksum) {
    throw damaged(`The snapshot of ${document} at version ${row.version}`)
  }
  const known = row.owners.length > 0 ? { owners: plainBytes(row.owners) } : {}
  return { version: toVersion(row.version), state: plainBytes(row.state), ...known }
}

/** What the writer is asked to do about snapshots by themselves. */
export interface SnapshotOperation {
  readonly op: 'snapshot'
  readonly document: DocumentId
  readonly row: SnapshotRow
  /** Of the update of the entry with the snapshot's version. */
  readonly entryChecksum: number
}

/** Keeps snapshots and checkpoints; knows nothing of transactions. */
export class SqliteSnapshotWriter {
  readonly #sql: ReturnType<typeof prepareWrites>

  constructor(connection: Database.Database) {
    this.#sql = prepareWrites(connection)
  }

  /** Replaces an older snapshot; one of an entry that is not in the log is left out. */
  keep({ document, row, entryChecksum: wanted }: SnapshotOperation): void {
    const entry = this.#sql.selectUpdate.get(document, row.version)
    if (entry === undefined || entryChecksum(entry.update_bytes) !== wanted) return
    this.#sql.upsertSnapshot.run(entry.document, row.version, row.checksum, row.state, row.owners)
  }

  /** A new life of the document begins. */
  forget(document: string): void {
    this.#sql.deleteSnapshot.run(document)
  }

  /** `json` is the content at the version. */
  keepCheckpoint(document: string, version: number, json: string): void {
    const packed = packContent([document, version], json)
    this.#sql.insertCheckpoint.run(document, version, packed.checksum, packed.content)
  }
}

/** Answers what is asked about snapshots and checkpoints. */
export class SqliteSnapshotReader {
  readonly #sql: ReturnType<typeof prepareReads>

  constructor(connection: Database.Database) {
    this.#sql = prepareReads(connection)
  }

  snapshot(document: DocumentId): Snapshot | null {
    const row = this.#sql.snapshot.get(document)
    return row === undefined ? null : decodeSnapshot(document, row)
  }

  checkpoint(document: DocumentId, version: Version): Checkpoint | null {
    const row = this.#sql.checkpoint.get(document, version)
    return row === undefined ? null : decodeCheckpoint(document, row)
  }
}

function prepareWrites(connection: Database.Database) {
  return {
    selectUpdate: connection.prepare<[id: string, version: number], { document: number; update_bytes: Uint8Array }>(
      `SELECT entry.document, update_bytes FROM documents JOIN single_entries AS entry ON entry.document = documents.key
       WHERE documents.id = ? AND entry.version = ? AND entry.version >= documents.first_version`,
    ),
    upsertSnapshot: connection.prepare<
      [document: number, version: number, checksum: number, state: Uint8Array, owners: Uint8Array]
    >(
      `INSERT INTO snapshots (document, version, checksum, state, owners) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (document) DO UPDATE
         SET version = excluded.version, checksum = excluded.checksum, state = excluded.state, owners = excluded.owners
         WHERE excluded.version >= snapshots.version`,
    ),
    deleteSnapshot: connection.prepare<[id: string]>(
      `DELETE FROM snapshots WHERE document = (SELECT key FROM documents WHERE id = ?)`,
    ),
    insertCheckpoint: connection.prepare<[id: string, version: number, checksum: number, content: Uint8Array]>(
      `INSERT INTO checkpoints (document, version, checksum, content) VALUES ((SELECT key FROM documents WHERE id = ?), ?, ?, ?)`,
    ),
  }
}

function prepareReads(connection: Database.Database) {
  return {
    snapshot: connection.prepare<[id: string], SnapshotRow>(
      `SELECT snapshots.version, snapshots.checksum, state, owners
       FROM snapshots JOIN documents ON documents.key = snapshots.document WHERE documents.id = ?`,
    ),
    checkpoint: connection.prepare<[id: string, version: number], CheckpointRow>(
      `SELECT checkpoints.version, checkpoints.checksum, content
       FROM checkpoints JOIN documents ON documents.key = checkpoints.document
       WHERE documents.id = ? AND checkpoints.version <= ? AND checkpoints.version > documents.erased
       ORDER BY checkpoints.version DESC LIMIT 1`,
    ),
  }
}
