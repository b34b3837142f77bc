import { assertNever } from '../assertNever.ts'
import type { Conflict, ConflictKind, ListedConflict, ParleyEvent, Place, Range, Use } from '../parley/types.ts'
import { personOf, type Names } from './names.ts'

/** The places of a conflict, for one line of a list: the first two and how many more. */
export function places(conflict: ListedConflict): string {
  const { overlaps } = conflict
  if (overlaps.length === 0) return 'no place overlaps'
  const [first, second] = overlaps.map((overlap) => place(overlap))
  const named = overlaps.length === 2 ? `${first} and ${second?.toLowerCase() ?? ''}` : (first ?? '')
  return overlaps.length > 2 ? `${named} and ${overlaps.length - 1} more places` : named
}

const OWN_WORDS = /^(you|nobody|line|lines|between|before)\b/

/** A sentence begins with a capital, but an id is never written otherwise than it is. */
export const sentence = (text: string): string =>
  OWN_WORDS.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text

/** `Ada`, `Ada and Bob`, `Ada, Bob and 2 others`. */
export function peopleOf(subs: readonly string[], names: Names): string {
  const [first, second, ...others] = subs.map((sub) => personOf(sub, names))
  if (first === undefined) return 'nobody'
  if (second === undefined) return first
  if (others.length === 0) return `${first} and ${second}`
  return `${first}, ${second} and ${others.length} other${others.length === 1 ? '' : 's'}`
}

/** What a conflict is, in one line of a list. */
export function headline(conflict: ListedConflict, names: Names): string {
  const who = sentence(peopleOf(conflict.incoming.authors, names))
  switch (conflict.kind) {
    case 'stale-write':
      return `${who} wrote on version ${conflict.base.version ?? '?'}`
    case 'concurrent-edit':
      return `${who} came back with offline edits`
    case 'invalid-merge':
      return 'The content breaks its schema'
    default:
      return assertNever(conflict.kind)
  }
}

/** What happened, and, while the conflict is open, where the document stands because of it. */
export function story(conflict: Conflict, names: Names): string {
  return conflict.status === 'open' ? `${beginning(conflict, names)} ${standing(conflict)}` : beginning(conflict, names)
}

function standing({ kind }: Conflict): string {
  switch (kind) {
    case 'stale-write':
      return 'The document holds current; nothing of incoming is in it.'
    case 'concurrent-edit':
      return 'The document holds what the merge made of both. Decide what should stand there.'
    case 'invalid-merge':
      return 'They stand until someone corrects them.'
    default:
      return assertNever(kind)
  }
}

function beginning(conflict: Conflict, names: Names): string {
  const { base, current, incoming } = conflict
  const who = sentence(peopleOf(incoming.authors, names))
  const others = peopleOf(current.authors, names)
  switch (conflict.kind) {
    case 'stale-write':
      return `${who} wrote on version ${base.version ?? '?'}. By then ${others} had moved the document to version ${current.version ?? '?'}, so the write was refused.`
    case 'concurrent-edit':
      return `${who} made edits while offline. Meanwhile ${others} changed the same place; neither knew of the other’s edits.`
    case 'invalid-merge':
      return 'Live edits left the document in a state its schema does not allow.'
    default:
      return assertNever(conflict.kind)
  }
}

/** How a conflict ended; null while it is open. */
export function outcome(conflict: ListedConflict, names: Names): string | null {
  const closer = conflict.closedBy === null ? 'The server' : sentence(personOf(conflict.closedBy, names))
  switch (conflict.status) {
    case 'open':
      return null
    case 'resolved':
      return conflict.resolution === null
        ? `${closer} resolved it.`
        : `${sentence(personOf(conflict.resolution.by, names))} resolved it: ${useWords(conflict.resolution.use, conflict.kind)}.`
    case 'superseded': {
      const by = conflict.closedBy === null ? 'the server' : personOf(conflict.closedBy, names)
      // Nothing settles edits that were merged: there are too many of them.
      const isFull = conflict.kind === 'concurrent-edit'
      return isFull ? `Superseded by newer conflicts of ${by}.` : `Superseded: a later change by ${by} settled it.`
    }
    case 'dismissed':
      return `${closer} dismissed it. The document stayed as it was.`
    case 'expired':
      return 'Expired: the document was deleted.'
    default:
      return assertNever(conflict.status)
  }
}

/** After a live merge neither side stands in the document: current is taken, and the merge can be kept. */
const isLive = (kind: ConflictKind): boolean => kind === 'concurrent-edit'

/** What taking the side `current` is called, as on a button. */
export const currentWords = (kind: ConflictKind): string => (isLive(kind) ? 'Take current' : 'Keep current')

function useWords(use: Use, kind: ConflictKind): string {
  switch (use) {
    case 'current':
      return isLive(kind) ? 'took current' : 'kept current'
    case 'incoming':
      return 'took incoming'
    case 'merged':
      return isLive(kind) ? 'kept the merge' : 'used the merge'
    case 'content':
      return 'wrote the result by hand'
    case 'choices':
      return 'chose place by place'
    default:
      return assertNever(use)
  }
}

/** What a proposal asks for. */
export function proposalWords(use: Use, kind: ConflictKind): string {
  switch (use) {
    case 'current':
      return isLive(kind) ? 'take current' : 'keep current'
    case 'incoming':
      return 'take incoming'
    case 'merged':
      return isLive(kind) ? 'keep the merge' : 'use the merge'
    case 'content':
      return 'a result written by hand'
    case 'choices':
      return 'a choice place by place'
    default:
      return assertNever(use)
  }
}

/** Where an overlap is: `Line 3`, `Lines 3–5`, `Between lines 2 and 3`, or its JSON pointer. */
export function place(overlap: Place): string {
  if ('pointer' in overlap) return overlap.pointer === '' ? 'The whole document' : overlap.pointer
  return sentence(lines(overlap.lines.base))
}

export function lines({ start, end }: Range): string {
  if (end === start) return start <= 1 ? 'before line 1' : `between lines ${start - 1} and ${start}`
  return end === start + 1 ? `line ${start}` : `lines ${start}–${end - 1}`
}

/** The conflict an event tells of, if it names one. */
export function conflictIdOf(event: ParleyEvent): string | null {
  const id = event.data['conflict']
  return typeof id === 'string' ? id : null
}
