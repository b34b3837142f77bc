import type { Content } from '../content/content.ts'
import type { Effect } from '../content/effect.ts'
import { contentBytes } from '../content/equal.ts'
import { isSmallContent } from '../content/smallContent.ts'
import { type ConflictId, nextVersion, NO_VERSION, type PrincipalId, type Version } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { closed, type ConflictRecord } from '../model/conflict.ts'
import type { NewEvent } from '../model/event.ts'
import { conflictSuperseded } from '../model/events.ts'
import type { ConflictWrite } from '../storage/conflicts.ts'
import type { View } from './acts/view.ts'
import type { StillOpen } from './openReaches.ts'
import { verdictOn } from './superseded.ts'

/**
 * Of the content, once for each open conflict: what is less is compared with all of them, which costs no more than to find
 * out which of them it touches. What is more, of those that are touched alone, is not compared within the write: two merges
 * of that in lines of a few letters take some 40 ms, and whoever writes the document waits for them.
 */
const COMPARED_AT_ONCE_BYTES = 256 * 1024
/** Likewise of a json content with more values: each edit is held against the elements in question one by one. */
const COMPARED_AT_ONCE = { units: Number.POSITIVE_INFINITY, values: 5_000 }
const EDITS_AT_ONCE = 100
/** Edits, once for each open conflict: to find out which of them so many touch takes some 20 ms. */
const MAX_EDITS_LOOKED_FOR = 100_000
/** Writes that a conflict has still to be compared with: past them the oldest is let go. */
const MAX_UNSETTLED = 16

/** A change of content by the author of open conflicts. */
export interface SettlingWrite {
  readonly author: PrincipalId
  readonly at: number
  readonly before: Content
  readonly after: Content
}

/** What a write is to the open conflicts of its author that it did not close. */
export interface Settling {
  /** Of the write. */
  readonly version: Version
  /** Compared with it, and open. */
  readonly open: readonly StillOpen[]
  /** To be compared with it after its act; their records say so. */
  readonly unsettled: readonly ConflictId[]
}

/** What becomes of the writer's open conflicts, as parts of the act of the write. */
interface Superseding {
  readonly conflicts: readonly ConflictWrite[]
  readonly events: readonly NewEvent[]
  readonly settling?: Settling
}

const NOTHING_SUPERSEDED: Superseding = { conflicts: [], events: [] }

type SupersedingView = Pick<View, 'head' | 'contentAt' | 'storedContent' | 'touchedBy' | 'comparing'>

/** Closes those of the writer's open conflicts that the write settles (SPEC WRITE-7), or notes that they are to be compared. */
export async function supersede(
  view: SupersedingView,
  own: readonly ConflictRecord[],
  write: SettlingWrite,
): Promise<Superseding> {
  if (own.length === 0) return NOTHING_SUPERSEDED
  const effect = await view.comparing(write.author).effectBetween(write.before, write.after)
  if (effect === null) return NOTHING_SUPERSEDED
  const version = nextVersion(view.head.version)
  const bytes = contentBytes(write.after)
  const isLittle = own.length * bytes <= COMPARED_AT_ONCE_BYTES
  const touched = isLittle || isWide(effect, own.length) ? own : await view.touchedBy(own, effect)
  const isMuch = touched.length * bytes > COMPARED_AT_ONCE_BYTES || areManyIn(effect, write.after)
  if (touched.length > 0 && isMuch) return later(touched, version)
  return compared(view, touched, { ...write, effect, version })
}

const areManyIn = (effect: Effect, content: Content): boolean =>
  effect?.kind === 'json' && effect.edits.length > EDITS_AT_ONCE && !isSmallContent(content, COMPARED_AT_ONCE)

const isWide = (effect: Effect, conflicts: number): boolean =>
  effect?.kind === 'json' && effect.edits.length * conflicts > MAX_EDITS_LOOKED_FOR

async function compared(
  view: SupersedingView,
  touched: readonly ConflictRecord[],
  write: SettlingWrite & { readonly effect: Effect; readonly version: Version },
): Promise<Superseding> {
  const conflicts: ConflictWrite[] = []
  const events: NewEvent[] = []
  const left: StillOpen[] = []
  const contentOfBase = lastContentAt(view)
  for (const open of touched) {
    const base = await contentOfBase(open.base.version ?? NO_VERSION)
    const incoming = await storedIncoming(view, open)
    const verdict = verdictOn({ base, incoming }, write)
    if (!verdict.isSettled) {
      left.push({ conflict: open.id, reach: verdict.reach })
      continue
    }
    const record = supersededBy(open, write)
    conflicts.push({ op: 'update', record })
    events.push(conflictSuperseded(record))
  }
  return { conflicts, events, settling: { version: write.version, open: left, unsettled: [] } }
}

/** They stay open for now, and their records name the write. */
function later(touched: readonly ConflictRecord[], version: Version): Superseding {
  const conflicts = touched.map((open): ConflictWrite => {
    const unsettled = [...(open.unsettled ?? []), version].slice(-MAX_UNSETTLED)
    return { op: 'update', record: { ...open, unsettled, revision: open.revision + 1 } }
  })
  return { conflicts, events: [], settling: { version, open: [], unsettled: touched.map(({ id }) => id) } }
}

/** The record of an open conflict that a later write of its author settles. */
export const supersededBy = (
  open: ConflictRecord,
  { at, author }: Pick<SettlingWrite, 'at' | 'author'>,
): ConflictRecord => closed(open, { status: 'superseded', closedAt: at, closedBy: author, comment: null })

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
  const { hash } = record.incoming
  const content = hash === null ? null : await view.storedContent(record.id, hash)
  if (content === null) throw new ParleyError('document-damaged', `The incoming content of ${record.id} is missing.`)
  return content
}
