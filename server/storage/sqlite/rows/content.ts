import { type PackedContent, unpackContent, damaged, rowChecksum, exactBytes, plainBytes } from '../row.ts'
import { toVersion, type DocumentId } from '../../../foundation/ids.ts'
import type { Checkpoint, Snapshot } from '../../storage.ts'

/** A row of `checkpoints`. */
export interface CheckpointRow extends PackedContent {
  readonly version: number
}

/** Throws `document-damaged`. */
export function decodeCheckpoint(document: DocumentId, row: CheckpointRow): Checkpoint {
  const what = `The content of ${document} at version ${row.version}`
  return { version: toVersion(row.version), content: unpackContent([document, row.version], row, what) }
}

/** A row of `snapshots`. */
export interface SnapshotRow {
  readonly version: number
  readonly checksum: number
  readonly state: Uint8Array
}

export function encodeSnapshot(document: DocumentId, snapshot: Snapshot): SnapshotRow {
  const { version } = snapshot
  return { version, checksum: rowChecksum([document, version], snapshot.state), state: exactBytes(snapshot.state) }
}

/** Throws `document-damaged`. */
export function decodeSnapshot(document: DocumentId, row: SnapshotRow): Snapshot {
  if (rowChecksum([document, row.version], row.state) !== row.checksum) {
    throw damaged(`The snapshot of ${document} at version ${row.version}`)
  }
  return { version: toVersion(row.version), state: plainBytes(row.state) }
}
