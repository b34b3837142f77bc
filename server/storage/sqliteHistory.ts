import type Database from 'better-sqlite3'
import { toPrincipalId, toVersion, type DocumentId, type Version } from '../foundation/ids.ts'
import { damaged } from './checksum.ts'
import { originOf } from './rows/entry.ts'
import type { VersionFacts } from './storage.ts'

/** What the history of a document asks of the writer. */
export type HistoryOperation = {
  readonly op: 'label'
  readonly document: string
  readonly version: number
  readonly label: string | null
}

/** Writes what belongs to the history of a document. */
export class SqliteHistoryWriter {
  readonly #sql: ReturnType<typeof prepareWriter>

  constructor(connection: Database.Database) {
    this.#sql = prepareWriter(connection)
  }

  /** Answers whether a version could be named. */
  run({ document, version, label }: HistoryOperation): number {
    const stored = this.#sql.entry.get(document, version)
    if (stored === undefined) return 0
    if (label === null) this.#sql.deleteLabel.run(stored, version)
    else this.#sql.upsertLabel.run(stored, version, label)
    return 1
  }
}

interface FactsRow {
  readonly version: number
  readonly author: string
  readonly at: number
  readonly origin: number
  readonly bytes: number
  readonly label: string | null
}

/** Answers what the port asks about versions, without reading what they did. */
export class SqliteHistoryReader {
  readonly #sql: ReturnType<typeof prepareReader>

  constructor(connection: Database.Database) {
    this.#sql = prepareReader(connection)
  }

  versions(document: DocumentId, after: Version, upTo: Version, limit: number): VersionFacts[] {
    return this.#sql.versions.all({ id: document, after, upTo, limit }).map((row) => decodeFacts(document, row))
  }

  logStart(document: DocumentId): Version {
    return toVersion((this.#sql.firstVersion.get(document) ?? 1) - 1)
  }

  versionAt(document: DocumentId, version: Version): VersionFacts | null {
    const row = this.#sql.versionAt.get({ id: document, version })
    return row === undefined ? null : decodeFacts(document, row)
  }
}

function decodeFacts(document: DocumentId, row: FactsRow): VersionFacts {
  const origin = originOf(row.origin)
  if (origin === undefined) throw damaged(`Entry ${row.version} of ${document}`)
  const version = toVersion(row.version)
  const { at, bytes, label } = row
  return { version, firstVersion: version, author: toPrincipalId(row.author), at, origin, bytes, label }
}

function prepareWriter(connection: Database.Database) {
  return {
    entry: connection
      .prepare<[id: string, version: number], number>(
        `SELECT entries.document FROM documents JOIN entries ON entries.document = documents.key
         WHERE documents.id = ? AND entries.version = ?`,
      )
      .pluck(),
    upsertLabel: connection.prepare<[document: number, version: number, label: string]>(
      `INSERT INTO labels (document, version, label) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET label = excluded.label`,
    ),
    deleteLabel: connection.prepare<[document: number, version: number]>(
      'DELETE FROM labels WHERE document = ? AND version = ?',
    ),
  }
}

/** The length of a blob is in the header of its row, so that none is read. */
const FACTS = `SELECT entries.version, sub AS author, at, origin, length(update_bytes) AS bytes, label
  FROM documents
  JOIN entries ON entries.document = documents.key
  JOIN principals ON principals.key = entries.author
  LEFT JOIN labels ON labels.document = entries.document AND labels.version = entries.version
  WHERE documents.id = @id`

function prepareReader(connection: Database.Database) {
  return {
    firstVersion: connection
      .prepare<[id: string], number>(
        `SELECT version FROM entries WHERE document = (SELECT key FROM documents WHERE id = ?)
         ORDER BY version LIMIT 1`,
      )
      .pluck(),
    versions: connection.prepare<[{ id: string; after: number; upTo: number; limit: number }], FactsRow>(
      `${FACTS} AND entries.version > @after AND entries.version <= @upTo ORDER BY entries.version DESC LIMIT @limit`,
    ),
    versionAt: connection.prepare<[{ id: string; version: number }], FactsRow>(
      `${FACTS} AND entries.version = @version`,
    ),
  }
}
