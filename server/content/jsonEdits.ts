import { invariant } from '../foundation/assert.ts'
import { alignElements, spanLength, type Run, type Span } from './align.ts'
import { isObject, member, type JsonObject, type JsonValue, type Path } from './content.ts'
import { Draft } from './draft.ts'
import { child } from './pointer.ts'
import { characterWork, textDelta } from './compareText.ts'
import { applyTextDelta, composeDeltas, type TextDelta } from './textDelta.ts'

/** Below this a string is replaced as a whole: a delta would hardly be shorter. */
const MIN_DELTA_UNITS = 32

/**
 * Elements of arrays that are replaced one by one; past them all of an array between its first and its last change is
 * written anew. Each costs a document the more the more there are: 90,000 took it half a minute.
 */
const MAX_REPLACED_ELEMENTS = 1_000

/**
 * One change of a json content. Edits of a list apply in order, each to the result of the one before.
 * Lists made here go from the end of the content to its start, so that every index in them is also an
 * index into the content before any of them.
 */
export type JsonEdit =
  | { readonly at: Path; readonly value: JsonValue }
  | { readonly at: Path; readonly removed: true }
  | { readonly at: Path; readonly index: number; readonly remove: number; readonly insert: readonly JsonValue[] }
  | { readonly at: Path; readonly delta: TextDelta }

/**
 * One change by the rules of CONF-2: the deepest place that differs, where undefined is absent; or a run of
 * elements `span` of the array at `at` that became the elements `to`, with another length or too many to tell one by one.
 */
type JsonChange =
  | { readonly at: Path; readonly from: JsonValue | undefined; readonly to: JsonValue | undefined }
  | { readonly at: Path; readonly span: Span; readonly from: readonly JsonValue[]; readonly to: readonly JsonValue[] }

/**
 * The changes from one content to another, members in code unit order, elements in theirs; indices are
 * those of `from`. Subtrees that are the same object in memory cost nothing.
 */
export const jsonChanges = (from: JsonObject, to: JsonObject): JsonChange[] =>
  new ArrayComparison(Number.POSITIVE_INFINITY).of(from, to)

/** The smallest edits from one content to another, strings compared by `delta`; `[]` when they are equal. */
export function jsonEdits(from: JsonObject, to: JsonObject, delta: typeof textDelta = textDelta): JsonEdit[] {
  const work = characterWork()
  return new ArrayComparison(MAX_REPLACED_ELEMENTS)
    .of(from, to)
    .map((change) => toEdit(change, (before, after) => delta(before, after, work)))
    .reverse()
}

/** Applies edits to any JSON value. The input stays as it is and shares with the result what is unchanged. */
export function applyJsonEdits<T extends JsonValue>(content: T, edits: readonly JsonEdit[]): T
export function applyJsonEdits(content: JsonValue, edits: readonly JsonEdit[]): JsonValue {
  const draft = new Draft(content)
  for (const edit of edits) {
    if ('value' in edit) draft.set(edit.at, edit.value)
    else if ('removed' in edit) draft.remove(edit.at)
    else if ('delta' in edit) draft.set(edit.at, editedText(draft.root, edit))
    else draft.splice(edit.at, edit.index, edit.remove, edit.insert)
  }
  return draft.root
}

/** Fewer edits that do the same: of those that follow each other at one place, one. */
export function joinEdits(edits: readonly JsonEdit[]): JsonEdit[] {
  const joined: JsonEdit[] = []
  for (const edit of edits) {
    const last = joined.at(-1)
    const both = last && isSamePlace(last.at, edit.at) ? joinTwo(last, edit) : null
    if (both) joined[joined.length - 1] = both
    else joined.push(edit)
  }
  return joined
}

function joinTwo(first: JsonEdit, second: JsonEdit): JsonEdit | null {
  if ('delta' in first && 'delta' in second) return { at: first.at, delta: composeDeltas(first.delta, second.delta) }
  return ('value' in first || 'delta' in first) && 'value' in second ? second : null
}

