import type Database from 'better-sqlite3'
import {
  type DocumentId,
  NO_VERSION,
  toPrincipalId,
  toVersion,
  trustedDocumentId,
  type Version,
} from '../../foundation/ids.ts'
import type { LogState, VersionFacts } from '../history.ts'
import { LOG_PAGE_BYTES } from '../log.ts'
import { type SqliteLogReader, STORED_LOG, type StoredLog } from './log.ts'
import { type PackedEffect, PINNED, type SqlitePackWriter } from './packs.ts'
import { damaged, originOf, type StorageStep } from './row.ts'

interface VersionFactsRow {
  readonly version: number
  readonly author: string
  readonly at: number
  readonly origin: number
  readonly bytes: number
}

interface StateRow {
  readonly id: string
  readonly version: number
  readonly packed: number
  readonly joined: number
  readonly due_at: number | null
}

type StoredFacts = Omit<VersionFacts, 'label'>

/** Packs that one step takes apart: small ones take some 0.1 ms each, and large ones are bounded by what they hold. */
const STEP_PACKS = 32

/** Answers what the port asks about versions, without what they did. */
export class SqliteHistoryReader {
  readonly #sql: ReturnType<typeof prepareReads>
  readonly #log: SqliteLogReader

  constructor(connection: Database.Database, log: SqliteLogReader) {
    this.#sql = prepareReads(connection)
    this.#log = log
  }

