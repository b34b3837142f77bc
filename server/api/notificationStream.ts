/**
 * `/conflict-notifications` as Server-Sent Events (SPEC NOTE-3), as the HTML standard defines them
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html): one stream a request, all reading the one feed.
 * A stream that ends, for whatever reason, is resumed by the client itself with the last `id` it has read.
 */
import type { ServerResponse } from 'node:http'
import { can, type Principal } from '../access/access.ts'
import type { Environment, Timer } from '../foundation/environment.ts'
import type { DocumentId } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { versionedEvent } from '../notifications/envelope.ts'
import type { Feed } from '../notifications/feed.ts'
import { Outflow } from '../sockets/outflow.ts'
import { OpenReaders, type OpenReader } from '../notifications/openReaders.ts'
import { FeedReader } from '../notifications/reader.ts'
import type { SubscriptionRequest } from '../notifications/request.ts'
import type { FeedEvent, Sink, Subscription } from '../notifications/subscription.ts'

export interface StreamLimits {
  /** Streams at once: a file descriptor and some 50 kB each. */
  readonly streams: number
  /** Written and not yet taken by the network; a reader that lets more pile up is cut off (SPEC NOTE-6). */
  readonly bufferBytes: number
  readonly heartbeatMs: number
  /** For a reader to take what was written before the end, before its connection is cut. */
  readonly closeGraceMs: number
}

export const DEFAULT_STREAM_LIMITS: StreamLimits = {
  streams: 20_000,
  // About a thousand events, as for the sockets of the hub.
  bufferBytes: 1024 * 1024,
  // SPEC NOTE-3 allows 15 s; the rest is for a busy machine.
  heartbeatMs: 10_000,
  closeGraceMs: 2_000,
}

export interface StreamParts {
  readonly feed: Feed
  readonly environment: Environment
  /** Whether a token that was verified once still counts: not expired, not revoked. */
  readonly isValid: (principal: Principal) => boolean
  /** Is told of errors nobody expected; the stream they happened in is ended. */
  readonly onUnexpected: (error: unknown) => void
  readonly limits?: Partial<StreamLimits>
}

export class EventStreams {
  readonly #parts: StreamParts
  readonly #limits: StreamLimits
  readonly #streams: OpenReaders<EventStream>
  /** The bytes of the event that is being told, made once for all streams: first for readers by `/v1`, then for others. */
  readonly #frames: [Frame | null, Frame | null] = [null, null]

  constructor(parts: StreamParts) {
    this.#parts = parts
    this.#limits = { ...DEFAULT_STREAM_LIMITS, ...parts.limits }
    this.#streams = new OpenReaders(parts.environment, this.#limits.streams, 'streams')
  }

  /** Streams that are open, or ending. */
  get size(): number {
    return this.#streams.size
  }

  /** Throws `shutting-down` or `overloaded` where no further stream can be opened. */
  assertRoom(): void {
    this.#streams.assertRoom()
  }

  /** Answers with a stream of what is asked for. `headers` go on the answer besides those of every stream. */
  open(
    response: ServerResponse,
    headers: Readonly<Record<string, number | string | string[] | undefined>>,
    principal: Principal,
    request: StreamRequest,
  ): void {
    this.assertRoom()
    // The connection ended while the token was verified; it will not say so again.
    if (response.destroyed) return
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value)
    response.writeHead(200, STREAM_HEADERS)
    const stream = new EventStream(response, principal, {
      ...this.#parts,
      limits: this.#limits,
      frameOf: (event) => this.#frameOf(event, request.versioned ?? false),
    })
    this.#streams.add(stream)
    stream.begin(request)
  }

  /** Ends every stream whose token does not count any more, as after a revocation. */
  revalidate(): void {
    this.#streams.revalidate()
  }

  /** Ends every stream and resolves once all are gone. */
  close(): Promise<void> {
    return this.#streams.close((stream) => stream.end())
  }

  #frameOf(event: FeedEvent, versioned: boolean): Buffer {
    const which = versioned ? 0 : 1
    const known = this.#frames[which]
    if (known?.event === event) return known.bytes
    const json = versioned ? versionedEvent(event.json) : event.json
    // No part can hold a line break: ids and types have a strict form, and JSON text escapes them.
    const bytes = Buffer.from(`id: ${event.id}\nevent: ${event.type}\ndata: ${json}\n\n`)
    this.#frames[which] = { event, bytes }
    return bytes
  }
}

/** Most clients take an id from events with data only, although the standard has them take it from any. */
const cursorEvent = (type: 'bookmark' | 'resync', cursor: string): string =>
  `id: ${cursor}\nevent: ${type}\ndata: ${JSON.stringify({ type, cursor })}\n\n`

