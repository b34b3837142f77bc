import { hash } from 'node:crypto'
import { isObject, kindOf, member, type Content, type JsonValue } from './content.ts'

/**
 * Whether two contents are the same JSON: order of members does not count, order of elements does, `-0` is `0`.
 * Subtrees that are the same object in memory are not walked. Any depth: it keeps its own stack.
 */
export function contentEquals(a: JsonValue, b: JsonValue): boolean {
  const pending: JsonValue[] = [a, b]
  while (pending.length > 0) {
    const right = pending.pop()
    const left = pending.pop()
    if (left === right) continue
    if (Array.isArray(left) && Array.isArray(right)) {
      if (left.length !== right.length) return false
      for (const [index, value] of left.entries()) {
        const other = right[index]
        if (other === undefined) return false
        if (value !== other) pending.push(value, other)
      }
    } else if (isObject(left) && isObject(right)) {
      const keys = Object.keys(left)
      if (keys.length !== Object.keys(right).length) return false
      for (const key of keys) {
        const value = left[key]
        const other = member(right, key)
        if (value === undefined || other === undefined) return false
        if (value !== other) pending.push(value, other)
      }
    } else return false
  }
  return true
}

/** JSON with its members in code unit order and no white space: equal values give equal strings. */
export function canonicalJson(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join()}]`
  if (!isObject(value)) return JSON.stringify(value)
  let members = ''
  for (const key of Object.keys(value).sort()) {
    members += `${members === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(value[key] ?? null)}`
  }
  return `{${members}}`
}

/** The kind and the canonical form: equal contents, and only they, give equal texts. */
export function canonicalText(content: Content): string {
  return `${kindOf(content)}\n${typeof content === 'string' ? content : canonicalJson(content)}`
}

/** sha-256 of the canonical text in UTF-8, base64url. */
export function contentHash(content: Content): string {
  return hash('sha256', canonicalText(content), 'base64url')
}

/** UTF-8 bytes of the text, or of its JSON without white space. */
export function contentBytes(content: Content): number {
  return Buffer.byteLength(typeof content === 'string' ? content : JSON.stringify(content))
}
