import type Database from 'better-sqlite3'
import { toPrincipalId, type DocumentId } from '../../foundation/ids.ts'
import type { Actor, PeopleQuery, Person } from '../people.ts'
import type { SqliteDocumentWriter } from './documents.ts'

/** Keeps what people are called; knows nothing of transactions. */
export class SqlitePeopleWriter {
  readonly #documents: SqliteDocumentWriter
  readonly #upsert: Database.Statement<[document: number, sub: string, name: string]>

  constructor(connection: Database.Database, documents: SqliteDocumentWriter) {
    this.#documents = documents
    this.#upsert = connection.prepare(
      `INSERT INTO people (document, sub, name) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET name = excluded.name WHERE name <> excluded.name`,
    )
  }

  keep({ document, sub, name }: Actor): void {
    this.#upsert.run(this.#documents.keyOf(document), sub, name)
  }
}

interface PersonRow {
  readonly sub: string
  readonly name: string
}

/** Answers what is asked about people. */
export class SqlitePeopleReader {
  readonly #selectUpdater: Database.Statement<[document: string], string>
  readonly #select: Database.Statement<[document: string, after: string, limit: number], PersonRow>
  readonly #selectOne: Database.Statement<[document: string, after: string, sub: string, limit: number], PersonRow>

  constructor(connection: Database.Database) {
    const ofDocument = 'SELECT sub, name FROM people WHERE document = (SELECT key FROM documents WHERE id = ?)'
    // Each condition as the index takes it: with `? IS NULL OR` before it, everybody is gone through from the first.
    this.#select = connection.prepare(`${ofDocument} AND sub > ? ORDER BY sub LIMIT ?`)
    this.#selectOne = connection.prepare(`${ofDocument} AND sub > ? AND sub = ? LIMIT ?`)
    this.#selectUpdater = connection
      .prepare<[document: string], string>(
        `SELECT name FROM documents JOIN people ON people.document = documents.key AND people.sub = documents.updated_by
         WHERE documents.id = ?`,
      )
      .pluck()
  }

  updaterNames(documents: readonly DocumentId[]): Map<DocumentId, string> {
    const names = new Map<DocumentId, string>()
    for (const document of documents) {
      const name = this.#selectUpdater.get(document)
      if (name !== undefined) names.set(document, name)
    }
    return names
  }

  people(document: DocumentId, { sub: one, after, limit }: PeopleQuery): Person[] {
    const start = after ?? ''
    const found =
      one === null ? this.#select.all(document, start, limit) : this.#selectOne.all(document, start, one, limit)
    return found.map(({ sub, name }) => ({ sub: toPrincipalId(sub), name }))
  }
}
