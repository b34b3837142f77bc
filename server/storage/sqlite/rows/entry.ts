import { decodeEffect, encodeEffect } from '../../../content/effect.ts'
import { ORIGINS, type Origin } from '../../../model/document.ts'
import { toPrincipalId, toVersion, type DocumentId } from '../../../foundation/ids.ts'
import { damaged, entryChecksum, rowChecksum, exactBytes, plainBytes } from '../row.ts'
import type { Entry, EntryEffect } from '../../storage.ts'

/** A row of `entries` without its Yjs bytes. */
export interface EffectRow {
  readonly version: number
  readonly author: string
  readonly at: number
  readonly origin: number
  /**
   * Over all fields but the update, whose own checksum it covers. It names document and author, not the keys
   * that stand for them in the database, so that a row that strayed under another document is found out too.
   */
  readonly checksum: number
  readonly update_checksum: number
  readonly effect: string | null
}
export interface EntryRow extends EffectRow {
  readonly update_bytes: Uint8Array
}
/** Before the writer has summed it up. */
export type NewEntryRow = Omit<EntryRow, 'checksum' | 'update_checksum'>

/** How origins are kept. A number once given is never given to another origin. */
const ORIGIN_NUMBERS: Readonly<Record<Origin, number>> = {
  create: 1,
  write: 2,
  live: 3,
  merge: 4,
  resolution: 5,
  restore: 6,
  revert: 7,
  transaction: 8,
  settings: 9,
  delete: 10,
}
const ORIGIN_OF_NUMBER: ReadonlyMap<number, Origin> = new Map(ORIGINS.map((origin) => [ORIGIN_NUMBERS[origin], origin]))

export const numberOfOrigin = (origin: Origin): number => ORIGIN_NUMBERS[origin]

/** Undefined for a number that stands for none. */
export const originOf = (number: number): Origin | undefined => ORIGIN_OF_NUMBER.get(number)

export function encodeEntry(entry: Entry): NewEntryRow {
  return {
    version: entry.version,
    author: entry.author,
    at: entry.at,
    origin: numberOfOrigin(entry.origin),
    effect: encodeEffect(entry.effect),
    update_bytes: exactBytes(entry.update),
  }
}

/** Throws `document-damaged`. */
export function decodeEntry(document: DocumentId, row: EntryRow): Entry {
  const facts = decodeEntryEffect(document, row)
  if (entryChecksum(row.update_bytes) !== row.update_checksum) throw damaged(`Entry ${row.version} of ${document}`)
  return { ...facts, update: plainBytes(row.update_bytes) }
}

/** Throws `document-damaged`. */
export function decodeEntryEffect(document: DocumentId, row: EffectRow): EntryEffect {
  const origin = originOf(row.origin)
  if (origin === undefined || effectChecksum(document, row, row.update_checksum) !== row.checksum) {
    throw damaged(`Entry ${row.version} of ${document}`)
  }
  return {
    version: toVersion(row.version),
    author: toPrincipalId(row.author),
    at: row.at,
    origin,
    effect: row.effect === null ? null : decodeEffect(row.effect),
  }
}

/** Of `EffectRow.checksum`. */
export function effectChecksum(
  document: string,
  row: Pick<EffectRow, 'version' | 'author' | 'at' | 'origin' | 'effect'>,
  updateChecksum: number,
): number {
  const fields = [document, row.version, row.author, row.at, row.origin, updateChecksum]
  return rowChecksum(fields, row.effect ?? '')
}
