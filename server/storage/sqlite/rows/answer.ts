import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { StoredAnswer } from '../../../foundation/answer.ts'
import { toPrincipalId } from '../../../foundation/ids.ts'
import { damaged, rowChecksum, parseStored } from '../row.ts'

/** As for contents: all other acts wait for the one that is being packed. */
const DEFLATE_LEVEL = 1

/** A row of `answers` as it is handed to the writer, which packs the body. */
export interface NewAnswerRow {
  readonly principal: string
  readonly key: string
  readonly at: number
  readonly expires_at: number
  readonly record: string
  readonly documents: readonly { readonly id: string; readonly shownVersion: number | null }[]
  readonly body: string | null
}

/** A row of `answers` as it is stored. */
export interface AnswerRow {
  readonly principal: string
  readonly key: string
  readonly at: number
  readonly expires_at: number
  readonly checksum: number
  readonly record: string
  readonly body: Uint8Array | null
}

type KeptAnswer = Pick<StoredAnswer, 'fingerprint' | 'documents' | 'needs' | 'contents' | 'status' | 'headers'>

export function encodeAnswer(answer: StoredAnswer): NewAnswerRow {
  const { principal, key, at, expiresAt, body, fingerprint, documents, needs, contents, status, headers } = answer
  const kept: KeptAnswer = {
    fingerprint,
    documents,
    ...(needs && { needs }),
    ...(contents && { contents }),
    status,
    headers,
  }
  const shown = new Map(contents?.map(({ document, version }) => [document, version]))
  return {
    principal,
    key,
    at,
    expires_at: expiresAt,
    record: JSON.stringify(kept),
    documents: documents.map((id) => ({ id, shownVersion: shown.get(id) ?? null })),
    body,
  }
}

export function packAnswer(row: NewAnswerRow): AnswerRow {
  const { documents: _, ...rest } = row
  const body = row.body === null ? null : deflateRawSync(row.body, { level: DEFLATE_LEVEL })
  const packed = { ...rest, body }
  return { ...packed, checksum: checksumOf(packed) }
}

/** Throws `document-damaged`. */
export function decodeAnswer(row: AnswerRow): StoredAnswer {
  if (checksumOf(row) !== row.checksum) throw damaged('A stored answer')
  return {
    ...parseStored<KeptAnswer>(row.record),
    principal: toPrincipalId(row.principal),
    key: row.key,
    at: row.at,
    expiresAt: row.expires_at,
    body: row.body === null ? null : inflateRawSync(row.body).toString(),
  }
}

const checksumOf = (row: Omit<AnswerRow, 'checksum'>): number =>
  rowChecksum([row.principal, row.key, row.at, row.expires_at], row.record, row.body ?? '')
