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
import type { Feed } from '../notifications/feed.ts'
import { Outflow } from '../notifications/outflow.ts'
import { Progress } from '../notifications/progress.ts'
import type { SubscriptionRequest } from '../notifications/request.ts'
import type { FeedEvent, Sink, Subscription } from '../notifications/subscription.ts'

/** Deadlines are looked at this often; what is due is at most so late. */
const TICK_MS = 1_000

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
  readonly #streams = new Set<EventStream>()
  #timer: Timer
  #closing = false
  /** The bytes of the event that is being told, made once for all streams. */
  #frame: { readonly event: FeedEvent; readonly bytes: Buffer } | null = null

  constructor(parts: StreamParts) {
    this.#parts = parts
    this.#limits = { ...DEFAULT_STREAM_LIMITS, ...parts.limits }
    this.#timer = parts.environment.after(TICK_MS, () => this.#tick())
  }

  /** Streams that are open, or ending. */
  get size(): number {
    return this.#streams.size
  }

  /** Throws `shutting-down` or `overloaded` where no further stream can be opened. */
  assertRoom(): void {
    if (this.#closing) throw new ParleyError('shutting-down', 'The server is stopping.')
    if (this.#streams.size >= this.#limits.streams) throw new ParleyError('overloaded', 'There are too many streams.')
  }

  /** Answers with a stream of what the request asks for. `headers` go on the answer besides those of every stream. */
  open(
    response: ServerResponse,
    headers: Readonly<Record<string, number | string | string[] | undefined>>,
    principal: Principal,
    request: SubscriptionRequest,
  ): void {
    this.assertRoom()
    // The connection ended while the token was verified; it will not say so again.
    if (response.destroyed) return
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value)
    response.writeHead(200, STREAM_HEADERS)
    const stream = new EventStream(response, principal, {
      ...this.#parts,
      limits: this.#limits,
      frameOf: (event) => this.#frameOf(event),
    })
    this.#streams.add(stream)
    void stream.gone.then(() => this.#streams.delete(stream))
    stream.begin(request)
  }

  /** Ends every stream whose token does not count any more, as after a revocation. */
  revalidate(): void {
    for (const stream of this.#streams) stream.revalidate()
  }

  /** Ends every stream and resolves once all are gone. */
  async close(): Promise<void> {
    this.#closing = true
    this.#timer.cancel()
    const streams = [...this.#streams]
    for (const stream of streams) stream.end()
    await Promise.all(streams.map((stream) => stream.gone))
  }

  #tick(): void {
    for (const stream of this.#streams) stream.tick()
    this.#timer = this.#parts.environment.after(TICK_MS, () => this.#tick())
  }

  #frameOf(event: FeedEvent): Buffer {
    if (this.#frame?.event !== event) {
      // No part can hold a line break: ids and types have a strict form, and JSON text escapes them.
      this.#frame = { event, bytes: Buffer.from(`id: ${event.id}\nevent: ${event.type}\ndata: ${event.json}\n\n`) }
    }
    return this.#frame.bytes
  }
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
class EventStream implements Sink {
  /** Resolves once the connection is closed or the answer is taken. */
  readonly gone: Promise<void>
  readonly #response: ServerResponse
  readonly #principal: Principal
  readonly #parts: EventStreamParts
  #reading: { readonly subscription: Subscription; readonly progress: Progress } | null = null
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

  begin({ patterns, types, since }: SubscriptionRequest): void {
    const { feed, isValid } = this.#parts
    const mayRead = (document: DocumentId): boolean =>
      isValid(this.#principal) && can(this.#principal, 'read', document)
    const subscription = feed.subscribe({ patterns, types, mayRead }, since, this)
    this.#reading = { subscription, progress: new Progress(subscription.cursor, types, feed.epoch) }
    // An id without data moves the client's last event id on, so that it resumes from here before any event came.
    // One that holds another cursor keeps it, until it is told to start anew.
    this.#write(Buffer.from(since === 'foreign' ? ': welcome\n\n' : `: welcome\nid: ${subscription.cursor}\n\n`))
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
    const moved = this.#moveOn()
    this.#write(Buffer.from(moved === null ? ': heartbeat\n\n' : `: heartbeat\nid: ${moved}\n\n`))
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
    this.#reading?.progress.delivered(event)
    this.#write(this.#parts.frameOf(event))
  }

  resync(_subscription: Subscription, cursor: string): void {
    this.#reading?.progress.restart(cursor)
    this.#write(Buffer.from(`id: ${cursor}\nevent: resync\ndata: ${JSON.stringify({ type: 'resync', cursor })}\n\n`))
  }

  caughtUp(): void {
    this.#reading?.progress.caughtUp()
  }

  room(): Promise<void> | null {
    return this.#outflow.room()
  }

  failed(_subscription: Subscription, error: unknown): void {
    if (!(error instanceof ParleyError)) this.#parts.onUnexpected(error)
    this.end()
  }

  /** The cursor past events that were not for this reader, where there were any. */
  #moveOn(): string | null {
    if (this.#reading === null || this.#reading.subscription.joinedAfter === null) return null
    const { progress } = this.#reading
    return progress.moveTo(this.#parts.feed.settled()) ? progress.cursor : null
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
    this.#reading?.subscription.close()
    this.#reading = null
    this.#outflow.close()
  }
}
