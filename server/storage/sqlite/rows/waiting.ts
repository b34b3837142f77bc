import type { Knowledge } from '../../../model/clientKnowledge.ts'
import type { ClockSpan } from '../../../model/clockSet.ts'
import { toLockHash, toPrincipalId, toVersion, trustedDocumentId } from '../../../foundation/ids.ts'
import { damaged, rowChecksum, exactBytes, plainBytes, parseStored } from '../row.ts'
import type { WaitingEdits } from '../../storage.ts'

/** A row of `waiting_edits` without its position. */
export interface WaitingRow {
  readonly document: string
  readonly author: string
  readonly token_hash: string | null
  readonly at: number
  readonly checksum: number
  readonly knowledge: string
  readonly update_bytes: Uint8Array
}

/** `Knowledge` as JSON, which has no maps. */
type StoredKnowledge =
  | {
      readonly by: 'clocks'
      readonly clocks: readonly (readonly [client: number, clock: number])[]
      readonly deletes: readonly (readonly [client: number, spans: readonly ClockSpan[]])[]
      /** `seenUpTo`, under the name it had when rows of it were first written. */
      readonly sentUpTo: number | null
    }
  | { readonly by: 'versions'; readonly seen: number; readonly own: readonly number[] }
  | { readonly by: 'stored'; readonly seen: number }

export function encodeWaiting(edits: WaitingEdits): WaitingRow {
  const row = {
    document: edits.document,
    author: edits.author,
    token_hash: edits.tokenHash,
    at: edits.at,
    knowledge: JSON.stringify(encodeKnowledge(edits.knowledge)),
    update_bytes: exactBytes(edits.update),
  }
  return { ...row, checksum: checksumOf(row) }
}

/** Throws `document-damaged`. */
export function decodeWaiting(row: WaitingRow): WaitingEdits {
  if (checksumOf(row) !== row.checksum) throw damaged(`What waits for a lock of ${row.document}`)
  return {
    document: trustedDocumentId(row.document),
    author: toPrincipalId(row.author),
    tokenHash: row.token_hash === null ? null : toLockHash(row.token_hash),
    knowledge: decodeKnowledge(parseStored<StoredKnowledge>(row.knowledge)),
    update: plainBytes(row.update_bytes),
    at: row.at,
  }
}

function encodeKnowledge(knowledge: Knowledge): StoredKnowledge {
  if (knowledge.by !== 'clocks') return knowledge
  const { by, clocks, deletes, seenUpTo } = knowledge
  return { by, clocks: [...clocks], deletes: [...deletes], sentUpTo: seenUpTo }
}

function decodeKnowledge(stored: StoredKnowledge): Knowledge {
  if (stored.by === 'versions') return { by: 'versions', seen: toVersion(stored.seen), own: stored.own.map(toVersion) }
  if (stored.by === 'stored') return { by: 'stored', seen: toVersion(stored.seen) }
  const { clocks, deletes, sentUpTo } = stored
  return {
    by: 'clocks',
    clocks: new Map(clocks),
    deletes: new Map(deletes),
    seenUpTo: sentUpTo === null ? null : toVersion(sentUpTo),
  }
}

const checksumOf = (row: Omit<WaitingRow, 'checksum'>): number =>
  rowChecksum([row.document, row.author, row.token_hash, row.at], row.knowledge, row.update_bytes)
