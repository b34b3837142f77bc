import { assertNever } from '../assertNever.ts'
import type { Conflict, ConflictKind, ListedConflict, ParleyEvent, Place, Range, Use } from '../parley/types.ts'
import { personOf, type Names } from './names.ts'

/** The places of a conflict, for one line of a list: the first two and how many more. */
export function places(conflict: ListedConflict): string {
  const { kind, overlaps, current } = conflict
  if (kind === 'invalid-merge') return `since version ${(current.version ?? 0) + 1}`
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
      return conflict.waited === true
        ? `Edits of ${peopleOf(conflict.incoming.authors, names)} had to wait`
        : `${who} came back with offline edits`
    case 'invalid-merge':
      return `${who} broke the schema`
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
      return 'What was edited stands until someone corrects it. Take it back, or write the result by hand.'
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
      return conflict.waited === true
        ? `Edits of ${peopleOf(incoming.authors, names)} had to wait for a lock. Meanwhile ${others} changed the same place; neither knew of the other’s edits.`
        : `${who} made edits while offline. Meanwhile ${others} changed the same place; neither knew of the other’s edits.`
    case 'invalid-merge':
      return `Since an edit by ${peopleOf(incoming.authors, names)} the document is not what its schema allows.`
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
        : `${sentence(personOf(conflict.resolution.by, names))} resolved it: ${wordsOf(conflict.resolution.use, conflict.kind).did}.`
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

interface UseWords {
  /** As on a button. */
  readonly button: string
  readonly did: string
}

/** What taking `current` is: it stands, or stood until the merge, or was before the schema was broken. */
const CURRENT: Readonly<Record<ConflictKind, UseWords>> = {
  'stale-write': { button: 'Keep current', did: 'kept current' },
  'concurrent-edit': { button: 'Take current', did: 'took current' },
  'invalid-merge': { button: 'Take it back', did: 'took it back' },
}

function wordsOf(use: Use, kind: ConflictKind): UseWords {
  switch (use) {
    case 'current':
      return CURRENT[kind]
    case 'incoming':
      return { button: 'Take incoming', did: 'took incoming' }
    case 'merged':
      return kind === 'stale-write'
        ? { button: 'Use the merge', did: 'used the merge' }
        : { button: 'Keep the merge', did: 'kept the merge' }
    case 'content':
      return { button: 'A result written by hand', did: 'wrote the result by hand' }
    case 'choices':
      return { button: 'A choice place by place', did: 'chose place by place' }
    default:
      return assertNever(use)
  }
}

/** What taking the side `current` is called, as on a button. */
export const currentWords = (kind: ConflictKind): string => CURRENT[kind].button

/** What a proposal asks for. */
export function proposalWords(use: Use, kind: ConflictKind): string {
  const { button } = wordsOf(use, kind)
  return `${button.charAt(0).toLowerCase()}${button.slice(1)}`
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
