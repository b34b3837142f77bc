import type Database from 'better-sqlite3'
import { LRUCache } from 'lru-cache'
import type { DocumentId, Version } from '../../foundation/ids.ts'
import type { Entry, EntryEffect } from '../storage.ts'
import { damaged } from './row.ts'
import { decodeEntry, decodeEntryEffect, type EffectRow, type EntryRow } from './rows/entry.ts'
import { decodePackFacts, decodePackUpdates, type PackedEffect, type PackFactsRow } from './rows/pack.ts'

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
  readonly packed: (pack: PackFactsRow, key: number) => readonly Row[]
}

/** Reads the log of documents, in which some rows stand alone and others in packs. */
export class SqliteLogReader {
  readonly #sql: ReturnType<typeof prepare>
  readonly #packs = new LRUCache<string, readonly PackedEffect[]>({ max: CACHED_PACKS })

  constructor(connection: Database.Database) {
    this.#sql = prepare(connection)
  }

  entries(document: DocumentId, page: EntryPage): Entry[] {
    return this.#read(document, page, {
      alone: this.#sql.entries,
      decode: (row) => decodeEntry(document, row),
      packed: (pack, key) => {
        const updates = this.#sql.updates.get(key, pack.last_version)
        if (updates === undefined) throw damaged(`The log of ${document}`)
        return decodePackUpdates(document, { ...pack, updates }, this.packed(document, pack))
      },
    })
  }

  effects(document: DocumentId, page: EntryPage): EntryEffect[] {
    return this.#read(document, page, {
      alone: this.#sql.effects,
      decode: (row) => decodeEntryEffect(document, row),
      packed: (pack) => this.packed(document, pack).map(({ updateBytes: _bytes, ...effect }): EntryEffect => effect),
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
    let at = Math.max(page.after, stored.erased)
    while (at < last && rows.length < page.limit) {
      const pack = this.#sql.pack.get(stored.key, at)
      const end = Math.min(last, (pack?.first_version ?? Number.POSITIVE_INFINITY) - 1)
      for (const one of end > at ? ways.alone.iterate({ document: stored.key, after: at, last: end }) : []) {
        const row = ways.decode(one)
        if (row.version !== at + 1) throw damaged(`Entry ${at + 1} of ${document}`)
        rows.push(row)
        at = row.version
        if (rows.length === page.limit) return rows
      }
      if (at < end) throw damaged(`Entry ${at + 1} of ${document}`)
      if (pack === undefined || pack.first_version > last) return rows
      for (const row of ways.packed(pack, stored.key)) {
        if (row.version <= at) continue
        // A row that stands for more than was asked for is left to who asks for all of it.
        if (row.version > last) return rows
        rows.push(row)
        at = row.version
        if (rows.length === page.limit) return rows
      }
    }
    return rows
  }
}

/** Whose log it is, its newest version, and the one up to which a purge is to erase it: 0 where none is. */
export interface StoredLog {
  readonly key: number
  readonly version: number
  readonly erased: number
}
export const STORED_LOG = `SELECT key, documents.version, coalesce(purges.version, 0) AS erased
  FROM documents LEFT JOIN purges ON purges.document = documents.key WHERE documents.id = ?`

const EFFECT_COLUMNS = 'version, sub AS author, at, origin, checksum, update_checksum, effect'
const LOG_RANGE = `FROM single_entries JOIN principals ON principals.key = author
  WHERE document = @document AND version > @after AND version <= @last ORDER BY version`
export const PACK_COLUMNS = 'last_version, first_version, checksum, updates_checksum, facts'

function prepare(connection: Database.Database) {
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
