import { isObject, type Content, type JsonValue } from './content.ts'

/** In UTF-16 units of texts and keys, and in values. */
export interface SmallSize {
  readonly units: number
  readonly values: number
}

/** Whether a content is within a size. Looks at no more of it than that. */
export function isSmallContent(content: Content, { units, values }: SmallSize): boolean {
  const left = { units, values }
  const visit = (value: JsonValue): boolean => {
    if (typeof value === 'string') left.units -= value.length
    if (--left.values < 0 || left.units < 0) return false
    if (Array.isArray(value)) return value.length <= left.values && value.every(visit)
    if (!isObject(value)) return true
    for (const key of Object.keys(value)) {
      left.units -= key.length
      if (!visit(value[key] ?? null)) return false
    }
    return true
  }
  return visit(content)
}
