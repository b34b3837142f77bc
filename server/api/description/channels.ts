/** What is told and edited over sockets, streams and webhooks; `asyncApi.ts` makes a document of it. */
import { Type, type TSchema } from 'typebox'
import { DOCUMENT_ID_PATTERN } from '../../foundation/ids.ts'
import { PROBLEMS, problemKind, type ProblemCode } from '../../foundation/problemTable.ts'
import {
  AuthenticateFrame,
  PingFrame,
  ServerFrame,
  SubscribeFrame,
  SUBPROTOCOL,
  UnsubscribeFrame,
} from '../../notifications/frames.ts'
import { EventShape, ResyncShape, WebhookHeadersShape } from '../shapes/notifications.ts'
import { ProblemShape } from '../shapes/problems.ts'
import type { JsonMembers } from './components.ts'

/** A message of a channel: who sends it, and what it is. */
export interface MessageAbout {
  readonly name: string
  /** By the server or by its client. */
  readonly by: 'server' | 'client' | 'both'
  readonly summary: string
  readonly contentType: string
  readonly payload: TSchema
  readonly headers?: TSchema
}

export interface ChannelAbout {
  /** Null: where it is, the receiver says. */
  readonly address: string | null
  readonly title: string
  readonly description: string
  readonly parameters?: JsonMembers
  readonly bindings?: JsonMembers
  readonly messages: readonly MessageAbout[]
}

const JSON_TYPE = 'application/json'
const BINARY = 'application/octet-stream'

const FRAMES: Readonly<Record<ServerFrame['type'], string>> = {
  welcome: 'The token counts; follows each successful authentication.',
  subscribed: 'From this cursor on everything asked for is told.',
  event: 'Something happened that these subscriptions asked for.',
  bookmark: 'Nothing was missed up to this cursor.',
  resync: 'What was missed can no longer be told: read anew, then go on from this cursor.',
  error: 'A frame of the client was refused; the socket stays open.',
  pong: 'The answer to a ping.',
}

const event = { name: 'event', contentType: JSON_TYPE } as const

/** The frames of the server, each by its type. */
const serverFrames = ServerFrame.anyOf.map((frame): MessageAbout => {
  const type = frame.properties.type.const
  const members: Readonly<Record<string, TSchema>> = {
    ...frame.properties,
    // Made elsewhere, and passed on as they are.
    ...('event' in frame.properties ? { event: EventShape } : {}),
    ...('problem' in frame.properties ? { problem: ProblemShape } : {}),
  }
  return {
    name: type,
    by: 'server',
    summary: FRAMES[type],
    contentType: JSON_TYPE,
    payload: Type.Object(members, { additionalProperties: false }),
  }
})

const clientFrame = (name: string, payload: TSchema, summary: string): MessageAbout => ({
  name,
  by: 'client',
  summary,
  contentType: JSON_TYPE,
  payload,
})

const live = (name: string, by: MessageAbout['by'], bytes: string, summary: string): MessageAbout => ({
  name,
  by,
  summary,
  contentType: BINARY,
  payload: Type.Unsafe({ type: 'string', format: 'binary', description: bytes }),
})

/** The codes that sockets are closed with, in words. */
const closings = (codes: readonly ProblemCode[]): string =>
  codes.map((code) => `- ${problemKind(code).close ?? ''} \`${code}\`: ${PROBLEMS[code].title}`).join('\n')

const LIVE_CLOSINGS = Object.keys(PROBLEMS).filter(
  (code): code is ProblemCode => Object.hasOwn(PROBLEMS, code) && 'close' in Object(Reflect.get(PROBLEMS, code)),
)

const QUERY = {
  token: { type: 'string', description: 'The token, where no header can be set.' },
  documents: { type: 'string', description: 'Patterns of ids, joined by commas: subscribes at once, as `query`.' },
  events: { type: 'string', description: 'Types of events, joined by commas.' },
  since: { type: 'string', description: 'A cursor: what came after it is told first.' },
}

export const CHANNELS: Readonly<Record<string, ChannelAbout>> = {
  live: {
    address: '/sync/{id}',
    title: 'Live editing',
    description: `The protocol of y-websocket, so that its stock provider works unchanged; \`?kind=json\` or \`text\` creates a document that never was. One message a frame, binary. The server sends its SyncStep1 first.\n\n${closings(LIVE_CLOSINGS)}`,
    parameters: { id: { description: `The id of the document: ${DOCUMENT_ID_PATTERN}` } },
    bindings: {
      ws: {
        method: 'GET',
        query: {
          type: 'object',
          properties: {
            token: QUERY.token,
            kind: { type: 'string', enum: ['text', 'json'], description: 'The kind it is, or is created as.' },
            lockToken: { type: 'string', description: 'Of the lock under which is written.' },
          },
        },
        bindingVersion: '0.1.0',
      },
    },
    messages: [
      live('syncStep1', 'both', '0, 0, varbytes: a state vector', 'What the sender has; asks for the rest.'),
      live('syncStep2', 'both', '0, 1, varbytes: an update of Yjs', 'The rest; ends the answer to a SyncStep1.'),
      live('update', 'both', '0, 2, varbytes: an update of Yjs', 'One change, or a slice of a large answer.'),
      live('awareness', 'both', '1, varbytes: states by client id', 'Who is here, and where their cursors are.'),
      live('permissionDenied', 'server', '2, 0, varstring: the reason', 'Comes before a close.'),
      live('queryAwareness', 'both', '3', 'Asks for everybody who is here.'),
    ],
  },
  notifications: {
    address: '/conflict-notifications',
    title: 'Notifications by WebSocket',
    description: `Subprotocol \`${SUBPROTOCOL}\`, a JSON object a frame. A token comes with the upgrade or in a first frame.`,
    bindings: { ws: { method: 'GET', query: { type: 'object', properties: QUERY }, bindingVersion: '0.1.0' } },
    messages: [
      clientFrame('authenticate', AuthenticateFrame, 'Shows a token; a newer one replaces the rights at once.'),
      clientFrame('subscribe', SubscribeFrame, 'Asks for events; without `documents` of everything readable.'),
      clientFrame('unsubscribe', UnsubscribeFrame, 'Asks for no more of them.'),
      clientFrame('ping', PingFrame, 'Asks for a pong.'),
      ...serverFrames,
    ],
  },
  stream: {
    address: '/conflict-notifications',
    title: 'Notifications as Server-Sent Events',
    description:
      'The same address with `Accept: text/event-stream`. `id:` is the cursor, `event:` the type; resumed by `Last-Event-ID`.',
    bindings: { http: { method: 'GET', query: { type: 'object', properties: QUERY }, bindingVersion: '0.3.0' } },
    messages: [
      { ...event, by: 'server', summary: 'The `data:` of an event.', payload: EventShape },
      {
        name: 'resync',
        by: 'server',
        summary: 'What was missed can no longer be told: read anew, then go on from this cursor.',
        contentType: JSON_TYPE,
        payload: ResyncShape,
      },
    ],
  },
  webhook: {
    address: null,
    title: 'Notifications by webhook',
    description:
      'Posted to the URL that was registered by `POST /conflict-notifications`, signed as Standard Webhooks has it, tried again for three days.',
    messages: [
      { ...event, by: 'server', summary: 'An event.', payload: EventShape, headers: WebhookHeadersShape },
      {
        name: 'resync',
        by: 'server',
        summary: 'What was missed can no longer be told: read anew, then go on from this cursor.',
        contentType: JSON_TYPE,
        payload: ResyncShape,
        headers: WebhookHeadersShape,
      },
    ],
  },
}
