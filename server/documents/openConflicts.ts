import type { ConflictRecord } from '../model/conflict.ts'
import { closed } from './staleWrite.ts'
import { isSuperseded } from './superseded.ts'
import type { Content, Kind } from '../content/content.ts'
import { effectBetween } from '../content/effect.ts'
import type { DocumentId, PrincipalId, Version } from '../foundation/ids.ts'
import { NO_VERSION } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { conflictSuperseded } from '../model/events.ts'
import type { NewEvent } from '../model/event.ts'
import type { ConflictWrite, Storage } from '../storage/storage.ts'
import { contentAt } from './past.ts'
import type { Replica } from './replica.ts'

/** SPEC CONF-9: open conflicts a principal may have on one document. */
export const MAX_OPEN_CONFLICTS = 100
/** Authors a replica remembers to have none; others cost one query a write. */
const MAX_REMEMBERED_AUTHORS = 10_000

/**
 * The open stale writes of one author on a document, newest first. Call it in the document's turn. A load reads
 * nothing of conflicts: the first write of each author does, and the replica remembers who has none.
 */
export async function openConflictsOf(
  storage: Storage,
  replica: Replica,
  author: PrincipalId,
): Promise<readonly ConflictRecord[]> {
  const { authorsWithoutConflicts } = replica
  if (authorsWithoutConflicts.has(author)) return []
  const found = await storage.conflicts({
    patterns: [{ exact: replica.id }],
    statuses: ['open'],
    kinds: ['stale-write'],
    author,
    before: null,
    limit: MAX_OPEN_CONFLICTS,
  })
  if (found.length === 0 && authorsWithoutConflicts.size < MAX_REMEMBERED_AUTHORS) authorsWithoutConflicts.add(author)
  return found
}

/** A change of content by the author of open conflicts. */
export interface SettlingWrite {
  readonly author: PrincipalId
  readonly at: number
  readonly before: Content
  readonly after: Content
}

/**
 * Closes those of the writer's open conflicts that the write settles (SPEC WRITE-7), as parts of its act.
 * Each may hold contents of 10 MiB, so they are looked at one after the other.
 */
export async function supersede(
  storage: Storage,
  own: readonly ConflictRecord[],
  write: SettlingWrite,
): Promise<{ conflicts: ConflictWrite[]; events: NewEvent[] }> {
  const conflicts: ConflictWrite[] = []
  const events: NewEvent[] = []
  const effect = own.length === 0 ? null : effectBetween(write.before, write.after)
  if (effect === null) return { conflicts, events }
  const change = { before: write.before, effect, after: write.after }
  const contentOfBase = lastContentAt(storage)
  for (const open of own) {
    const base = await contentOfBase(open.document, open.documentKind, open.base.version ?? NO_VERSION)
    const incoming = await storedIncoming(storage, open)
    if (!isSuperseded({ base, incoming }, change)) continue
    const record = closed(open, { status: 'superseded', closedAt: write.at, closedBy: write.author, comment: null })
    conflicts.push({ op: 'update', record })
    events.push(conflictSuperseded(record))
  }
  return { conflicts, events }
}

/**
 * The open `invalid-merge` of a document, of which there is one (SPEC CONF-8). Call it in the document's turn.
 */
export async function openInvalidMerge(storage: Storage, document: DocumentId): Promise<ConflictRecord | null> {
  const found = await storage.conflicts({
    patterns: [{ exact: document }],
    statuses: ['open'],
    kinds: ['invalid-merge'],
    before: null,
    limit: 1,
  })
  return found[0] ?? null
}

/** Closes it because the content is valid now, as parts of an act; `by` made it so. Nothing where there is none. */
export function validAgain(
  open: ConflictRecord | null,
  { by, at }: { readonly by: PrincipalId; readonly at: number },
): { conflicts: ConflictWrite[]; events: NewEvent[] } {
  if (open === null) return { conflicts: [], events: [] }
  const record = closed(open, { status: 'superseded', closedAt: at, closedBy: by, comment: null })
  return { conflicts: [{ op: 'update', record }], events: [conflictSuperseded(record)] }
}

/** `contentAt` that remembers its last answer: conflicts that follow each other often have the same base. */
function lastContentAt(storage: Storage): (id: DocumentId, kind: Kind, version: Version) => Promise<Content> {
  let last: { readonly version: Version; readonly content: Content } | null = null
  return async (id, kind, version) => {
    if (last?.version !== version) last = { version, content: await contentAt(storage, id, kind, version) }
    return last.content
  }
}

async function storedIncoming(storage: Storage, record: ConflictRecord): Promise<Content> {
  const content = record.incoming.hash === null ? null : await storage.content(record.incoming.hash)
  if (content === null) throw new ParleyError('document-damaged', `The incoming content of ${record.id} is missing.`)
  return content
}
