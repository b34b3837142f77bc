import { ProblemError } from '../parley/rest.ts'
import type { Permission } from '../parley/token.ts'

/** What the server says of a document that was deleted. */
export interface Deletion {
  readonly lastVersion: number
  readonly at: string | null
  readonly by: string | null
  /** Nothing else of it is kept. */
  readonly isPurged: boolean
}

/** Null where the error says something else. */
export function deletionIn(error: unknown): Deletion | null {
  if (!(error instanceof ProblemError) || error.problem.code !== 'document-deleted') return null
  const { lastVersion = 0, deletedAt = null, deletedBy = null, purged = false } = error.problem
  return { lastVersion, at: deletedAt, by: deletedBy, isPurged: purged }
}

/** SPEC DOC-6: `admin` brings a deleted document back, and whoever deleted it. */
export function mayRevive(deletion: Deletion, self: string, rights: ReadonlySet<Permission>): boolean {
  if (deletion.isPurged) return false
  return rights.has('admin') || (rights.has('write') && deletion.by === self)
}
