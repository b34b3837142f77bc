import { Type, type Static, type TSchema } from 'typebox'
import { Check } from 'typebox/value'
import type { JsonValue } from '../content/content.ts'
import { ParleyError } from '../foundation/problems.ts'
import { parseStrictJson } from './strictJson.ts'
import { integerParameter, queryInteger, textParameter } from './validation.ts'

const DEFAULT_LIMIT = 50
const MAX_LIMIT = 500

/** The query parameters every list takes (SPEC API-5), to be spread into its query schema. */
export const PAGE_QUERY = {
  limit: Type.Optional(
    integerParameter('How many at most.', { minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT }),
  ),
  cursor: Type.Optional(textParameter('`nextCursor` of the page before.', { maxLength: 1_024 })),
}

export interface Page<T> {
  readonly items: readonly T[]
  readonly nextCursor?: string
}

/** What the client asked for: how many, and after what; the schema says what a cursor of this list holds. */
export function pageAsked<S extends TSchema>(
  query: { readonly limit?: string; readonly cursor?: string },
  cursorSchema: S,
): { readonly limit: number; readonly after: Static<S> | null } {
  const limit = queryInteger(query.limit, { name: 'limit', minimum: 1, maximum: MAX_LIMIT }) ?? DEFAULT_LIMIT
  return { limit, after: query.cursor === undefined ? null : decodeCursor(query.cursor, cursorSchema) }
}

/**
 * A page of what a query for one item more than `limit` found: the surplus tells that there is a next page, whose
 * cursor is made from the last item shown.
 */
export function pageOf<R, T>(
  found: readonly R[],
  limit: number,
  show: (row: R) => T,
  cursorAfter: (row: R) => JsonValue,
): Page<T> {
  const shown = found.slice(0, limit)
  const last = shown.at(-1)
  const items = shown.map(show)
  return found.length > limit && last !== undefined ? { items, nextCursor: encodeCursor(cursorAfter(last)) } : { items }
}

/** A position in a list as an opaque string: base64url of its JSON. */
export const encodeCursor = (position: JsonValue): string => Buffer.from(JSON.stringify(position)).toString('base64url')

/** Throws `ParleyError('invalid-cursor')` for anything `encodeCursor` cannot have made of a position of this schema. */
export function decodeCursor<S extends TSchema>(cursor: string, schema: S): Static<S> {
  const bytes = Buffer.from(cursor, 'base64url')
  const position = bytes.toString('base64url') === cursor ? readPosition(bytes) : undefined
  if (position === undefined || !Check(schema, position)) {
    throw new ParleyError('invalid-cursor', 'Send a cursor exactly as `nextCursor` gave it, and to the same list.')
  }
  return position
}

function readPosition(bytes: Uint8Array): JsonValue | undefined {
  try {
    return parseStrictJson(bytes)
  } catch (error) {
    if (error instanceof ParleyError) return undefined
    throw error
  }
}
