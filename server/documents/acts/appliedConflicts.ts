import type { ConflictId, DocumentId } from '../../foundation/ids.ts'
import type { ConflictRecord } from '../../model/conflict.ts'
import type { Committer } from '../commit.ts'
import type { ConflictQuery, ConflictReads } from '../../storage/conflicts.ts'

interface AppliedConflictParts {
  readonly storage: ConflictReads
  readonly committer: Pick<Committer, 'conflictsUnderway'>
}

/** Conflicts of a document as every act leaves them that was handed over, on disk or not; newest first. */
export async function appliedConflicts(
  { storage, committer }: AppliedConflictParts,
  document: DocumentId,
  query: Omit<ConflictQuery, 'patterns'>,
): Promise<readonly ConflictRecord[]> {
  // Before and after: an act that ends while storage is read may be in neither that nor what is on its way after it.
  const before = committer.conflictsUnderway(document)
  const stored = await storage.conflicts({ ...query, patterns: [{ exact: document }] })
  const underway = [...before, ...committer.conflictsUnderway(document)]
  if (underway.length === 0) return stored
  return [...newest([...stored, ...underway]).values()]
    .filter((record) => fits(record, query))
    .toSorted((a, b) => (a.id < b.id ? 1 : -1))
    .slice(0, query.limit)
}

/** Of each conflict the record with the highest revision. */
function newest(records: readonly ConflictRecord[]): Map<ConflictId, ConflictRecord> {
  const byId = new Map<ConflictId, ConflictRecord>()
  for (const record of records) {
    const known = byId.get(record.id)
    if (known === undefined || known.revision < record.revision) byId.set(record.id, record)
  }
  return byId
}

function fits(record: ConflictRecord, { statuses, kinds, author, before }: Omit<ConflictQuery, 'patterns'>): boolean {
  return (
    (statuses?.includes(record.state.status) ?? true) &&
    (kinds?.includes(record.kind) ?? true) &&
    (author === undefined || record.author === author) &&
    (before === null || record.id < before)
  )
}
