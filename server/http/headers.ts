import { Type, type TSchema } from 'typebox'
import type { ProblemCode } from '../foundation/problemTable.ts'

interface HeaderAbout {
  readonly text: string
  readonly schema: TSchema
}

const header = (text: string, schema: TSchema = Type.String({ maxLength: 8_192 })): HeaderAbout => ({ text, schema })
const tag = Type.String({ maxLength: 512, pattern: '^"[!#-~]*"$' })
const seconds = Type.String({ maxLength: 16, pattern: '^[0-9]+$' })
const path = Type.String({ maxLength: 512, pattern: '^/' })

/** Headers that requests are looked at for. */
export const REQUEST_HEADERS = {
  'If-Match': header(
    'The version this write is based on, as its `ETag` was given; or `*`, which needs the permission `overwrite`.',
  ),
  'If-None-Match': header(
    'A tag that is had already, then the answer is 304; on a write only `*`: create, never overwrite.',
  ),
  Prefer: header(
    '`return=minimal` leaves contents out of the answer, `return=representation` adds the document to that of a write.',
  ),
  'Lock-Token': header('The token of the lock, where the document is locked by the sender.'),
  'Idempotency-Key': header(
    'Drawn by the client, 1 to 255 characters. The same request sent again with it within a day gets the first answer again.',
    Type.String({ minLength: 1, maxLength: 1_024 }),
  ),
  'Last-Event-ID': header('The id of the last event that was read; it wins over `since`.'),
} as const satisfies Readonly<Record<string, HeaderAbout>>
export type RequestHeader = keyof typeof REQUEST_HEADERS

/** Headers that some answers have. */
export const ANSWER_HEADERS = {
  ETag: header('Names the version of the document; strong.', tag),
  Location: header('Where what was made is.', path),
  Link: header('`</conflicts/ID>; rel="conflict"`: where the conflict is that was opened.'),
  'Idempotency-Replayed': header('The answer to an earlier request with this key.', Type.Literal('true')),
  'Cache-Control': header('Whether the answer may be kept.'),
  Vary: header('What the answer depends on besides its URL.'),
  'Retry-After': header('Seconds to wait before the request is sent again.', seconds),
  'WWW-Authenticate': header('What kind of token is asked for.'),
  'Accept-Patch': header('The media types of patches this path takes.'),
  Accept: header('The media types this path takes.'),
  'Accept-Encoding': header('The codings of bodies this path takes.'),
  'X-Accel-Buffering': header('Asks proxies to hold nothing back.', Type.Literal('no')),
  Connection: header('The server closes the connection after this answer.'),
} as const satisfies Readonly<Record<string, HeaderAbout>>
export type AnswerHeader = keyof typeof ANSWER_HEADERS

/** Headers of every answer. Whoever adds one to every answer adds a line here. */
export const COMMON_HEADERS = {
  'X-Content-Type-Options': header('No browser shall take a content for a page.', Type.Literal('nosniff')),
  'Content-Security-Policy': header('What a page may load; nothing, where the answer is no page.'),
  'X-Frame-Options': header('No page shall show it within one.', Type.Literal('DENY')),
  'Referrer-Policy': header('A URL may hold a token.', Type.Literal('no-referrer')),
} as const satisfies Readonly<Record<string, HeaderAbout>>

/** Headers that any answer may have, because of how the server is set up and who asks. */
export const FREQUENT_HEADERS = {
  'Strict-Transport-Security': header('Come by https from now on; where the public URL does.'),
  'RateLimit-Policy': header('How many requests of this class are allowed in how many seconds: `"write";q=600;w=60`.'),
  RateLimit: header('How many are left, and in how many seconds all are again: `"write";r=12;t=34`.'),
  'Access-Control-Allow-Origin': header('A page of this origin may read the answer.'),
  'Access-Control-Expose-Headers': header('Which headers such a page may read.'),
  Vary: header('What the answer depends on besides its URL.'),
  'Content-Encoding': header('How an answer over 1 KiB is compressed.', Type.Enum(['br', 'gzip'])),
  'Parley-Version': header(
    'The number of the version that `ETag` names.',
    Type.String({ pattern: '^[1-9][0-9]*$', maxLength: 16 }),
  ),
} as const satisfies Readonly<Record<string, HeaderAbout>>

/** Headers that come with a problem, wherever it is answered. A question mark: not always there. */
export const PROBLEM_HEADERS: Partial<Record<ProblemCode, readonly (AnswerHeader | `${AnswerHeader}?`)[]>> = {
  unauthenticated: ['WWW-Authenticate'],
  'not-found': ['Cache-Control?'],
  'method-not-allowed': ['Cache-Control?'],
  'document-deleted': ['Cache-Control?'],
  'version-compacted': ['Cache-Control?'],
  'conflict-expired': ['Cache-Control?'],
  'cursor-expired': ['Cache-Control?'],
  'unsupported-media-type': ['Accept-Patch?', 'Accept?', 'Accept-Encoding?'],
  'shutting-down': ['Retry-After', 'Connection'],
  overloaded: ['Retry-After'],
  'storage-unavailable': ['Retry-After'],
  'keys-unavailable': ['Retry-After'],
  'request-in-progress': ['Retry-After'],
  'too-many-requests': ['Retry-After'],
  locked: ['Retry-After'],
  'precondition-failed': ['ETag'],
  'weak-etag': ['ETag'],
  'unknown-base': ['ETag?'],
  'base-compacted': ['ETag?'],
  'version-conflict': ['ETag?', 'Link?', 'Idempotency-Replayed?'],
  'transaction-conflict': ['Link?', 'Idempotency-Replayed?'],
}