const bookmark = (cursor: string): string => cursorEvent('bookmark', cursor)

interface Frame {
  readonly event: FeedEvent
  readonly bytes: Buffer
}

interface StreamRequest extends SubscriptionRequest {
  /** Whether links stay under `/v1` (SPEC API-7). */
  readonly versioned?: boolean
}

const STREAM_HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  // Proxies that would store, compress or buffer the stream would hold events back.
  'Cache-Control': 'no-cache, no-transform',
  'X-Accel-Buffering': 'no',
}

interface EventStreamParts {
  readonly feed: Feed
  readonly environment: Environment
  readonly isValid: (principal: Principal) => boolean
  readonly onUnexpected: (error: unknown) => void
  readonly limits: StreamLimits
  readonly frameOf: (event: FeedEvent) => Buffer
}

/** One stream: what its reader may see, and how it keeps up. */
class EventStream implements Sink, OpenReader {
  /** Resolves once the connection is closed or the answer is taken. */
  readonly gone: Promise<void>
  readonly #response: ServerResponse
  readonly #principal: Principal
  readonly #parts: EventStreamParts
  readonly #reader: FeedReader
  readonly #outflow: Outflow
  #ended = false
  #heartbeatMs: number
  #cut: Timer | null = null

  constructor(response: ServerResponse, principal: Principal, parts: EventStreamParts) {
    this.#response = response
    this.#principal = principal
    this.#parts = parts
    this.#heartbeatMs = parts.environment.monotonicMs()
    const line = {
      pendingBytes: () => response.writableLength,
      write: (bytes: Buffer, taken?: () => void) => void response.write(bytes, taken),
    }
    this.#outflow = new Outflow(line, parts.limits.bufferBytes)
    this.#reader = new FeedReader(parts.feed, (document) => this.#mayRead(document), this)
    this.gone = new Promise((resolve) => {
      response.once('close', () => {
        this.#settle()
        this.#cut?.cancel()
        resolve()
      })
    })
    // What goes wrong on a connection also closes it; 'close' tells the rest.
    response.on('error', () => undefined)
  }

  begin(request: SubscriptionRequest): void {
    const { cursor } = this.#reader.subscribe(request)
    // With the head, so that a client that was let in can resume from here, whatever comes next.
    // One that holds another cursor keeps it, until it is told to start anew.
    this.#write(Buffer.from(`: welcome\n\n${request.since === 'foreign' ? '' : bookmark(cursor)}`))
  }

  revalidate(): void {
    if (!this.#parts.isValid(this.#principal)) this.end()
  }

  /** Looks at deadlines; called about once a second. */
  tick(): void {
    this.revalidate()
    if (this.#ended) return
    const now = this.#parts.environment.monotonicMs()
    if (now - this.#heartbeatMs < this.#parts.limits.heartbeatMs) return
    this.#heartbeatMs = now
    const moved = this.#reader.moveOn()
    this.#write(Buffer.from(`: heartbeat\n\n${moved === null ? '' : bookmark(moved)}`))
  }

  /** Ends the stream after what was written; a client that resumes gets the rest. Idempotent. */
  end(): void {
    if (this.#ended) return
    this.#settle()
    this.#response.end()
    this.#cut = this.#parts.environment.after(this.#parts.limits.closeGraceMs, () => this.#response.destroy())
  }

  // What the feed calls

  deliver(event: FeedEvent): void {
    this.#write(this.#parts.frameOf(event))
  }

  resync(_subscription: Subscription, cursor: string): void {
    this.#write(Buffer.from(cursorEvent('resync', cursor)))
  }

  caughtUp(): void {
    // The client has no use for it: live events look like those it missed.
  }

  room(): Promise<void> | null {
    return this.#outflow.room()
  }

  failed(_subscription: Subscription, error: unknown): void {
    if (!(error instanceof ParleyError)) this.#parts.onUnexpected(error)
    this.end()
  }

  #mayRead(document: DocumentId): boolean {
    return this.#parts.isValid(this.#principal) && can(this.#principal, 'read', document)
  }

  #write(bytes: Buffer): void {
    if (this.#ended || this.#response.destroyed) return
    if (this.#outflow.write(bytes)) return
    // What waits would not be read in time either; the client asks for it again.
    this.#settle()
    this.#response.destroy()
  }

  /** Lets go of everything but the connection; idempotent. */
  #settle(): void {
    this.#ended = true
    this.#reader.close()
    this.#outflow.close()
  }
}
