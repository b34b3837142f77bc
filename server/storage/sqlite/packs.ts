import { promisify } from 'node:util'
import { crc32, deflateRaw, inflateRawSync } from 'node:zlib'
import type Database from 'better-sqlite3'
import type { JsonValue } from '../../content/content.ts'
import { effectOfJson, encodeEffect } from '../../content/effect.ts'
import { invariant } from '../../foundation/assert.ts'
import { type DocumentId, toPrincipalId, toVersion, trustedDocumentId } from '../../foundation/ids.ts'
import type { Entry, EntryEffect } from '../log.ts'
import {
  damaged,
  encodeHandedOn,
  exactBytes,
  numberOfOrigin,
  originOf,
  parseStored,
  plainBytes,
  rowChecksum,
} from './row.ts'

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
interface PackRow extends PackFactsRow {
  readonly updates: Uint8Array
}

/** The rows in a pack without their updates; a row's own are `updateBytes` long. */
export interface PackedEffect extends EntryEffect {
  readonly updateBytes: number
  /** Its share of what was parsed: each has the same, for how long each effect was is not known any more. */
  readonly characters: number
}

export const withoutSizes = ({ updateBytes: _bytes, characters: _share, ...effect }: PackedEffect): EntryEffect =>
  effect

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
    handedOn?: readonly number[],
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
    const handedOn = encodeHandedOn(entry.handedOn)
    const what = `${entry.update.length},${encodeEffect(entry.effect) ?? 'null'}`
    return `[${numbers.join()},${what}${handedOn === null ? '' : `,${handedOn}`}]`
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
  const json = inflateRawSync(row.facts).toString()
  const { authors, rows } = parseStored<PackFacts>(json)
  const characters = json.length / rows.length
  let version = row.first_version - 1
  let at = 0
  return rows.map(([versions, author, after, origin, updateBytes, effect, handedOn]) => {
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
      ...(handedOn ? { handedOn } : {}),
      updateBytes,
      characters,
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
  return effects.map((effect) => {
    const update = updates.slice(start, start + effect.updateBytes)
    start += effect.updateBytes
    return { ...withoutSizes(effect), update }
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

/** What the writer is asked to do to keep a log small. */
export interface RewriteOperation {
  readonly op: 'rewrite'
  readonly document: string
  readonly replaced: readonly number[]
  /** The versions that stay. */
  readonly kept: readonly number[]
  readonly pack: PackRow
}

/** Puts rows of a log together; knows nothing of transactions. */
export class SqlitePackWriter {
  readonly #sql: ReturnType<typeof prepare>

  constructor(connection: Database.Database) {
    this.#sql = prepare(connection)
  }

  /** Whether a version was compacted away; what never was is not known here. */
  isGone(id: string, version: number): boolean {
    const document = this.#sql.key.get(id)
    const pack = document === undefined ? undefined : this.#packAt(document, version)
    return pack !== undefined && !this.#versionsOf(id, pack).includes(version)
  }

  /** Whether the log has a row of exactly this version. */
  hasRow(id: string, document: number, version: number): boolean {
    const pack = this.#packAt(document, version)
    return pack ? this.#versionsOf(id, pack).includes(version) : this.#sql.entry.get(document, version) !== undefined
  }

  /** Whether it stands (`LogWrites.rewrite`). */
  rewrite({ document: id, replaced, kept, pack }: RewriteOperation): boolean {
    const document = this.#sql.key.get(id)
    if (document === undefined) return false
    const range = { id, document, after: pack.first_version - 1, upTo: pack.last_version }
    const packs = this.#packsIn(range)
    const isWhole = packs.every((old) => old.first_version > range.after && old.last_version <= range.upTo)
    const stored = [...this.#sql.versions.all(range), ...packs.flatMap((old) => this.#versionsOf(id, old))]
    const isSame = stored.length === replaced.length && new Set([...stored, ...replaced]).size === replaced.length
    const staying = new Set(kept)
    // What is being erased is not to be carried over into a pack of what came after it.
    if (this.#sql.purge.get(document) !== undefined) return false
    if (!isWhole || !isSame || this.#sql.pinned.all(range).some((version) => !staying.has(version))) return false
    this.#sql.deleteEntries.run(range)
    this.#sql.deleteFreshEntries.run(range)
    this.#sql.deletePacks.run(range)
    for (const version of this.#sql.checkpoints.all(range)) {
      if (!staying.has(version)) this.#sql.deleteCheckpoint.run(document, version)
    }
    const { last_version: last, first_version: first, checksum, updates_checksum: updatesChecksum } = pack
    this.#sql.insertPack.run(document, last, first, checksum, updatesChecksum, pack.facts, pack.updates)
    return true
  }

  #packAt(document: number, version: number): PackFactsRow | undefined {
    return this.#packsIn({ document, after: version - 1, upTo: version })[0]
  }

  /** The packs that hold some version of the range. */
  #packsIn({ document, after, upTo }: RewriteRange): PackFactsRow[] {
    const packs: PackFactsRow[] = []
    for (const pack of this.#sql.packs.iterate(document, after)) {
      if (pack.first_version > upTo) break
      packs.push(pack)
    }
    return packs
  }

  #versionsOf(id: string, pack: PackFactsRow): number[] {
    return decodePackFacts(trustedDocumentId(id), pack).map((row) => row.version)
  }
}

interface RewriteRange {
  readonly document: number
  readonly after: number
  readonly upTo: number
}

/** Versions of a document that a label, a conflict or a stored answer holds. */
export const PINNED = `
  SELECT labels.version FROM labels JOIN documents ON documents.key = labels.document
    WHERE id = @id AND labels.version > @after AND labels.version <= @upTo
  UNION
  SELECT version FROM conflict_versions WHERE document = @id AND version > @after AND version <= @upTo
  UNION
  SELECT version FROM answer_documents WHERE document = @id AND version > @after AND version <= @upTo`

export const PACK_COLUMNS = 'last_version, first_version, checksum, updates_checksum, facts'

function prepare(connection: Database.Database) {
  const inRange = 'document = @document AND version > @after AND version <= @upTo'
  return {
    key: connection.prepare<[id: string], number>('SELECT key FROM documents WHERE id = ?').pluck(),
    purge: connection.prepare<[document: number]>('SELECT 1 FROM purges WHERE document = ?'),
    entry: connection.prepare<[document: number, version: number]>(
      'SELECT 1 FROM single_entries WHERE document = ? AND version = ?',
    ),
    versions: connection.prepare<[RewriteRange], number>(`SELECT version FROM single_entries WHERE ${inRange}`).pluck(),
    packs: connection.prepare<[document: number, after: number], PackFactsRow>(
      `SELECT ${PACK_COLUMNS} FROM packs WHERE document = ? AND last_version > ? ORDER BY last_version`,
    ),
    pinned: connection.prepare<[RewriteRange & { id: string }], number>(PINNED).pluck(),
    deleteEntries: connection.prepare<[RewriteRange]>(`DELETE FROM entries WHERE ${inRange}`),
    deleteFreshEntries: connection.prepare<[RewriteRange]>(`DELETE FROM fresh_entries WHERE ${inRange}`),
    deletePacks: connection.prepare<[RewriteRange]>(
      'DELETE FROM packs WHERE document = @document AND last_version > @after AND last_version <= @upTo',
    ),
    insertPack: connection.prepare<[...numbers: [number, number, number, number, number], Uint8Array, Uint8Array]>(
      `INSERT INTO packs (document, last_version, first_version, checksum, updates_checksum, facts, updates)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ),
    checkpoints: connection.prepare<[RewriteRange], number>(`SELECT version FROM checkpoints WHERE ${inRange}`).pluck(),
    deleteCheckpoint: connection.prepare<[document: number, version: number]>(
      'DELETE FROM checkpoints WHERE document = ? AND version = ?',
    ),
  }
}