const isSamePlace = (a: Path, b: Path): boolean => a.length === b.length && a.every((step, i) => step === b[i])

function editedText(root: JsonValue, edit: { at: Path; delta: TextDelta }): string {
  const text = edit.at.reduce<JsonValue | undefined>(child, root)
  invariant(typeof text === 'string', 'a delta edits a string')
  return applyTextDelta(text, edit.delta)
}

/** Collects the changes from one content to another. */
class ArrayComparison {
  readonly #changes: JsonChange[] = []
  #elementsLeft: number

  /** `elements` may be replaced one by one; of an array with more, all between its first and its last change is. */
  constructor(elements: number) {
    this.#elementsLeft = elements
  }

  of(from: JsonObject, to: JsonObject): JsonChange[] {
    this.#compare(from, to, [])
    return this.#changes
  }

  #compare(from: JsonValue, to: JsonValue, at: Path): void {
    if (from === to) return
    if (isObject(from) && isObject(to)) this.#compareObjects(from, to, at)
    else if (Array.isArray(from) && Array.isArray(to)) this.#compareArrays(from, to, at)
    else this.#changes.push({ at, from, to })
  }

  #compareObjects(from: JsonObject, to: JsonObject, at: Path): void {
    const keys = Object.keys(from).filter((key) => from[key] !== member(to, key))
    for (const key of Object.keys(to)) if (!Object.hasOwn(from, key)) keys.push(key)
    for (const key of keys.sort()) {
      const [before, after] = [member(from, key), member(to, key)]
      if (before === undefined || after === undefined) {
        this.#changes.push({ at: [...at, key], from: before, to: after })
      } else this.#compare(before, after, [...at, key])
    }
  }

  #compareArrays(from: JsonValue[], to: JsonValue[], at: Path): void {
    const runs = alignElements(from, to)
    const [first, last] = [runs[0], runs.at(-1)]
    const replaced = replacedElements(runs, from, to)
    if (first && last && replaced > this.#elementsLeft) {
      const span: Span = [first.base[0], last.base[1]]
      this.#changes.push({ at, span, from: from.slice(...span), to: to.slice(first.side[0], last.side[1]) })
      return
    }
    this.#elementsLeft -= replaced
    for (const { base, side } of runs) {
      if (spanLength(base) !== spanLength(side)) {
        this.#changes.push({ at, span: base, from: from.slice(...base), to: to.slice(...side) })
        continue
      }
      for (let index = base[0]; index < base[1]; index += 1) {
        this.#compare(from[index] ?? null, to[side[0] + index - base[0]] ?? null, [...at, index])
      }
    }
  }
}

/** Those of which nothing stays, and runs that became longer or shorter. */
function replacedElements(runs: readonly Run[], from: readonly JsonValue[], to: readonly JsonValue[]): number {
  let count = 0
  for (const { base, side } of runs) {
    if (spanLength(base) !== spanLength(side)) count += 1
    else for (let i = base[0]; i < base[1]; i += 1) if (!isNested(from[i], to[side[0] + i - base[0]])) count += 1
  }
  return count
}

/** Whether both are objects or both arrays, which are changed inside. */
function isNested(from: JsonValue | undefined, to: JsonValue | undefined): boolean {
  if (Array.isArray(from) || Array.isArray(to)) return Array.isArray(from) && Array.isArray(to)
  return typeof from === 'object' && from !== null && typeof to === 'object' && to !== null
}

function toEdit(change: JsonChange, deltaOf: (from: string, to: string) => TextDelta): JsonEdit {
  const { at } = change
  if ('span' in change) return { at, index: change.span[0], remove: spanLength(change.span), insert: change.to }
  if (change.to === undefined) return { at, removed: true }
  if (typeof change.from !== 'string' || typeof change.to !== 'string' || change.to.length < MIN_DELTA_UNITS) {
    return { at, value: change.to }
  }
  const delta = deltaOf(change.from, change.to)
  const isShorter = JSON.stringify(delta).length < JSON.stringify(change.to).length
  return isShorter ? { at, delta } : { at, value: change.to }
}
