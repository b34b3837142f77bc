import { nearestTo } from '../documents/past.ts'
import { type DocumentId, previousVersion, type PrincipalId, toVersion, type Version } from '../foundation/ids.ts'
import { documentDeleted, documentNotFound, ParleyError } from '../foundation/problems.ts'
import { deletionOf, type Head, isPurged } from '../model/document.ts'
import type { DocumentReads } from '../storage/documents.ts'
import type { HistoryReads, VersionFacts } from '../storage/history.ts'

/** The part of a document's log that someone may see. */
export interface Log {
  readonly head: Head
  /** Versions are above this one. */
  readonly after: Version
}

/**
 * The log of a document: of its present life, or to `admin` of all its lives (SPEC DOC-6). Throws `not-found`, or
 * `document-deleted` where it is deleted and the reader is no `admin` (nor the `reviver` the one who deleted it), or nothing is
 * left of it.
 */
export async function openLog(
  storage: DocumentReads & HistoryReads,
  document: DocumentId,
  isAdmin: boolean,
  reviver: PrincipalId | null = null,
): Promise<Log> {
  const head = await storage.head(document)
  if (!head) throw documentNotFound(document)
  const isShut = head.deletedAt !== null && !isAdmin && head.updatedBy !== reviver
  if (isPurged(head) || isShut) {
    throw documentDeleted(document, head.version, deletionOf(head))
  }
  return { head, after: isAdmin ? await storage.logStart(document) : previousVersion(head.firstVersion) }
}

/** The facts of a version that is kept. Throws `not-found`, or `version-compacted` with the nearest that is. */
export async function keptVersion(
  storage: DocumentReads & HistoryReads,
  log: Log,
  version: number,
): Promise<VersionFacts> {
  const { head } = log
  const isOfLog = version > log.after && version <= head.version
  const facts = isOfLog ? await storage.versionAt(head.id, toVersion(version)) : null
  if (!facts) throw new ParleyError('not-found', `${head.id} has no version ${version}.`)
  if (facts.version === version) return facts
  throw new ParleyError(
    'version-compacted',
    `Version ${version} of ${head.id} became part of version ${facts.version}.`,
    {
      extras: { current: head.version, nearest: nearestTo(toVersion(version), facts) },
    },
  )
}
