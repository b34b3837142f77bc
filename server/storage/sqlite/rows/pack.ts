import { promisify } from 'node:util'
import { crc32, deflateRaw, inflateRawSync } from 'node:zlib'
import { effectOfJson, encodeEffect } from '../../../content/effect.ts'
import type { JsonValue } from '../../../content/content.ts'
import { toPrincipalId, toVersion, type DocumentId } from '../../../foundation/ids.ts'
import { invariant } from '../../../foundation/assert.ts'
import { damaged, rowChecksum, exactBytes, plainBytes, parseStored } from '../row.ts'
import type { Entry, EntryEffect } from '../../storage.ts'
import { numberOfOrigin, originOf } from './entry.ts'

/** Done once, in the background, and read often. */
const DEFLATE_LEVEL = 6

/** A row of `packs` without its updates. */
export interface PackFactsRow {
  readonly last_version: number
  readonly first_version: number
  readonly checksum: number
  readonly updates_checksum: number
  readonly facts: Uint8Array
}
export interface PackRow extends PackFactsRow {
  readonly updates: Uint8Array
}

/** The rows in a pack without their updates; a row's own are `updateBytes` long. */
export interface PackedEffect extends EntryEffect {
  readonly updateBytes: number
}

/** What `facts` holds: authors by number, and the rows, each as the versions it stands for, times as differences. */
interface PackFacts {
  readonly authors: readonly string[]
  readonly rows: readonly [
    versions: number,
    author: number,
    at: number,
    origin: number,
    bytes: number,
    effect: JsonValue,
  ][]
}

/** Packs rows that follow each other; the packing itself is done in another thread. */
export async function encodePack(document: DocumentId, entries: readonly Entry[]): Promise<PackRow> {
  const [first, last] = [entries[0], entries.at(-1)]
  invariant(first !== undefined && last !== undefined, 'a pack holds something')
  const authors = [...new Set(entries.map((entry) => entry.author))]
  let at = 0
  const rows = entries.map((entry) => {
    const versions = entry.version - (entry.firstVersion ?? entry.version) + 1
    const numbers = [versions, authors.indexOf(entry.author), entry.at - at, numberOfOrigin(entry.origin)]
    at = entry.at
    return `[${numbers.join()},${entry.update.length},${encodeEffect(entry.effect) ?? 'null'}]`
  })
  const facts = await deflate(Buffer.from(`{"authors":${JSON.stringify(authors)},"rows":[${rows.join()}]}`))
  const updates = await deflate(Buffer.concat(entries.map((entry) => entry.update)))
  const row = {
    last_version: last.version,
    first_version: first.firstVersion ?? first.version,
    updates_checksum: crc32(updates),
    facts,
    updates,
  }
  return { ...row, checksum: checksum(document, row) }
}

/** Throws `document-damaged`. */
export function decodePackFacts(document: DocumentId, row: PackFactsRow): PackedEffect[] {
  if (checksum(document, row) !== row.checksum) throw damaged(nameOf(document, row))
  const { authors, rows } = parseStored<PackFacts>(inflateRawSync(row.facts).toString())
  let version = row.first_version - 1
  let at = 0
  return rows.map(([versions, author, after, origin, updateBytes, effect]) => {
    const firstVersion = toVersion(version + 1)
    version += versions
    at += after
    const known = originOf(origin)
    if (known === undefined) throw damaged(nameOf(document, row))
    return {
      version: toVersion(version),
      ...(versions > 1 ? { firstVersion } : {}),
      author: toPrincipalId(authors[author] ?? ''),
      at,
      origin: known,
      effect: effectOfJson(effect),
      updateBytes,
    }
  })
}

/** Adds their updates to the rows of a pack. Throws `document-damaged`. */
export function decodePackUpdates(
  document: DocumentId,
  row: PackFactsRow & { readonly updates: Uint8Array },
  effects: readonly PackedEffect[],
): Entry[] {
  if (crc32(row.updates) !== row.updates_checksum) throw damaged(nameOf(document, row))
  const updates = plainBytes(inflateRawSync(row.updates))
  let start = 0
  return effects.map(({ updateBytes, ...effect }) => {
    const update = updates.slice(start, start + updateBytes)
    start += updateBytes
    return { ...effect, update }
  })
}

const deflateInThread = promisify<Uint8Array, { level: number }, Buffer>(deflateRaw)

const deflate = async (bytes: Uint8Array): Promise<Uint8Array> =>
  exactBytes(await deflateInThread(bytes, { level: DEFLATE_LEVEL }))

const nameOf = (document: DocumentId, { first_version: first, last_version: last }: PackFactsRow): string =>
  `The log of ${document} from ${first} to ${last}`

function checksum(document: DocumentId, row: Omit<PackFactsRow, 'checksum'>): number {
  return rowChecksum([document, row.first_version, row.last_version, row.updates_checksum], row.facts)
}
