import { isObject, setMember, type JsonObject, type JsonValue } from './content.ts'

/**
 * The value with the members of its objects in the one order in which contents have them (SPEC DOC-9): indices of arrays
 * first and by their number, as every engine keeps them, then all other keys by their code units. What is in order stays
 * the same object. Every content is brought to this order where it comes in, so that its JSON is always the same bytes:
 * a shared map knows no order of its keys that outlives the process.
 */
export function inOrder<T extends JsonValue>(value: T): T
export function inOrder(value: JsonValue): JsonValue {
  if (Array.isArray(value)) {
    let elements = value
    for (const [index, element] of value.entries()) {
      const ordered = inOrder(element)
      if (ordered === element) continue
      if (elements === value) elements = [...value]
      elements[index] = ordered
    }
    return elements
  }
  if (!isObject(value)) return value
  let members = membersInOrder(value)
  for (const key of Object.keys(members)) {
    const member = members[key] ?? null
    const ordered = typeof member === 'object' ? inOrder(member) : member
    if (ordered === member) continue
    if (members === value) members = { ...value }
    setMember(members, key, ordered)
  }
  return members
}

/** The same for the members of one object, whose values stay as they are. */
export function membersInOrder(object: JsonObject): JsonObject {
  const keys = Object.keys(object)
  if (areInOrder(keys)) return object
  const ordered: JsonObject = {}
  for (const key of keys.sort()) setMember(ordered, key, object[key] ?? null)
  return ordered
}

/** Indices come first whatever was done, so that only they may be followed by a smaller key. */
function areInOrder(keys: readonly string[]): boolean {
  let before = ''
  for (const key of keys) {
    if (key < before && !isIndex(before)) return false
    before = key
  }
  return true
}

const isIndex = (key: string): boolean => String(Number(key) >>> 0) === key && key !== '4294967295'
