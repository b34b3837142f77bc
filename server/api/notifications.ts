import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { tokenMissing } from '../access/bearer.ts'
import { isVersioned } from '../foundation/links.ts'
import { negotiate } from '../http/accept.ts'
import { goneSignal } from '../http/gone.ts'
import type { About } from '../http/about.ts'
import type { Routes } from '../http/mount.ts'
import type { Charge } from '../limits/rates.ts'
import { integerParameter, queryInteger, textParameter } from '../http/validation.ts'
import { addToVary } from '../http/vary.ts'
import { parseCursor, versionedEvent } from '../notifications/envelope.ts'
import type { Polls } from './notificationPoll.ts'
import { MAX_CURSOR_LENGTH, parseQuery, parseRequest, type SubscriptionRequest } from '../notifications/request.ts'
import type { EventStreams } from './notificationStream.ts'
import { PollShape, StreamShape } from './shapes/notifications.ts'

export interface NotificationRouteParts {
  /** Part of every cursor. */
  readonly epoch: string
  readonly streams: EventStreams
  readonly polls: Polls
}

/** Proxies cut requests that are silent for longer (SPEC NOTE-4). */
const MAX_WAIT_SECONDS = 60

const JSON_ANSWER = 'application/json'
const STREAM_ANSWER = 'text/event-stream'

const Query = Type.Object(
  {
    documents: Type.Optional(
      textParameter('Patterns of ids, joined by commas; without it everything that the token may read.', {
        maxLength: 16_384,
      }),
    ),
    events: Type.Optional(
      textParameter('Types of events, joined by commas; without it all but `parley.document.changed`.', {
        maxLength: 1_024,
      }),
    ),
    since: Type.Optional(
      textParameter('What came after this cursor; any id of an event is one. Without it: from now on.', {
        maxLength: MAX_CURSOR_LENGTH,
      }),
    ),
    waitSeconds: Type.Optional(
      integerParameter('How long a poll waits for the first event.', {
        minimum: 0,
        maximum: MAX_WAIT_SECONDS,
        default: 0,
      }),
    ),
    lastEventId: Type.Optional(
      textParameter('Of a stream: what the header `Last-Event-ID` says, for clients that cannot set it.', {
        maxLength: 8_192,
      }),
    ),
    token: Type.Optional(
      textParameter('The token of a stream, for a browser cannot set a header there; no poll takes it.', {
        maxLength: 8_192,
      }),
    ),
  },
  { additionalProperties: false },
)

const ABOUT: About = {
  id: 'readNotifications',
  tag: 'notifications',
  summary: 'What happened since, as a long poll or as a stream',
  text: 'JSON is one answer with what came since; `Accept: text/event-stream` is a stream that a client resumes by itself.',
  headers: ['Last-Event-ID'],
  answers: {
    200: {
      text: 'The events.',
      body: { byType: { [JSON_ANSWER]: PollShape, [STREAM_ANSWER]: StreamShape } },
      headers: ['Vary', 'Cache-Control', 'X-Accel-Buffering?'],
    },
  },
  refusals: ['invalid-cursor', 'cursor-expired'],
}

/** The feed over HTTP: as Server-Sent Events where the client prefers them, else as a long poll (SPEC NOTE-3, NOTE-4). */
export function notificationRoutes({ epoch, streams, polls }: NotificationRouteParts): Routes {
  return async (app) => {
    const options = {
      config: { access: 'authenticated', queryToken: true, about: ABOUT, rate: rateOf },
      schema: { querystring: Query },
      // A stream has no end whose headers could be told.
      exposeHeadRoute: false,
      onRequest: async (request: FastifyRequest) => requireHeaderUnlessStream(request),
    } as const
    app.get('/conflict-notifications', options, async (request, reply) => {
      addToVary(reply, 'Accept')
      const query = new URLSearchParams(request.query)
      if (!wantsStream(request)) return answerPoll(polls, request, reply, query, epoch)
      const asked = resumed(readQuery(query, epoch, ['token', 'lastEventId']), request.headers, query, epoch)
      streams.assertRoom()
      reply.hijack()
      const versioned = isVersioned(request.url)
      streams.open(reply.raw, reply.getHeaders(), request.principal, { ...asked, versioned })
      return reply
    })
  }
}

/** A stream is a connection that stays, as a socket is. */
const rateOf = (request: IncomingMessage): Charge => ({ class: wantsStream(request) ? 'connect' : 'read', tokens: 1 })

/** A client that takes neither gets JSON, as RFC 9110 §12.5.1 allows. */
const wantsStream = (request: { readonly headers: IncomingHttpHeaders }): boolean =>
  negotiate(request.headers.accept, [JSON_ANSWER, STREAM_ANSWER]) === STREAM_ANSWER

/** SPEC AUTH-1: `?token=` counts where a browser cannot set a header only. */
function requireHeaderUnlessStream(request: FastifyRequest): void {
  if (!wantsStream(request) && request.headers.authorization === undefined) throw tokenMissing()
}

function readQuery(query: URLSearchParams, epoch: string, others: readonly string[]): SubscriptionRequest {
  return parseQuery(query, epoch, others) ?? parseRequest({}, epoch)
}

/**
 * `Last-Event-ID` wins: it is what a client that resumes has read, and its URL is that of its first request. A client that
 * cannot set a header adds `lastEventId` to that. What is no cursor is like one too old, for any status but 200 would end an
 * EventSource for good.
 */
function resumed(
  request: SubscriptionRequest,
  headers: IncomingHttpHeaders,
  query: URLSearchParams,
  epoch: string,
): SubscriptionRequest {
  const id = headers['last-event-id'] || query.get('lastEventId')
  if (typeof id !== 'string' || id === '') return request
  return { ...request, since: (id.length > MAX_CURSOR_LENGTH ? null : parseCursor(id, epoch)) ?? 'foreign' }
}

async function answerPoll(
  polls: Polls,
  request: FastifyRequest,
  reply: FastifyReply,
  query: URLSearchParams,
  epoch: string,
): Promise<FastifyReply> {
  const asked = readQuery(query, epoch, ['waitSeconds'])
  const wait = { name: 'waitSeconds', minimum: 0, maximum: MAX_WAIT_SECONDS }
  const waitSeconds = queryInteger(query.get('waitSeconds') ?? undefined, wait) ?? 0
  const { events: found, cursor } = await polls.poll(request.principal, asked, waitSeconds * 1_000, goneSignal(reply))
  const events = isVersioned(request.url) ? found.map(versionedEvent) : found
  return reply
    .header('Cache-Control', 'no-store')
    .type(JSON_ANSWER)
    .send(`{"events":[${events.join(',')}],"cursor":${JSON.stringify(cursor)}}`)
}
