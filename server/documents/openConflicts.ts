import type { ConflictRecord } from '../model/conflict.ts'
import { closed } from './staleWrite.ts'
import { isSuperseded } from './superseded.ts'
import type { Content } from '../content/content.ts'
import { effectBetween, type Effect } from '../content/effect.ts'
import { contentBytes } from '../content/equal.ts'
import type { PrincipalId, Version } from '../foundation/ids.ts'
import { NO_VERSION } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { conflictSuperseded } from '../model/events.ts'
import type { NewEvent } from '../model/event.ts'
import type { ConflictWrite } from '../storage/storage.ts'
import type { View } from './acts/view.ts'

/**
 * Of the content, once for each open conflict: what is more is not compared within the write. Two merges of 1 MiB take some
 * 20 ms, and whoever writes the document waits for them.
 */
const COMPARED_AT_ONCE_BYTES = 2 * 1024 * 1024

/** A change of content by the author of open conflicts. */
export interface SettlingWrite {
  readonly author: PrincipalId
  readonly at: number
  readonly before: Content
  readonly after: Content
}

/** A write with open conflicts of its author, which are compared with it after its act. */
export interface Unsettled extends SettlingWrite {
  readonly effect: NonNullable<Effect>
  readonly own: readonly ConflictRecord[]
}

/** What becomes of the writer's open conflicts, as parts of the act of the write. */
interface Superseding {
  readonly conflicts: readonly ConflictWrite[]
  readonly events: readonly NewEvent[]
  /** Set where they are too much to compare for the act. */
  readonly unsettled?: Unsettled
}

/** Closes those of the writer's open conflicts that the write settles (SPEC WRITE-7), or leaves that for after the act. */
export async function supersede(
  view: Pick<View, 'contentAt' | 'storedContent'>,
  own: readonly ConflictRecord[],
  write: SettlingWrite,
): Promise<Superseding> {
  const conflicts: ConflictWrite[] = []
  const events: NewEvent[] = []
  const effect = own.length === 0 ? null : effectBetween(write.before, write.after)
  if (effect === null) return { conflicts, events }
  if (own.length * contentBytes(write.after) > COMPARED_AT_ONCE_BYTES) {
    return { conflicts, events, unsettled: { ...write, effect, own } }
  }
  const change = { before: write.before, effect, after: write.after }
  const contentOfBase = lastContentAt(view)
  for (const open of own) {
    const base = await contentOfBase(open.base.version ?? NO_VERSION)
    const incoming = await storedIncoming(view, open)
    if (!isSuperseded({ base, incoming }, change)) continue
    const record = supersededBy(open, write)
    conflicts.push({ op: 'update', record })
    events.push(conflictSuperseded(record))
  }
  return { conflicts, events }
}

/** The record of an open conflict that a later write of its author settles. */
export const supersededBy = (open: ConflictRecord, { at, author }: SettlingWrite): ConflictRecord =>
  closed(open, { status: 'superseded', closedAt: at, closedBy: author, comment: null })

/** The open `invalid-merge` of a document, of which there is one (SPEC CONF-8). */
export async function openInvalidMerge(view: Pick<View, 'conflicts'>): Promise<ConflictRecord | null> {
  const [found] = await view.conflicts({ statuses: ['open'], kinds: ['invalid-merge'], before: null, limit: 1 })
  return found ?? null
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
function lastContentAt(view: Pick<View, 'contentAt'>): (version: Version) => Promise<Content> {
  let last: { readonly version: Version; readonly content: Content } | null = null
  return async (version) => {
    if (last?.version !== version) last = { version, content: await view.contentAt(version) }
    return last.content
  }
}

async function storedIncoming(view: Pick<View, 'storedContent'>, record: ConflictRecord): Promise<Content> {
  const content = record.incoming.hash === null ? null : await view.storedContent(record.incoming.hash)
  if (content === null) throw new ParleyError('document-damaged', `The incoming content of ${record.id} is missing.`)
  return content
}
