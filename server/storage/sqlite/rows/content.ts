import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { Content } from '../../../content/content.ts'
import { inOrder } from '../../../content/order.ts'
import { toVersion, type DocumentId } from '../../../foundation/ids.ts'
import { damaged, rowChecksum } from '../row.ts'
import type { Checkpoint, Snapshot } from '../../storage.ts'
import { exactBytes, plainBytes } from './bytes.ts'
import { parseStored } from './json.ts'

/** All other acts wait for the one that is being packed: speed comes before the last tenth in size. */
const DEFLATE_LEVEL = 1

/** A content as it is kept. `name` is what it is kept under, so that it cannot pass for another. */
export interface PackedContent {
  readonly content: Uint8Array
  readonly checksum: number
}

/** Packs the JSON of a content. */
export function packContent(name: readonly (string | number)[], json: string): PackedContent {
  const content = deflateRawSync(json, { level: DEFLATE_LEVEL })
  return { content, checksum: rowChecksum(name, content) }
}

/** Throws `document-damaged`; `what` says of what. */
export function unpackContent(name: readonly (string | number)[], packed: PackedContent, what: string): Content {
  if (rowChecksum(name, packed.content) !== packed.checksum) throw damaged(what)
  // Those of before the order of members was fixed have another.
  return inOrder(parseStored<Content>(inflateRawSync(packed.content).toString()))
}

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
