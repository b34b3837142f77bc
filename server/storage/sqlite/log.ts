import type Database from 'better-sqlite3'
import { LRUCache } from 'lru-cache'
import { decodeEffect, encodeEffect } from '../../content/effect.ts'
import { type DocumentId, toPrincipalId, toVersion, type Version } from '../../foundation/ids.ts'
import { type Entry, entryChecksum, type EntryEffect, LOG_PAGE_BYTES, type Standing } from '../log.ts'
import {
  decodePackFacts,
  decodePackUpdates,
  PACK_COLUMNS,
  type PackedEffect,
  type PackFactsRow,
  withoutSizes,
} from './packs.ts'
import {
  countWithin,
  damaged,
  decodeHandedOn,
  encodeHandedOn,
  exactBytes,
  numberOfOrigin,
  originOf,
  plainBytes,
  rowChecksum,
} from './row.ts'

/** A row of `entries` without its Yjs bytes. */
interface EffectRow {
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
  readonly handed_on: string | null
}
interface EntryRow extends EffectRow {
  readonly update_bytes: Uint8Array
}
/** Before the writer has summed it up. */
export type NewEntryRow = Omit<EntryRow, 'checksum' | 'update_checksum'>

export function encodeEntry(entry: Entry): NewEntryRow {
  return {
    version: entry.version,
    author: entry.author,
    at: entry.at,
    origin: numberOfOrigin(entry.origin),
    effect: encodeEffect(entry.effect),
    handed_on: encodeHandedOn(entry.handedOn),
    update_bytes: exactBytes(entry.update),
  }
}

/** Throws `document-damaged`. */
function decodeEntry(document: DocumentId, row: EntryRow): Entry {
  const facts = decodeEntryEffect(document, row)
  if (entryChecksum(row.update_bytes) !== row.update_checksum) throw damaged(`Entry ${row.version} of ${document}`)
  return { ...facts, update: plainBytes(row.update_bytes) }
}

/** Throws `document-damaged`. */
function decodeEntryEffect(document: DocumentId, row: EffectRow): EntryEffect {
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
    ...decodeHandedOn(row.handed_on),
  }
}

/** Of `EffectRow.checksum`. */
function effectChecksum(
  document: string,
  row: Pick<EffectRow, 'version' | 'author' | 'at' | 'origin' | 'effect' | 'handed_on'>,
  updateChecksum: number,
): number {
  const fields = [document, row.version, row.author, row.at, row.origin, updateChecksum]
  if (row.handed_on !== null) fields.push(row.handed_on)
  return rowChecksum(fields, row.effect ?? '')
}

/** Pages are often smaller than a pack, and neighbouring versions are asked for together. */
const CACHED_PACKS = 8

interface EntryPage {
  readonly after: Version
  readonly upTo: Version
  readonly limit: number
}

interface LogRange {
  readonly document: number
  readonly after: number
  readonly last: number
}

/** How rows are read: those that stand alone, and those in a pack. */
interface Ways<Stored, Row> {
  readonly alone: Database.Statement<[LogRange], Stored>
  readonly decode: (stored: Stored) => Row
  readonly packed: (pack: PackFactsRow, key: number, facts: readonly PackedEffect[]) => readonly Row[]
  /** What a row counts for in a page. */
  readonly bytesAlone: (stored: Stored) => number
  readonly bytesPacked: (facts: PackedEffect) => number
}

/** Reads the log of documents, in which some rows stand alone and others in packs. */
export class SqliteLogReader {
  readonly #sql: ReturnType<typeof prepareReads>
  readonly #packs = new LRUCache<string, readonly PackedEffect[]>({ max: CACHED_PACKS })

  constructor(connection: Database.Database) {
    this.#sql = prepareReads(connection)
  }

