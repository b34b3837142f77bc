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

/** Answers what is asked about people. */
export class SqlitePeopleReader {
  readonly #selectUpdater: Database.Statement<[document: string], string>
  readonly #select: Database.Statement<[Record<string, string | number | null>], { sub: string; name: string }>

  constructor(connection: Database.Database) {
    this.#select = connection.prepare(
      `SELECT sub, name FROM people
       WHERE document = (SELECT key FROM documents WHERE id = @document)
         AND (@after IS NULL OR sub > @after)
         AND (@sub IS NULL OR sub = @sub)
       ORDER BY sub LIMIT @limit`,
    )
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
    const found = this.#select.all({ document, sub: one, after, limit })
    return found.map(({ sub, name }) => ({ sub: toPrincipalId(sub), name }))
  }
}
