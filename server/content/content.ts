/** Plain content: what a document holds as seen by REST, without any Yjs object. Never mutated once made. */
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject
export interface JsonObject {
  [key: string]: JsonValue
}
export type Content = string | JsonObject
export type Kind = 'text' | 'json'

/** Absent is not null (SPEC `Value`). */
export type Value = { present: true; value: JsonValue } | { present: false }

/** Keys and indices from the root to a place in a json content. */
export type Path = readonly (string | number)[]

/** Lines of a text, 1-based, end exclusive; `start === end` is a place between lines (SPEC `Range`). */
export interface Range {
  readonly start: number
  readonly end: number
}

export const kindOf = (content: Content): Kind => (typeof content === 'string' ? 'text' : 'json')

/** Narrows a JSON value to an object; null and arrays are not objects here. */
export const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The own member of an object; undefined when there is none, whatever its prototype has. */
export const member = (object: JsonObject, key: string): JsonValue | undefined =>
  Object.hasOwn(object, key) ? object[key] : undefined

/** Sets an own member. `__proto__` is plain data here too, so that no key ever reaches a prototype. */
export function setMember(object: JsonObject, key: string, value: JsonValue): void {
  if (key !== '__proto__') object[key] = value
  else Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
}

/** SPEC `Value` of what may be absent. */
export const toValue = (value: JsonValue | undefined): Value =>
  value === undefined ? { present: false } : { present: true, value }

/** One place where a content breaks its schema. */
export interface Violation {
  /** RFC 6901 pointer into the content. */
  readonly pointer: string
  readonly message: string
}
