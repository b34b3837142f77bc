import type { Content, JsonValue, Range, Value } from './content.ts'

/** Lines that both sides changed differently. Each string is its lines joined by `\n`, without a final newline. */
export interface TextOverlap {
  /** See `nameOfLines`, of the base: the same while the base is, however current moves elsewhere. */
  readonly id: string
  readonly lines: { readonly base: Range; readonly current: Range; readonly incoming: Range }
  readonly base: string
  readonly current: string
  readonly incoming: string
}

/** A place of a json content that both sides changed differently. */
export interface JsonOverlap {
  /** `P<pointer>` */
  readonly id: string
  /** RFC 6901, with indices of the base, or the insertion index. */
  readonly pointer: string
  /** Where the same place is in the other two contents. */
  readonly pointers: { readonly current: string; readonly incoming: string }
  /**
   * Set where some side has several elements of an array at this place: then each value that is present is
   * the list of these elements, the first of which stands at the pointer.
   */
  readonly elements?: true
  readonly base: Value
  readonly current: Value
  readonly incoming: Value
}

export type Overlap = TextOverlap | JsonOverlap

/** An overlap of a live merge, with where it is in the merged text and what the merge made of it. */
export interface LiveTextOverlap extends TextOverlap {
  readonly lines: TextOverlap['lines'] & { readonly merged: Range }
  readonly merged: string
}
/** The same of a json content. */
export interface LiveJsonOverlap extends JsonOverlap {
  readonly pointers: JsonOverlap['pointers'] & { readonly merged: string }
  readonly merged: Value
}
export type LiveOverlap = LiveTextOverlap | LiveJsonOverlap

/** What shall stand at an overlap: a side, or for json a value (`elements`: the list), for text lines. */
export type Choice = 'base' | 'current' | 'incoming' | { readonly value: JsonValue } | { readonly text: string }

/** Why a choice cannot be applied; `overlap` is its id. */
export interface ChoiceError {
  readonly overlap: string
  readonly message: string
}

export interface Merge {
  /** Nothing overlaps. */
  readonly clean: boolean
  /** Every non-overlapping change of both sides; overlaps as in current. */
  readonly content: Content
  readonly overlaps: readonly Overlap[]
}

/** A run of changed lines; the strings are its lines joined by `\n`. */
export interface LineChange {
  readonly lines: { readonly base: Range; readonly side: Range }
  readonly base: string
  readonly side: string
}

/** A changed place of a json content; `pointer` and `elements` as in `JsonOverlap`. */
export interface ValueChange {
  readonly pointer: string
  readonly elements?: true
  readonly base: Value
  readonly side: Value
}

export type Change = LineChange | ValueChange

/**
 * The name of lines as people count them: `L2` is line 2, `L2-4` lines 2 to 4, `L2+` the place after line 2, and `L0+` that
 * before the first.
 */
export function nameOfLines({ start, end }: Range): string {
  if (start === end) return `L${start - 1}+`
  return start + 1 === end ? `L${start}` : `L${start}-${end - 1}`
}

/**
 * Whether there are overlaps, and in each the sides differ in nothing but line ends and blanks at the ends of lines; of a live
 * merge also what it made of them.
 */
export const differInBlanksOnly = (overlaps: readonly (Overlap | LiveOverlap)[]): boolean =>
  overlaps.length > 0 &&
  overlaps.every((overlap) => {
    const [first, ...others] = textsOf(overlap).map((text) => (text === null ? null : withoutEndBlanks(text)))
    return first !== null && others.every((other) => other === first)
  })

/** The same of what stands at one place on two sides. */
export const isSameButBlanks = (current: Value, incoming: Value): boolean => {
  const [a, b] = [current, incoming].map((side) => (side.present && typeof side.value === 'string' ? side.value : null))
  return typeof a === 'string' && typeof b === 'string' && withoutEndBlanks(a) === withoutEndBlanks(b)
}

/** The texts that stand at an overlap by now; null for what is no text. */
function textsOf(overlap: Overlap | LiveOverlap): readonly (string | null)[] {
  if ('lines' in overlap) {
    const { current, incoming } = overlap
    return 'merged' in overlap ? [current, incoming, overlap.merged] : [current, incoming]
  }
  const values = [overlap.current, overlap.incoming, ...('merged' in overlap ? [overlap.merged] : [])]
  return values.map((value) => (value.present && typeof value.value === 'string' ? value.value : null))
}

const withoutEndBlanks = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