  entries(document: DocumentId, page: EntryPage): Entry[] {
    return this.#read(document, page, {
      alone: this.#sql.entries,
      decode: (row) => decodeEntry(document, row),
      packed: (pack, key, facts) => {
        const updates = this.#sql.updates.get(key, pack.last_version)
        if (updates === undefined) throw damaged(`The log of ${document}`)
        return decodePackUpdates(document, { ...pack, updates }, facts)
      },
      bytesAlone: ({ effect, update_bytes: update }) => update.length + (effect?.length ?? 0),
      bytesPacked: ({ updateBytes, characters }) => updateBytes + characters,
    })
  }

  effects(document: DocumentId, page: EntryPage): EntryEffect[] {
    return this.#read(document, page, {
      alone: this.#sql.effects,
      decode: (row) => decodeEntryEffect(document, row),
      packed: (_pack, _key, facts) => facts.map(withoutSizes),
      bytesAlone: ({ effect }) => effect?.length ?? 0,
      bytesPacked: ({ characters }) => characters,
    })
  }

  /** The rows of a pack without their updates. */
  packed(document: DocumentId, pack: PackFactsRow): readonly PackedEffect[] {
    const name = `${document} ${pack.last_version} ${pack.checksum}`
    const known = this.#packs.get(name) ?? decodePackFacts(document, pack)
    this.#packs.set(name, known)
    return known
  }

  /** The pack that holds a version; undefined where none does. */
  packAt(key: number, version: number): PackFactsRow | undefined {
    const pack = this.#sql.pack.get(key, version - 1)
    return pack !== undefined && pack.first_version <= version ? pack : undefined
  }

  /** Throws `document-damaged` where a row is missing: a log has no gaps. */
  #read<Stored, Row extends EntryEffect>(document: DocumentId, page: EntryPage, ways: Ways<Stored, Row>): Row[] {
    const stored = this.#sql.key.get(document)
    if (stored === undefined) return []
    const last = Math.min(page.upTo, stored.version)
    const rows: Row[] = []
    let room = LOG_PAGE_BYTES
    let at = Math.max(page.after, stored.erased)
    while (at < last && rows.length < page.limit) {
      const pack = this.#sql.pack.get(stored.key, at)
      const end = Math.min(last, (pack?.first_version ?? Number.POSITIVE_INFINITY) - 1)
      for (const one of end > at ? ways.alone.iterate({ document: stored.key, after: at, last: end }) : []) {
        const row = ways.decode(one)
        if (row.version !== at + 1) throw damaged(`Entry ${at + 1} of ${document}`)
        rows.push(row)
        at = row.version
        room -= ways.bytesAlone(one)
        if (rows.length === page.limit || room <= 0) return rows
      }
      if (at < end) throw damaged(`Entry ${at + 1} of ${document}`)
      if (pack === undefined || pack.first_version > last) return rows
      const facts = this.packed(document, pack)
      for (const [n, row] of ways.packed(pack, stored.key, facts).entries()) {
        if (row.version <= at) continue
        // A row that stands for more than was asked for is left to who asks for all of it.
        if (row.version > last) return rows
        rows.push(row)
        at = row.version
        room -= facts[n] ? ways.bytesPacked(facts[n]) : 0
        if (rows.length === page.limit || room <= 0) return rows
      }
    }
    return rows
  }
}

/** Whose log it is, its newest version, and the one up to which it was purged: 0 where it never was. */
export interface StoredLog {
  readonly key: number
  readonly version: number
  readonly erased: number
}
export const STORED_LOG = 'SELECT key, version, erased FROM documents WHERE id = ?'

const EFFECT_COLUMNS = 'version, sub AS author, at, origin, checksum, update_checksum, effect, handed_on'
const LOG_RANGE = `FROM single_entries JOIN principals ON principals.key = author
  WHERE document = @document AND version > @after AND version <= @last ORDER BY version`

function prepareReads(connection: Database.Database) {
  return {
    key: connection.prepare<[id: string], StoredLog>(STORED_LOG),
    entries: connection.prepare<[LogRange], EntryRow>(`SELECT ${EFFECT_COLUMNS}, update_bytes ${LOG_RANGE}`),
    effects: connection.prepare<[LogRange], EffectRow>(`SELECT ${EFFECT_COLUMNS} ${LOG_RANGE}`),
    /** The first pack with something after a version. */
    pack: connection.prepare<[document: number, after: number], PackFactsRow>(
      `SELECT ${PACK_COLUMNS} FROM packs WHERE document = ? AND last_version > ? ORDER BY last_version LIMIT 1`,
    ),
    updates: connection
      .prepare<[document: number, last: number], Uint8Array>(
        'SELECT updates FROM packs WHERE document = ? AND last_version = ?',
      )
      .pluck(),
  }
}

/** Many more than write at one time; a full cache starts anew. */
const CACHED_PRINCIPALS = 10_000
/** Sorted in at one time: some 2 ms of work … */
const SORTED_ROWS = 256
/** … or, of large ones, some 10 ms; one that is larger goes alone. */
const SORTED_BYTES = 4 * 1024 * 1024

/**
 * Takes new entries of logs; knows nothing of transactions. Either each goes to its place in `entries`, on a page of its
 * document, or all go to `fresh_entries`, one after the other, to be sorted in later.
 */
export class SqliteLogWriter {
  readonly #sql: ReturnType<typeof prepareWrites>
  readonly #principals = new Map<string, number>()
  #isLeft = false
  /** While they are being sorted in: the last row that was. */
  #sortedUpTo: RowPlace | null = null

  constructor(connection: Database.Database) {
    this.#sql = prepareWrites(connection)
  }

  /** Whether rows go to `fresh_entries` from now on. */
  leaveFresh(isLeft: boolean): void {
    this.#isLeft = isLeft
  }

