import type { ConflictRecord, ContentHash } from '../../../model/conflict.ts'
import { damaged, rowChecksum, parseStored } from '../row.ts'

/** What of a row of `conflicts` is the conflict itself; the other columns repeat it for queries. */
export interface RecordRow {
  readonly id: string
  readonly checksum: number
  readonly record: string
}
export interface ConflictRow extends RecordRow {
  readonly document: string
  readonly kind: string
  readonly status: string
  readonly author: string
  readonly revision: number
  readonly detected_at: number
  readonly closed_at: number | null
}

export function encodeConflict(record: ConflictRecord): ConflictRow {
  const json = JSON.stringify(record)
  return {
    id: record.id,
    document: record.document,
    kind: record.kind,
    status: record.state.status,
    author: record.author,
    revision: record.revision,
    detected_at: record.detectedAt,
    closed_at: record.state.status === 'open' ? null : record.state.closedAt,
    checksum: rowChecksum([record.id], json),
    record: json,
  }
}

/** Throws `document-damaged`. */
export function decodeConflict(row: RecordRow): ConflictRecord {
  if (rowChecksum([row.id], row.record) !== row.checksum) throw damaged(`Conflict ${row.id}`)
  return parseStored<ConflictRecord>(row.record)
}

/** The stored contents a conflict refers to, each once. */
export function referredContents(record: ConflictRecord): readonly ContentHash[] {
  const sides = [record.base, record.current, record.incoming, ...record.proposals]
  const hashes = sides.map((side) => side.hash).filter((hash) => hash !== null)
  return [...new Set(hashes)]
}

/** The versions a conflict refers to: those of its sides, where a return began, and where pending proposals were made. */
export function referredVersions(record: ConflictRecord): readonly number[] {
  const sides = [record.base, record.current, record.incoming].map((side) => side.version ?? 0)
  const proposals = record.proposals.filter((proposal) => proposal.status === 'pending')
  const versions = [...sides, record.live?.since ?? 0, ...proposals.map((proposal) => proposal.baseVersion)]
  return [...new Set(versions)].filter((version) => version > 0)
}
