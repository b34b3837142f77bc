import { jsonValue } from '../parley/shapes.ts'
import type { Content, JsonValue } from '../parley/types.ts'

/** Why it is no JSON, in words, where it is none. */
export function parseJson(text: string): { readonly value: JsonValue } | { readonly error: string } {
  try {
    return { value: jsonValue(JSON.parse(text), 'json') }
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) }
  }
}

/** What can stand in a document. */
export const isContent = (value: JsonValue): value is Content =>
  typeof value === 'string' || (typeof value === 'object' && value !== null && !Array.isArray(value))

export const contentText = (content: Content): string =>
  typeof content === 'string' ? content : JSON.stringify(content, null, 2)
