import * as Y from 'yjs'
import { invariant } from '../foundation/assert.ts'
import { isObject, setMember, type JsonObject, type JsonValue, type Path } from './content.ts'
import { applyJsonEdits, type JsonEdit } from './jsonEdits.ts'
import { membersInOrder } from './order.ts'
import { readText, writeText } from './text.ts'
import { writeOver } from './pens.ts'
import { rewriteDelta } from './compareText.ts'
import { applyTextDelta } from './textDelta.ts'

/**
 * Plain values of what a shared type holds, by shared type or by the plain object a client put there.
 * Whoever keeps one forgets shared types that changed; then unchanged subtrees stay the same objects.
 */
export type PlainValues = WeakMap<object, JsonValue>

/** The plain content of a shared map (SPEC DOC-9). What has no JSON form reads as null, a member `undefined` as absent. */
export function readJson(type: Y.Map<unknown>, known: PlainValues = new WeakMap()): JsonObject {
  const plain = toPlain(type, known)
  invariant(isObject(plain), 'a shared map reads as an object')
  return plain
}

/**
 * Applies edits made against `readJson(type)`: objects become shared maps, arrays shared arrays, scalars plain
 * values; a string written where a client put a shared text is the smallest change of it. An edit below a
 * plain object or array that a client put there replaces that with the edited plain value.
 */
export function writeJson(type: Y.Map<unknown>, edits: readonly JsonEdit[]): void {
  for (let next = 0; next < edits.length;) {
    const edit = edits[next]
    invariant(edit !== undefined, 'the loop stays within the edits')
    const { container, plainAt } = targetOf(type, edit)
    if (plainAt === null) {
      writeShared(container, edit)
      next += 1
      continue
    }
    const start = next
    while (isBelow(edits[next], plainAt)) next += 1
    editPlain(container, plainAt, edits.slice(start, next))
  }
}

/** A shared type at a path, by the Yjs id of the item that put it there; null for plain values. */
export interface SharedAt {
  readonly id: string
  readonly isText: boolean
}

export function sharedAt(type: Y.Map<unknown>, path: Path): SharedAt | null {
  let value: unknown = type
  for (const step of path) {
    if (!isContainer(value)) return null
    value = get(value, step)
  }
  if (!isContainer(value) && !isText(value)) return null
  const id = value._item?.id
  return id ? { id: `${id.client}:${id.clock}`, isText: isText(value) } : { id: 'root', isText: false }
}

type Container = Y.Map<unknown> | Y.Array<unknown>