  /** The newest of a range, out of a bounded number of packs; the next step goes on at a version that is the last of a row. */
  versions(document: DocumentId, after: Version, upTo: Version, limit: number): StorageStep<VersionFacts, Version> {
    const stored = this.#sql.key.get(document)
    if (stored === undefined) return { found: [], next: null }
    const found: StoredFacts[] = []
    let at = Math.min(upTo, stored.version)
    const start = Math.max(after, stored.erased)
    const room = { packs: STEP_PACKS, characters: LOG_PAGE_BYTES }
    while (at > start && found.length < limit && room.packs > 0 && room.characters > 0) {
      const pack = this.#log.packAt(stored.key, at)
      if (pack) {
        for (const row of this.#log.packed(document, pack).toReversed()) {
          room.characters -= row.characters
          if (row.version <= at && row.version > start && found.length < limit) found.push(packedFacts(row))
        }
        room.packs -= 1
        at = pack.first_version - 1
        continue
      }
      const end = Math.max(start, this.#sql.packedUpTo.get(stored.key, at) ?? 0)
      const range = { document: stored.key, after: end, upTo: at, limit: limit - found.length }
      for (const row of this.#sql.facts.all(range)) found.push(decodeFacts(document, row))
      at = end
    }
    return { found: this.#labelled(stored.key, found), next: at > start ? toVersion(at) : null }
  }

  versionAt(document: DocumentId, version: Version): VersionFacts | null {
    const stored = this.#sql.key.get(document)
    if (stored === undefined || version <= stored.erased) return null
    const pack = this.#log.packAt(stored.key, version)
    const packed = pack && this.#log.packed(document, pack).find((row) => row.version >= version)
    if (packed) return this.#labelled(stored.key, [packedFacts(packed)])[0] ?? null
    const range = { document: stored.key, after: version - 1, upTo: version, limit: 1 }
    const facts = this.#sql.facts.all(range).map((row) => decodeFacts(document, row))
    return this.#labelled(stored.key, facts)[0] ?? null
  }

  logStart(document: DocumentId): Version {
    const stored = this.#sql.key.get(document)
    return stored === undefined ? NO_VERSION : toVersion(stored.erased)
  }

  pinned(document: DocumentId, after: Version, upTo: Version): Set<Version> {
    return new Set(this.#sql.pinned.all({ id: document, after, upTo }).map(toVersion))
  }

  logStates(after: DocumentId | null, limit: number): LogState[] {
    return this.#sql.states.all(after ?? '', limit).map(decodeState)
  }

  logState(document: DocumentId): LogState | null {
    const row = this.#sql.state.get(document)
    return row === undefined ? null : decodeState(row)
  }

  #labelled(document: number, facts: readonly StoredFacts[]): VersionFacts[] {
    const versions = facts.map((one) => one.version)
    const range = { document, from: Math.min(...versions), upTo: Math.max(...versions) }
    const labels = new Map(
      facts.length === 0 ? [] : this.#sql.labels.all(range).map(({ version, label }) => [version, label]),
    )
    return facts.map((one) => ({ ...one, label: labels.get(one.version) ?? null }))
  }
}

/** What the writer is asked to note about a log. */
export type HistoryOperation =
  | { readonly op: 'label'; readonly document: string; readonly version: number; readonly label: string | null }
  | {
      readonly op: 'log-progress'
      readonly document: string
      readonly packed: number
      readonly joined: number
      readonly dueAt: number | null
    }

/** Notes what people call versions and how far a log was gone through; knows nothing of transactions. */
export class SqliteHistoryWriter {
  readonly #sql: ReturnType<typeof prepareWrites>
  readonly #packs: SqlitePackWriter

  constructor(connection: Database.Database, packs: SqlitePackWriter) {
    this.#sql = prepareWrites(connection)
    this.#packs = packs
  }

  /** Whether the document is there, and of a label also the row of its version. */
  run(operation: HistoryOperation): boolean {
    const document = this.#sql.key.get(operation.document)
    if (document === undefined) return false
    if (operation.op === 'label') return this.#label(document, operation)
    this.#sql.upsertProgress.run(document, operation.packed, operation.joined, operation.dueAt)
    return true
  }

  #label(document: number, { version, label, document: id }: HistoryOperation & { op: 'label' }): boolean {
    if (!this.#packs.hasRow(id, document, version)) return false
    if (label === null) this.#sql.deleteLabel.run(document, version)
    else this.#sql.upsertLabel.run(document, version, label)
    return true
  }
}

function packedFacts({ version, firstVersion, author, at, origin, updateBytes: bytes }: PackedEffect): StoredFacts {
  return { version, firstVersion: firstVersion ?? version, author, at, origin, bytes }
}

function decodeFacts(document: DocumentId, row: VersionFactsRow): StoredFacts {
  const origin = originOf(row.origin)
  if (origin === undefined) throw damaged(`Entry ${row.version} of ${document}`)
  const version = toVersion(row.version)
  return { version, firstVersion: version, author: toPrincipalId(row.author), at: row.at, origin, bytes: row.bytes }
}

const decodeState = (row: StateRow): LogState => ({
  document: trustedDocumentId(row.id),
  version: toVersion(row.version),
  packed: toVersion(row.packed),
  joined: toVersion(row.joined),
  dueAt: row.due_at,
})

const STATES = `SELECT id, version, due_at, coalesce(packed, 0) AS packed, coalesce(joined, 0) AS joined
  FROM documents LEFT JOIN log_progress ON log_progress.document = documents.key`

function prepareWrites(connection: Database.Database) {
  return {
    key: connection.prepare<[id: string], number>('SELECT key FROM documents WHERE id = ?').pluck(),
    upsertLabel: connection.prepare<[document: number, version: number, label: string]>(
      `INSERT INTO labels (document, version, label) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET label = excluded.label`,
    ),
    deleteLabel: connection.prepare<[document: number, version: number]>(
      'DELETE FROM labels WHERE document = ? AND version = ?',
    ),
    upsertProgress: connection.prepare<[document: number, packed: number, joined: number, dueAt: number | null]>(
      `INSERT INTO log_progress (document, packed, joined, due_at) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET packed = max(packed, excluded.packed), joined = max(joined, excluded.joined),
         due_at = excluded.due_at`,
    ),
  }
}

function prepareReads(connection: Database.Database) {
  return {
    key: connection.prepare<[id: string], StoredLog>(STORED_LOG),
    // The length of a blob stands in the head of its row, so that none is read.
    facts: connection.prepare<[{ document: number; after: number; upTo: number; limit: number }], VersionFactsRow>(
      `SELECT version, sub AS author, at, origin, length(update_bytes) AS bytes
       FROM single_entries JOIN principals ON principals.key = author
       WHERE document = @document AND version > @after AND version <= @upTo ORDER BY version DESC LIMIT @limit`,
    ),
    labels: connection.prepare<[{ document: number; from: number; upTo: number }], { version: number; label: string }>(
      'SELECT version, label FROM labels WHERE document = @document AND version >= @from AND version <= @upTo',
    ),
    /** The end of the last pack before a version. */
    packedUpTo: connection
      .prepare<[document: number, before: number], number | null>(
        'SELECT max(last_version) FROM packs WHERE document = ? AND last_version < ?',
      )
      .pluck(),
    pinned: connection.prepare<[{ id: string; after: number; upTo: number }], number>(PINNED).pluck(),
    states: connection.prepare<[after: string, limit: number], StateRow>(
      `${STATES} WHERE id > ? AND deleted_at IS NULL ORDER BY id LIMIT ?`,
    ),
    state: connection.prepare<[id: string], StateRow>(`${STATES} WHERE id = ?`),
  }
}
