/**
 * What a subscriber asks for, as it comes from outside: in a frame, a query string or the body of a webhook.
 * Pure.
 */
import { parsePattern, type Pattern } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { parseCursor, type Cursor } from './envelope.ts'
import { CHANGED, EVENT_TYPES, type EventType } from '../model/event.ts'
import { disjointPatterns } from './subscriberIndex.ts'

/** More documents than these are asked for by a prefix, or by another subscription. */
export const MAX_PATTERNS = 100
/** Longer than any cursor: epoch, two numbers, a tag, a document id and a version. */
export const MAX_CURSOR_LENGTH = 300

/** Absent members: everything readable, every type but `parley.document.changed`, from now on. */
export interface RawRequest {
  readonly documents?: readonly string[]
  readonly events?: readonly string[]
  readonly since?: string
}

export interface SubscriptionRequest {
  /** Disjoint. */
  readonly patterns: readonly Pattern[]
  readonly types: ReadonlySet<EventType>
  readonly since: Cursor | 'foreign' | null
}

const EVERYTHING: readonly Pattern[] = [{ prefix: '' }]
const DEFAULT_TYPES: ReadonlySet<EventType> = new Set(EVENT_TYPES.filter((type) => type !== CHANGED))

/** Throws `invalid-request` or `invalid-cursor`. */
export function parseRequest(raw: RawRequest, epoch: string): SubscriptionRequest {
  return {
    patterns: raw.documents ? parsePatterns(raw.documents) : EVERYTHING,
    types: raw.events ? parseTypes(raw.events) : DEFAULT_TYPES,
    since: raw.since === undefined ? null : parseSince(raw.since, epoch),
  }
}

/** The parameters of a query string that ask for a subscription. */
const REQUEST_PARAMETERS = ['documents', 'events', 'since']

/**
 * Reads `?documents=a,b*&events=…&since=…`; null where the query asks for nothing. Parameters in `others` are
 * for the caller. Throws `invalid-request` for unknown or repeated parameters and what `parseRequest` throws.
 */
export function parseQuery(
  query: URLSearchParams,
  epoch: string,
  others: readonly string[],
): SubscriptionRequest | null {
  for (const name of new Set(query.keys())) {
    if (!REQUEST_PARAMETERS.includes(name) && !others.includes(name)) {
      throw new ParleyError('invalid-request', `There is no query parameter \`${name.slice(0, 100)}\` here.`)
    }
    if (query.getAll(name).length > 1) throw new ParleyError('invalid-request', `\`${name}\` is given twice.`)
  }
  if (!REQUEST_PARAMETERS.some((name) => query.has(name))) return null
  const [documents, events, since] = REQUEST_PARAMETERS.map((name) => query.get(name))
  const raw = {
    ...(documents == null ? {} : { documents: documents.split(',') }),
    ...(events == null ? {} : { events: events.split(',') }),
    ...(since == null ? {} : { since }),
  }
  return parseRequest(raw, epoch)
}

/** Throws `invalid-cursor`. */
export function parseSince(text: string, epoch: string): Cursor | 'foreign' {
  const cursor = text.length > MAX_CURSOR_LENGTH ? null : parseCursor(text, epoch)
  if (cursor === null) throw new ParleyError('invalid-cursor', 'What `since` holds is not a cursor.')
  return cursor
}

function parsePatterns(texts: readonly string[]): readonly Pattern[] {
  if (texts.length === 0 || texts.length > MAX_PATTERNS) {
    throw new ParleyError('invalid-request', `\`documents\` holds 1 to ${MAX_PATTERNS} patterns.`)
  }
  const patterns = texts.map((text, index) => {
    const pattern = parsePattern(text)
    if (pattern === null) {
      throw new ParleyError(
        'invalid-request',
        `\`documents\` holds something at position ${index} that is neither a document id nor a prefix followed by \`*\`.`,
      )
    }
    return pattern
  })
  return disjointPatterns(patterns)
}

function parseTypes(texts: readonly string[]): ReadonlySet<EventType> {
  const types = texts.map((text) => EVENT_TYPES.find((type) => type === text))
  if (types.length === 0 || types.includes(undefined)) {
    throw new ParleyError('invalid-request', `\`events\` holds one or more of ${EVENT_TYPES.join(', ')}.`)
  }
  return new Set(types.filter((type) => type !== undefined))
}