function toPlain(value: unknown, known: PlainValues): JsonValue {
  if (typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') return Number.isFinite(value) ? value : null
  if (typeof value !== 'object' || value === null) return null
  const before = known.get(value)
  if (before !== undefined) return before
  const plain = containerToPlain(value, known)
  known.set(value, plain)
  return plain
}

/** Shared XML types, sub-documents and bytes have no JSON form. */
function containerToPlain(value: object, known: PlainValues): JsonValue {
  if (isText(value)) return readText(value)
  if (value instanceof Y.XmlHook) return null
  if (value instanceof Y.Map) {
    const plain: JsonObject = {}
    // The map's own order is that in which its items came in, and another after it was loaded.
    for (const key of [...value.keys()].sort()) {
      const item: unknown = value.get(key)
      if (item !== undefined) setMember(plain, key, toPlain(item, known))
    }
    return plain
  }
  if (value instanceof Y.Array) return value.toArray().map((item) => toPlain(item, known))
  if (value instanceof Y.AbstractType || value instanceof Y.Doc || ArrayBuffer.isView(value)) return null
  if (Array.isArray(value)) return Array.from(value, (item) => toPlain(item, known))
  const plain: JsonObject = {}
  for (const [key, item] of Object.entries(value)) {
    if (item !== undefined) setMember(plain, key, toPlain(item, known))
  }
  return membersInOrder(plain)
}

const isText = (value: unknown): value is Y.Text => value instanceof Y.Text && !(value instanceof Y.XmlText)

const isContainer = (value: unknown): value is Container =>
  value instanceof Y.Array || (value instanceof Y.Map && !(value instanceof Y.XmlHook))

/** Where an edit lands: the last shared container on its way, and the path of the plain value below that, if any. */
function targetOf(type: Y.Map<unknown>, edit: JsonEdit): { container: Container; plainAt: Path | null } {
  let container: Container = type
  for (const [depth, step] of pathOfContainer(edit).entries()) {
    const next = get(container, step)
    if (!isContainer(next)) return { container, plainAt: edit.at.slice(0, depth + 1) }
    container = next
  }
  return { container, plainAt: null }
}

const pathOfContainer = (edit: JsonEdit): Path => ('index' in edit ? edit.at : edit.at.slice(0, -1))

function isBelow(edit: JsonEdit | undefined, at: Path): boolean {
  if (edit === undefined) return false
  const path = pathOfContainer(edit)
  return at.length <= path.length && at.every((step, i) => step === path[i])
}

function editPlain(container: Container, at: Path, edits: readonly JsonEdit[]): void {
  const step = lastStep(at)
  const plain = toPlain(get(container, step), new WeakMap())
  const below = edits.map((edit): JsonEdit => ({ ...edit, at: edit.at.slice(at.length) }))
  const edited = applyJsonEdits(plain, below)
  // Yjs takes an object for plain by its `constructor`, which is an ordinary key here.
  if (isObject(edited) && Object.hasOwn(edited, 'constructor')) putShared(container, step, edited)
  else put(container, step, edited)
}

function writeShared(container: Container, edit: JsonEdit): void {
  if ('index' in edit) {
    invariant(container instanceof Y.Array, 'a splice edits an array')
    if (edit.remove > 0) container.delete(edit.index, edit.remove)
    if (edit.insert.length > 0) container.insert(edit.index, edit.insert.map(toShared))
    return
  }
  const step = lastStep(edit.at)
  if ('removed' in edit) {
    invariant(container instanceof Y.Map, 'only members are removed by path')
    container.delete(String(step))
    return
  }
  const before = get(container, step)
  if (isText(before) && 'delta' in edit) writeText(before, edit.delta)
  else if (isText(before) && 'value' in edit && typeof edit.value === 'string') {
    writeText(before, rewriteDelta(readText(before), edit.value))
  } else if ('value' in edit) putShared(container, step, edit.value)
  else {
    invariant(typeof before === 'string', 'a delta edits a string')
    put(container, step, applyTextDelta(before, edit.delta))
  }
}

function lastStep(at: Path): string | number {
  const step = at.at(-1)
  invariant(step !== undefined, 'the root itself is never replaced')
  return step
}

function get(container: Container, step: string | number): unknown {
  return container instanceof Y.Array ? container.get(Number(step)) : container.get(String(step))
}

/** What is in an object is written after itself, with the first pen: else it would come between it and its successor. */
function putShared(container: Container, step: string | number, value: JsonValue): void {
  if (Array.isArray(value)) {
    const array = new Y.Array<unknown>()
    put(container, step, array)
    pushAll(array, value)
  } else if (isObject(value)) {
    const map = new Y.Map<unknown>()
    put(container, step, map)
    for (const [key, member] of Object.entries(value)) map.set(key, toShared(member))
  } else put(container, step, value)
}

function put(container: Container, step: string | number, value: unknown): void {
  writeOver(container.doc, itemAt(container, step), () => {
    if (container instanceof Y.Map) {
      container.set(String(step), value)
      return
    }
    // Behind the old one, so that both are joined once that is deleted.
    container.insert(Number(step) + 1, [value])
    container.delete(Number(step), 1)
  })
}

/** Items of an array that are gone through to find one, some 20 us; what lies further back is written with the first pen. */
const MAX_SOUGHT_ITEMS = 10_000

/** The item that holds what stands at a step; null where nothing does. Of a member also what was there last. */
function itemAt(container: Container, step: string | number): Y.Item | null {
  if (container instanceof Y.Map) return container._map.get(String(step)) ?? null
  let left = Number(step)
  let sought = 0
  for (let item = container._start; item !== null && sought < MAX_SOUGHT_ITEMS; item = item.right) {
    sought += 1
    if (item.deleted || !item.countable) continue
    // One that holds more than this element is split, and its end is another's.
    if (left < item.length) return left === item.length - 1 ? item : null
    left -= item.length
  }
  return null
}

function pushAll(array: Y.Array<unknown>, elements: readonly JsonValue[]): void {
  for (let start = 0; start < elements.length; start += MAX_PUSHED_ELEMENTS) {
    array.push(elements.slice(start, start + MAX_PUSHED_ELEMENTS).map(toShared))
  }
}

/** Yjs hands the elements of a new array on as arguments, of which an engine takes only so many. */
const MAX_PUSHED_ELEMENTS = 10_000

function toShared(value: JsonValue): unknown {
  if (Array.isArray(value)) {
    const array = new Y.Array<unknown>()
    pushAll(array, value)
    return array
  }
  return isObject(value) ? new Y.Map(Object.entries(value).map(([key, item]) => [key, toShared(item)])) : value
}