  /** `key` stands for the document in the database. */
  insert(document: string, row: NewEntryRow, key: number): void {
    const { version, at, origin, effect, handed_on: handedOn, update_bytes: bytes } = row
    const updateChecksum = entryChecksum(bytes)
    const checksum = effectChecksum(document, row, updateChecksum)
    const statement = this.#isLeft ? this.#sql.insertFresh : this.#sql.insertSorted
    const author = this.#principal(row.author)
    statement.run(key, version, author, at, origin, checksum, updateChecksum, effect, handedOn, bytes)
  }

  /** Whether this very entry is in the log. */
  stands({ document, version, mark }: Standing): boolean {
    return this.#sql.marked.get(document, version, mark.checksum, mark.author, mark.at) === 1
  }

  /** To be called when anything was taken back: what a key was given to may be gone with it, and what was sorted in. */
  forget(): void {
    this.#principals.clear()
    this.#sortedUpTo = null
  }

  #principal(sub: string): number {
    const known = this.#principals.get(sub)
    if (known !== undefined) return known
    const key = this.#sql.principal.get(sub) ?? Number(this.#sql.insertPrincipal.run(sub).lastInsertRowid)
    if (this.#principals.size >= CACHED_PRINCIPALS) this.#principals.clear()
    this.#principals.set(sub, key)
    return key
  }

  /** Whether there are `many`, or not all are sorted in of those that were. */
  needSorting(many: number): boolean {
    return this.#sortedUpTo !== null || (this.#sql.span.get() ?? 0) >= many
  }

  /** Moves some rows to their places: a page of a document is then written for many of its rows. */
  sortSome(): void {
    const from = this.#sortedUpTo ?? { document: 0, version: 0 }
    const next = this.#sql.next.all({ ...from, limit: SORTED_ROWS })
    const last = next[countWithin(next, SORTED_BYTES) - 1]
    this.#sortedUpTo = null
    if (last === undefined) return
    const range = { ...from, lastDocument: last.document, lastVersion: last.version }
    this.#sql.copy.run(range)
    this.#sql.remove.run(range)
    const isEnd = last === next.at(-1) && next.length < SORTED_ROWS
    if (!isEnd) this.#sortedUpTo = { document: last.document, version: last.version }
  }
}

function prepareWrites(connection: Database.Database) {
  const columns = 'document, version, author, at, origin, checksum, update_checksum, effect, handed_on, update_bytes'
  const inRange = '(document, version) > (@document, @version) AND (document, version) <= (@lastDocument, @lastVersion)'
  const insertInto = (table: 'entries' | 'fresh_entries'): Database.Statement<NewRow> =>
    connection.prepare<NewRow>(`INSERT INTO ${table} (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  return {
    principal: connection.prepare<[sub: string], number>('SELECT key FROM principals WHERE sub = ?').pluck(),
    insertPrincipal: connection.prepare<[sub: string]>('INSERT INTO principals (sub) VALUES (?)'),
    marked: connection
      .prepare<[id: string, version: number, checksum: number, sub: string, at: number], number>(
        `SELECT 1 FROM documents JOIN single_entries AS entry ON entry.document = documents.key
         JOIN principals ON principals.key = entry.author
         WHERE documents.id = ? AND entry.version = ? AND update_checksum = ? AND sub = ? AND at = ?`,
      )
      .pluck(),
    insertFresh: insertInto('fresh_entries'),
    insertSorted: insertInto('entries'),
    /** How many came since the oldest that is left. */
    span: connection
      .prepare<[], number | null>(
        'SELECT (SELECT max(key) FROM fresh_entries) - (SELECT min(key) FROM fresh_entries) + 1',
      )
      .pluck(),
    next: connection.prepare<[RowPlace & { limit: number }], RowPlace & { bytes: number }>(
      // The length of a text in characters is known only to who reads it.
      `SELECT document, version, length(update_bytes) + coalesce(octet_length(effect), 0) AS bytes FROM fresh_entries
       WHERE (document, version) > (@document, @version) ORDER BY document, version LIMIT @limit`,
    ),
    copy: connection.prepare<[RowRange]>(
      `INSERT INTO entries (${columns}) SELECT ${columns} FROM fresh_entries WHERE ${inRange} ORDER BY document, version`,
    ),
    remove: connection.prepare<[RowRange]>(`DELETE FROM fresh_entries WHERE ${inRange}`),
  }
}

/** `document` is the key that stands for it. */
interface RowPlace {
  readonly document: number
  readonly version: number
}

/** The rows after a place, up to the last one. */
interface RowRange extends RowPlace {
  readonly lastDocument: number
  readonly lastVersion: number
}

type NewRow = [...numbers: Seven, effect: string | null, handedOn: string | null, updateBytes: Uint8Array]
type Seven = [number, number, number, number, number, number, number]
