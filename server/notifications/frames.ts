/**
 * The messages of the subprotocol `conflict-notifications.v1` (SPEC NOTE-2): JSON objects in text frames.
 * The schemas are what frames are checked by, and what the API description is made from.
 */
import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { isObject, type JsonValue } from '../content/content.ts'
import { ParleyError } from '../foundation/problems.ts'
import { EVENT_TYPES } from '../model/event.ts'
import { MAX_CURSOR_LENGTH, MAX_PATTERNS } from './request.ts'

export const SUBPROTOCOL = 'conflict-notifications.v1'

/** Tokens travel in headers elsewhere, where servers and proxies stop at about this. */
const MAX_TOKEN_LENGTH = 8_192
/** A name the client gives to its subscription; it comes back with every event. */
const MAX_ID_LENGTH = 64

const closed = { additionalProperties: false }
const Id = Type.String({ minLength: 1, maxLength: MAX_ID_LENGTH })
const Token = Type.String({ minLength: 1, maxLength: MAX_TOKEN_LENGTH })
const Cursor = Type.String({ maxLength: MAX_CURSOR_LENGTH })

export const AuthenticateFrame = Type.Object({ type: Type.Literal('authenticate'), token: Token }, closed)
export const SubscribeFrame = Type.Object(
  {
    type: Type.Literal('subscribe'),
    id: Id,
    documents: Type.Optional(Type.Array(Type.String(), { minItems: 1, maxItems: MAX_PATTERNS })),
    events: Type.Optional(Type.Array(Type.String(), { minItems: 1, maxItems: EVENT_TYPES.length })),
    since: Type.Optional(Cursor),
  },
  closed,
)
export const UnsubscribeFrame = Type.Object({ type: Type.Literal('unsubscribe'), id: Id }, closed)
export const PingFrame = Type.Object({ type: Type.Literal('ping') }, closed)

export type SubscribeFrame = Static<typeof SubscribeFrame>
export type ClientFrame =
  | Static<typeof AuthenticateFrame>
  | SubscribeFrame
  | Static<typeof UnsubscribeFrame>
  | Static<typeof PingFrame>

/** A problem document, or a CloudEvent: made elsewhere, passed on as it is. */
const Passed = Type.Record(Type.String(), Type.Unknown())

/** What the server sends. `event` is a CloudEvent, `problem` a problem document (SPEC API-2). */
export const ServerFrame = Type.Union([
  Type.Object({ type: Type.Literal('welcome') }, closed),
  Type.Object({ type: Type.Literal('subscribed'), id: Id, cursor: Cursor }, closed),
  Type.Object({ type: Type.Literal('event'), subscriptions: Type.Array(Id), event: Passed }, closed),
  Type.Object({ type: Type.Literal('bookmark'), cursor: Cursor }, closed),
  Type.Object({ type: Type.Literal('resync'), id: Id, cursor: Cursor }, closed),
  Type.Object(
    {
      type: Type.Literal('error'),
      frame: Type.Optional(
        Type.Integer({
          minimum: 1,
          description: 'Which frame of this socket it answers, counted from 1; absent where it ends the socket.',
        }),
      ),
      id: Type.Optional(Id),
      problem: Passed,
    },
    closed,
  ),
  Type.Object({ type: Type.Literal('pong') }, closed),
])
export type ServerFrame = Static<typeof ServerFrame>

const checks = {
  authenticate: Compile(AuthenticateFrame),
  subscribe: Compile(SubscribeFrame),
  unsubscribe: Compile(UnsubscribeFrame),
  ping: Compile(PingFrame),
}

/** Throws `invalid-request` naming what is wrong. */
export function parseClientFrame(value: JsonValue): ClientFrame {
  const type = isObject(value) ? value['type'] : undefined
  switch (type) {
    case 'authenticate':
      return checked(checks.authenticate, value)
    case 'subscribe':
      return checked(checks.subscribe, value)
    case 'unsubscribe':
      return checked(checks.unsubscribe, value)
    case 'ping':
      return checked(checks.ping, value)
    default:
      throw new ParleyError(
        'invalid-request',
        `A frame is a JSON object whose \`type\` is one of ${Object.keys(checks).join(', ')}.`,
      )
  }
}

/** The id in a frame that is otherwise wrong, so that the client knows which of its frames an error answers. */
export function idOf(value: JsonValue): string | null {
  const id = isObject(value) ? value['id'] : undefined
  return typeof id === 'string' && id.length > 0 && id.length <= MAX_ID_LENGTH ? id : null
}

interface Check<T> {
  Check(value: unknown): value is T
  Errors(value: unknown): { readonly instancePath: string; readonly message: string }[]
}

function checked<T>(check: Check<T>, value: JsonValue): T {
  if (check.Check(value)) return value
  const [error] = check.Errors(value)
  // The place may be a member name as long as the frame.
  const place = error?.instancePath.slice(0, 100) ?? ''
  const message = error?.message ?? 'does not fit its schema'
  throw new ParleyError('invalid-request', `The frame${place === '' ? '' : ` at ${place}`} ${message}.`)
}
