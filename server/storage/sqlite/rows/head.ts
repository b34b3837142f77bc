import type { Kind } from '../../../content/content.ts'
import type { ConflictPolicy, Head, JsonSchema } from '../../../model/document.ts'
import { toIncarnation, toPrincipalId, toVersion, trustedDocumentId } from '../../../foundation/ids.ts'
import { damaged, rowChecksum, parseStored } from '../row.ts'

/** A row of `documents`; the schema is JSON. */
export interface HeadRow {
  readonly id: string
  readonly incarnation: string
  readonly kind: Kind
  readonly root: string
  readonly conflict_policy: ConflictPolicy
  readonly schema: string | null
  readonly version: number
  readonly first_version: number
  readonly created_at: number
  readonly created_by: string
  readonly updated_at: number
  readonly updated_by: string
  readonly deleted_at: number | null
  readonly checksum: number
}

/** Before the writer has summed it up. */
export type NewHeadRow = Omit<HeadRow, 'checksum'>

export function encodeHead(head: Head): NewHeadRow {
  return {
    id: head.id,
    incarnation: head.incarnation,
    kind: head.kind,
    root: head.root,
    conflict_policy: head.conflictPolicy,
    schema: head.schema === null ? null : JSON.stringify(head.schema),
    version: head.version,
    first_version: head.firstVersion,
    created_at: head.createdAt,
    created_by: head.createdBy,
    updated_at: head.updatedAt,
    updated_by: head.updatedBy,
    deleted_at: head.deletedAt,
  }
}

/** Throws `document-damaged`. */
export function decodeHead(row: HeadRow): Head {
  if (headChecksum(row) !== row.checksum) throw damaged(`The head of ${row.id}`)
  return {
    id: trustedDocumentId(row.id),
    incarnation: toIncarnation(row.incarnation),
    kind: row.kind,
    root: row.root,
    conflictPolicy: row.conflict_policy,
    schema: row.schema === null ? null : parseStored<JsonSchema>(row.schema),
    version: toVersion(row.version),
    firstVersion: toVersion(row.first_version),
    createdAt: row.created_at,
    createdBy: toPrincipalId(row.created_by),
    updatedAt: row.updated_at,
    updatedBy: toPrincipalId(row.updated_by),
    deletedAt: row.deleted_at,
  }
}

export function headChecksum(row: NewHeadRow): number {
  const fields = [
    row.id,
    row.incarnation,
    row.kind,
    row.root,
    row.conflict_policy,
    row.version,
    row.first_version,
    row.created_at,
    row.created_by,
    row.updated_at,
    row.updated_by,
    row.deleted_at,
  ]
  return rowChecksum(fields, row.schema ?? '')
}
