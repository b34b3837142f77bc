/**
 * Which contents in an answer that shows a conflict stand elsewhere as well (SPEC WRITE-8): its sides are versions of the
 * log or are kept with it, and a merge is made of them again. Pure.
 */
import type { ContentRef, ShownContent, ShownIn } from '../foundation/shownContent.ts'
import type { ConflictRecord, SideRef } from '../model/conflict.ts'

/** Of an answer whose member `conflict` shows this record; `made`: a proposal that its member `proposal` shows. */
export const shownInConflict =
  (record: ConflictRecord, made: { readonly id: string } | null = null): ShownIn =>
  (body) => {
    const { document, proposals } = record
    const shown: ShownContent[] = []
    const add = (ref: ContentRef | null, ...path: ShownContent['path']): void => {
      if (ref !== null && holds(body, path)) shown.push({ ...ref, path, document })
    }
    // The current one last: of an answer's versions the last is held back from compaction, and the conflict holds the others.
    add(refOf(record, record.base), 'conflict', 'base', 'content')
    add(refOf(record, record.incoming), 'conflict', 'incoming', 'content')
    add(mergedRef(record), 'conflict', 'merged', 'content')
    for (const [index, { id, hash }] of proposals.entries()) {
      add({ hash, conflict: record.id }, 'conflict', 'proposals', index, 'content')
      if (id === made?.id) add({ hash, conflict: record.id }, 'proposal', 'content')
    }
    add(refOf(record, record.current), 'conflict', 'current', 'content')
    return shown
  }

/** Null for a side of neither kind, of which there is none. */
function refOf({ id }: Pick<ConflictRecord, 'id'>, { version, hash }: SideRef): ContentRef | null {
  if (hash !== null) return { hash, conflict: id }
  return version === null ? null : { version }
}

function mergedRef(record: ConflictRecord): ContentRef | null {
  const { kind, live, base, current, incoming } = record
  if (live) return { version: live.seen }
  if (kind === 'invalid-merge') return refOf(record, incoming)
  const [one, two, three] = [refOf(record, base), refOf(record, current), refOf(record, incoming)]
  return one && two && three && { merge: { base: one, current: two, incoming: three } }
}

function holds(body: object, path: ShownContent['path']): boolean {
  let at: unknown = body
  for (const step of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return false
    at = Reflect.get(at, step)
  }
  return true
}
