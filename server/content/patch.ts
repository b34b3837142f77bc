import { Type, type Static } from 'typebox'
import { assertNever } from '../foundation/assert.ts'
import { isObject, setMember, type JsonObject, type JsonValue } from './content.ts'
import { Draft } from './draft.ts'
import { contentEquals } from './equal.ts'
import { child, parseIndex, parsePointer } from './pointer.ts'
import { isWithinPair } from './commonEnds.ts'
import { applyTextDelta, DeltaBuilder, type TextDelta } from './textDelta.ts'

/** RFC 6901 section 3. No document has a member `__proto__`, so no pointer may lead to one. */
const PointerSchema = Type.String({ pattern: '^(/(?!__proto__(/|$))[^~/]*(~[01][^~/]*)*)*$' })
const ValueSchema = Type.Unsafe<JsonValue>({})

/**
 * The shape of a JSON Patch. Members an operation does not define are ignored, as RFC 6902 section 4 demands
 * and the public conformance suite tests.
 */
export const JsonPatchSchema = Type.Array(
  Type.Union([
    Type.Object({ op: Type.Literal('add'), path: PointerSchema, value: ValueSchema }),
    Type.Object({ op: Type.Literal('replace'), path: PointerSchema, value: ValueSchema }),
    Type.Object({ op: Type.Literal('test'), path: PointerSchema, value: ValueSchema }),
    Type.Object({ op: Type.Literal('remove'), path: PointerSchema }),
    Type.Object({ op: Type.Literal('move'), from: PointerSchema, path: PointerSchema }),
    Type.Object({ op: Type.Literal('copy'), from: PointerSchema, path: PointerSchema }),
  ]),
  { title: 'JsonPatch', description: 'A JSON Patch (RFC 6902).' },
)
export type JsonPatch = Readonly<Static<typeof JsonPatchSchema>>
type JsonPatchOperation = JsonPatch[number]

/** The shape of a text delta, in UTF-16 units as Yjs and Quill count. What follows the last item is kept. */
export const TextPatchSchema = Type.Array(
  Type.Union([
    Type.Object({ retain: Type.Integer({ minimum: 0 }) }, { additionalProperties: false }),
    Type.Object({ insert: Type.String() }, { additionalProperties: false }),
    Type.Object({ delete: Type.Integer({ minimum: 0 }) }, { additionalProperties: false }),
  ]),
  {
    title: 'TextDelta',
    description: 'What to keep, to put in and to take out, in order; counted as Yjs and Quill do.',
  },
)
export type DeltaOp = Static<typeof TextPatchSchema>[number]

/** `detail` says which operation fails and why, for SPEC DOC-5's `patch-failed`. */
export type PatchResult =
  | { readonly ok: true; readonly content: JsonValue }
  | { readonly ok: false; readonly detail: string }

/**
 * What a JSON Patch may cost, in members copied: a few seconds. Honest patches copy each object once; without
 * a bound a body of 10 MiB could have a huge one copied 100,000 times.
 */
const MAX_COST = 1_000_000

/**
 * Applies a JSON Merge Patch (RFC 7396) to any JSON value: null removes a member, objects merge, all else
 * replaces. The input stays as it is and is shared with the result. Any depth: it keeps its own stack.
 */
export function applyMergePatch(content: JsonValue, patch: JsonValue): JsonValue {
  if (!isObject(patch)) return patch
  const root = copyOfObject(content)
  const pending = [{ target: root, patch }]
  for (let next = pending.pop(); next; next = pending.pop()) {
    for (const [key, value] of Object.entries(next.patch)) {
      if (value === null) delete next.target[key]
      else if (isObject(value)) {
        const target = copyOfObject(child(next.target, key))
        setMember(next.target, key, target)
        pending.push({ target, patch: value })
      } else setMember(next.target, key, value)
    }
  }
  return root
}

const copyOfObject = (value: JsonValue | undefined): JsonObject => (isObject(value) ? { ...value } : {})

/**
 * Applies a JSON Patch (RFC 6902) to any JSON value, whole or not at all. The input stays as it is and is
 * shared with the result.
 */
export function applyJsonPatch(content: JsonValue, patch: JsonPatch): PatchResult {
  const draft = new Draft(content)
  for (const [index, operation] of patch.entries()) {
    const problem = apply(draft, operation)
    if (problem !== null) return { ok: false, detail: `Operation ${index} (${operation.op}): ${problem}.` }
    if (draft.cost > MAX_COST) return { ok: false, detail: `Operation ${index}: the patch costs too much work.` }
  }
  return { ok: true, content: draft.root }
}

