import type Database from 'better-sqlite3'
import { toPrincipalId } from '../../foundation/ids.ts'
import type { Revocation } from '../revocations.ts'

/** Revocations one pruning call deletes at most: what waits behind it waits some milliseconds, not longer. */
const PRUNED_REVOCATIONS = 1000

/** What the writer is asked to do about revocations. */
export type RevocationOperation =
  | { readonly op: 'revoke'; readonly row: RevocationRow }
  | { readonly op: 'prune-revocations'; readonly before: number }

/** A row of `revocations`. */
interface RevocationRow {
  readonly subject_kind: 'sub' | 'jti'
  readonly subject: string
  readonly until: number
}

export function encodeRevocation({ subject, until }: Revocation): RevocationRow {
  return 'sub' in subject
    ? { subject_kind: 'sub', subject: subject.sub, until }
    : { subject_kind: 'jti', subject: subject.jti, until }
}

const decodeRevocation = (row: RevocationRow): Revocation => ({
  subject: row.subject_kind === 'sub' ? { sub: toPrincipalId(row.subject) } : { jti: row.subject },
  until: row.until,
})

/** Keeps and forgets revocations; knows nothing of transactions. */
export class SqliteRevocationWriter {
  readonly #sql: ReturnType<typeof prepareWrites>

  constructor(connection: Database.Database) {
    this.#sql = prepareWrites(connection)
  }

  /** Of a subject the latest counts. */
  keep({ subject_kind: kind, subject, until }: RevocationRow): void {
    this.#sql.upsertRevocation.run(kind, subject, until)
  }

  /** Deletes those before `before`, at most a bounded number; answers how many. */
  prune(before: number): number {
    return this.#sql.pruneRevocations.run(before, PRUNED_REVOCATIONS).changes
  }
}

export class SqliteRevocationReader {
  readonly #select: Database.Statement<[since: number], RevocationRow>

  constructor(connection: Database.Database) {
    this.#select = connection.prepare(
      'SELECT subject_kind, subject, until FROM revocations WHERE until >= ? ORDER BY subject_kind, subject',
    )
  }

  revocations(since: number): Revocation[] {
    return this.#select.all(since).map(decodeRevocation)
  }
}

function prepareWrites(connection: Database.Database) {
  return {
    upsertRevocation: connection.prepare<[kind: string, subject: string, until: number]>(
      `INSERT INTO revocations (subject_kind, subject, until) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET until = max(until, excluded.until)`,
    ),
    pruneRevocations: connection.prepare<[before: number, limit: number]>(
      `DELETE FROM revocations WHERE (subject_kind, subject) IN (
         SELECT subject_kind, subject FROM revocations WHERE until < ? LIMIT ?)`,
    ),
  }
}
