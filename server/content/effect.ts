import { invariant } from '../foundation/assert.ts'
import type { Content, JsonValue, Path } from './content.ts'
import { applyJsonEdits, joinEdits, jsonEdits, type JsonEdit } from './jsonEdits.ts'
import { toPointer } from './pointer.ts'
import { characterWork, rewriteDelta, textDelta } from './compareText.ts'
import { applyTextDelta, joinDeltas, type TextDelta } from './textDelta.ts'
import { endsAround, type TextSplice } from './textSplice.ts'

/**
 * What one log entry did to the content: enough to go from the content before it to the content after.
 * `null` is an entry that left the content as it was (settings, formatting, other roots).
 */
export type Effect =
  | { readonly kind: 'text'; readonly delta: TextDelta }
  | { readonly kind: 'json'; readonly edits: readonly JsonEdit[] }
  | null

/** The content after an effect. Throws RangeError where a text delta reaches past the end. */
export function applyEffect(content: Content, effect: Effect): Content {
  if (effect === null) return content
  if (effect.kind === 'text') {
    invariant(typeof content === 'string', 'a text effect applies to a text')
    return applyTextDelta(content, effect.delta)
  }
  invariant(typeof content !== 'string', 'a json effect applies to an object')
  return applyJsonEdits(content, effect.edits)
}

/** The smallest effect that makes one content the other, to the character; null when they are equal. */
export const effectBetween = (from: Content, to: Content): Effect => effectBy(from, to, textDelta)

/** The same of two contents that only a splice tells apart; of texts, for what is spliced is one. */
export function effectOfSplice(from: Content, to: Content, { start }: TextSplice): Effect {
  if (typeof from !== 'string' || typeof to !== 'string') return effectBetween(from, to)
  const ends = endsAround(from, to, start)
  return ends === null ? effectBetween(from, to) : { kind: 'text', delta: textDelta(from, to, characterWork(), ends) }
}

/** What a write does to make one content the other (`rewriteDelta`); null when they are equal. */
export const effectOfWrite = (from: Content, to: Content): Effect => effectBy(from, to, rewriteDelta)

function effectBy(from: Content, to: Content, deltaOf: typeof textDelta): Effect {
  if (from === to) return null
  if (typeof from === 'string') {
    invariant(typeof to === 'string', 'the kind of a document never changes')
    return { kind: 'text', delta: deltaOf(from, to) }
  }
  invariant(typeof to !== 'string', 'the kind of a document never changes')
  const edits = jsonEdits(from, to, deltaOf)
  return edits.length === 0 ? null : { kind: 'json', edits }
}

/**
 * One effect that does what consecutive effects of one author do, in this order, and leaves the same traces
 * (`TextTrace`, `JsonTrace`).
 */
export function joinEffects(effects: readonly Effect[]): Effect {
  const deltas = effects.flatMap((effect) => (effect?.kind === 'text' ? [effect.delta] : []))
  if (deltas.length > 0) return { kind: 'text', delta: joinAll(deltas) }
  const edits = joinEdits(effects.flatMap((effect) => (effect?.kind === 'json' ? effect.edits : [])))
  return edits.length === 0 ? null : { kind: 'json', edits }
}

/** By halves: one after the other would copy the first delta as often as there are others. */
function joinAll(deltas: readonly TextDelta[]): TextDelta {
  const middle = deltas.length >> 1
  return middle === 0 ? (deltas[0] ?? []) : joinDeltas(joinAll(deltas.slice(0, middle)), joinAll(deltas.slice(middle)))
}

/** Entries that touch more places name only the first of them. */
const MAX_POINTERS = 50

/**
 * JSON Pointers (RFC 6901) of the places an effect touched, in the order of the content and by its indices
 * before the effect (CONF-2); an insertion has its index. At most 50. None for a text.
 */
export function effectPointers(effect: Effect): string[] {
  const pointers = new Set<string>()
  if (effect?.kind !== 'json') return []
  for (const edit of effect.edits.toReversed()) {
    for (const path of touchedPaths(edit)) {
      if (pointers.size === MAX_POINTERS) return [...pointers]
      pointers.add(toPointer(path))
    }
  }
  return [...pointers]
}

function touchedPaths(edit: JsonEdit): Path[] {
  if (!('index' in edit)) return [edit.at]
  const length = Math.min(Math.max(edit.remove, 1), MAX_POINTERS)
  return Array.from({ length }, (_, i) => [...edit.at, edit.index + i])
}

/**
 * An effect as compact JSON for storage; null for none. A text delta is its own list, `[120,"a"]`; json edits
 * are a list of lists: `[path]` removes, `[path,value]` sets, `[path,0,delta]` edits a string,
 * `[path,index,remove,insert]` splices an array.
 */
export function encodeEffect(effect: Effect): string | null {
  if (effect === null) return null
  return JSON.stringify(effect.kind === 'text' ? effect.delta : effect.edits.map(editTuple))
}

/** About how many characters `encodeEffect` makes, without making them for a text. */
export function effectCharacters(effect: Effect): number {
  if (effect?.kind !== 'text') return encodeEffect(effect)?.length ?? 0
  return effect.delta.reduce<number>((sum, item) => sum + (typeof item === 'string' ? item.length + 3 : 6), 2)
}

function editTuple(edit: JsonEdit): unknown[] {
  if ('value' in edit) return [edit.at, edit.value]
  if ('removed' in edit) return [edit.at]
  if ('delta' in edit) return [edit.at, 0, edit.delta]
  return [edit.at, edit.index, edit.remove, edit.insert]
}

/** Reverses `encodeEffect`. Storage guards its rows by checksums, so another form is a bug. */
export function decodeEffect(text: string | null): Effect {
  if (text === null) return null
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what JSON.parse makes is JSON by definition
  return effectOfJson(JSON.parse(text) as JsonValue)
}

/** The same for what was parsed as a part of something larger. */
export function effectOfJson(list: JsonValue): Effect {
  if (list === null) return null
  invariant(Array.isArray(list), 'an effect is stored as a list')
  if (!Array.isArray(list[0])) return { kind: 'text', delta: toDelta(list) }
  return { kind: 'json', edits: list.map(toEdit) }
}

function toEdit(tuple: JsonValue): JsonEdit {
  invariant(Array.isArray(tuple), 'an edit is stored as a list')
  const at = toPath(tuple[0])
  const [, second, third, fourth] = tuple
  if (second === undefined) return { at, removed: true }
  if (third === undefined) return { at, value: second }
  if (fourth === undefined) return { at, delta: toDelta(third) }
  invariant(typeof second === 'number' && typeof third === 'number' && Array.isArray(fourth), 'a splice is stored')
  return { at, index: second, remove: third, insert: fourth }
}

function toPath(value: JsonValue | undefined): Path {
  invariant(Array.isArray(value) && value.every(isStep), 'a path is stored as keys and indices')
  return value
}

function toDelta(value: JsonValue): TextDelta {
  invariant(Array.isArray(value) && value.every(isStep), 'a delta is stored as numbers and strings')
  return value
}

const isStep = (value: JsonValue): value is string | number => typeof value === 'string' || typeof value === 'number'