/** Answers why the operation cannot be applied, or null. */
function apply(draft: Draft, operation: JsonPatchOperation): string | null {
  switch (operation.op) {
    case 'add':
      return add(draft, operation.path, operation.value)
    case 'remove':
      return remove(draft, operation.path)
    case 'replace':
      return replace(draft, operation.path, operation.value)
    case 'test': {
      const actual = find(draft, operation.path)
      if (actual === undefined) return missing(operation.path)
      return contentEquals(actual, operation.value) ? null : `the value at "${operation.path}" is another`
    }
    case 'copy': {
      const value = find(draft, operation.from)
      if (value === undefined) return missing(operation.from)
      draft.share()
      return add(draft, operation.path, value)
    }
    case 'move':
      return move(draft, operation.from, operation.path)
    default:
      return assertNever(operation)
  }
}

const missing = (pointer: string): string => `there is nothing at "${pointer}"`

function find(draft: Draft, pointer: string): JsonValue | undefined {
  return parsePointer(pointer)?.reduce<JsonValue | undefined>(child, draft.root)
}

/** RFC 6902 section 4.1: an array takes an index up to its length, or `-`; what leads there must exist. */
function add(draft: Draft, pointer: string, value: JsonValue): string | null {
  const path = parsePointer(pointer)
  const last = path?.pop()
  if (!path || last === undefined) return setRoot(draft, pointer, value)
  const parent = path.reduce<JsonValue | undefined>(child, draft.root)
  if (isObject(parent)) {
    draft.set([...path, last], value)
    return null
  }
  if (!Array.isArray(parent)) return `nothing can be added at "${pointer}"`
  const index = last === '-' ? parent.length : parseIndex(last)
  if (index === null || index > parent.length) return `"${last}" is no index of the array`
  draft.splice(path, index, 0, [value])
  return null
}

function setRoot(draft: Draft, pointer: string, value: JsonValue): string | null {
  if (pointer !== '') return `"${pointer}" is no JSON Pointer`
  draft.root = value
  return null
}

function remove(draft: Draft, pointer: string): string | null {
  if (find(draft, pointer) === undefined) return missing(pointer)
  const path = parsePointer(pointer) ?? []
  const last = path.pop()
  if (last === undefined) return 'the whole document cannot be removed'
  if (Array.isArray(path.reduce<JsonValue | undefined>(child, draft.root))) draft.splice(path, Number(last), 1, [])
  else draft.remove([...path, last])
  return null
}

function replace(draft: Draft, pointer: string, value: JsonValue): string | null {
  if (find(draft, pointer) === undefined) return missing(pointer)
  draft.set(parsePointer(pointer) ?? [], value)
  return null
}

/** RFC 6902 section 4.4: a value cannot be moved into itself. */
function move(draft: Draft, from: string, to: string): string | null {
  const value = find(draft, from)
  if (value === undefined) return missing(from)
  if (from === to) return null
  if (to.startsWith(`${from}/`)) return `"${from}" cannot be moved into itself`
  return remove(draft, from) ?? add(draft, to, value)
}

/**
 * Applies a delta to a text, whole or not at all. It fails where it reaches past the end, or changes
 * something between the two halves of a surrogate pair.
 */
export function applyTextPatch(content: string, ops: readonly DeltaOp[]): PatchResult {
  const builder = new DeltaBuilder()
  let at = 0
  for (const [index, op] of ops.entries()) {
    if ('insert' in op) builder.insert(op.insert)
    else if ('delete' in op) builder.remove(op.delete)
    else builder.keep(op.retain)
    at += 'insert' in op ? 0 : 'delete' in op ? op.delete : op.retain
    if (at > content.length) return { ok: false, detail: `Item ${index} reaches past the end of the text.` }
  }
  const delta = builder.delta()
  if (splitsPair(content, delta)) return { ok: false, detail: 'The delta splits a surrogate pair.' }
  return { ok: true, content: applyTextDelta(content, delta) }
}

/** Whether a delta deletes one half of a surrogate pair, or inserts between its halves. */
function splitsPair(text: string, delta: TextDelta): boolean {
  let at = 0
  for (const item of delta) {
    const isKept = typeof item === 'number' && item > 0
    const end = at + (typeof item === 'number' ? Math.abs(item) : 0)
    if (!isKept && (isWithinPair(text, at) || isWithinPair(text, end))) return true
    at = end
  }
  return false
}
