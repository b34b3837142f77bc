/**
 * `/conflict-notifications` by WebSocket (SPEC NOTE-2): one session a socket, all reading the one feed.
 * The HTTP upgrade is made elsewhere: 401, 403 and 400 come there, before there is a socket.
 */
import type { WebSocket } from 'ws'
import type { Authenticate, Principal } from '../access/access.ts'
import type { JsonValue } from '../content/content.ts'
import type { Environment } from '../foundation/environment.ts'
import { ParleyError } from '../foundation/problems.ts'
import { isVersioned } from '../foundation/links.ts'
import { textFrame } from '../sockets/frame.ts'
import { versionedEvent } from './envelope.ts'
import type { Feed } from './feed.ts'
import { HubSession, type SessionLimits } from './hubSession.ts'
import { OpenReaders } from './openReaders.ts'
import { parseQuery, type SubscriptionRequest } from './request.ts'
import type { SocketStream } from '../sockets/peer.ts'
import type { FeedEvent } from './subscription.ts'

export interface HubLimits extends SessionLimits {
  /** Sockets at once: a file descriptor and some 50 kB each. */
  readonly sessions: number
  /** Sockets at once that have not shown a token yet: anyone may open them. */
  readonly waitingSessions: number
}

export const DEFAULT_HUB_LIMITS: HubLimits = {
  sessions: 20_000,
  waitingSessions: 1_000,
  authenticationMs: 10_000,
  // A page that shows many documents asks for them by patterns; few need more than a handful of subscriptions.
  subscriptions: 100,
  // A hundred patterns of full length, twice over.
  frameBytes: 32 * 1024,
  // A client that opens all its subscriptions at once stays below; one that never stops does not.
  framesAtOnce: 250,
  framesPerSecond: 20,
  // About a thousand events. Live ones are shared by all sockets that wait, so this does not add up.
  bufferBytes: 1024 * 1024,
  // Proxies cut connections that are silent for 30 to 60 seconds.
  pingMs: 15_000,
  bookmarkMs: 15_000,
  // A client that answers a close at all does so in a round trip; draining may take 10 s in all (SPEC OPS-2).
  closeGraceMs: 2_000,
}

export interface HubParts {
  readonly feed: Feed
  readonly authenticate: Authenticate
  /** Whether a token that was verified once still counts: not expired, not revoked. */
  readonly isValid: (principal: Principal) => boolean
  readonly environment: Environment
  /** Throws `invalid-json`. */
  readonly parseJson: (bytes: Uint8Array) => JsonValue
  /** The problem document of an error (SPEC API-2). */
  readonly problemOf: (error: ParleyError) => Readonly<Record<string, unknown>>
  /** Is told of errors nobody expected; the session they happened in is closed. */
  readonly onUnexpected: (error: unknown) => void
  /** Is told of sessions that are closed because they send more than they may. */
  readonly onFlood: () => void
  readonly limits?: Partial<HubLimits>
}

/** What is known of a connection when its upgrade is done. */
export interface HubRequest {
  /** What the socket writes to: frames that many sockets get are written there as they stand. */
  readonly stream: SocketStream
  /** With the query the client sent. */
  readonly url: URL
  /** A token sent with the upgrade and not verified yet. */
  readonly token: string | null
  /** Whom the token sent with the upgrade was found to name. */
  readonly principal: Principal | null
  /** For tokens that come over the socket; the hub's own where it is absent. */
  readonly authenticate?: Authenticate
  /** No token came in time. */
  readonly onNoToken?: () => void
}

/**
 * What the query of an upgrade subscribes to at once; null if it names none of `documents`, `events` and
 * `since`. Throws `invalid-request` or `invalid-cursor`, which answer the upgrade with 400.
 */
export function parseHubQuery(url: URL, epoch: string): SubscriptionRequest | null {
  return parseQuery(url.searchParams, epoch, ['token'])
}

export class NotificationHub {
  readonly #parts: HubParts
  readonly #limits: HubLimits
  readonly #sessions: OpenReaders<HubSession>
  /** Frames of the event that is being told, by the path they are for and the ids of the subscriptions they name. */
  #frames: { event: FeedEvent | null; readonly bySubscriptions: Map<string, Buffer> } = {
    event: null,
    bySubscriptions: new Map(),
  }

  constructor(parts: HubParts) {
    this.#parts = parts
    this.#limits = { ...DEFAULT_HUB_LIMITS, ...parts.limits }
    this.#sessions = new OpenReaders(parts.environment, this.#limits.sessions, 'notification sockets')
  }

  /** Sockets that are open, or closing. */
  get size(): number {
    return this.#sessions.size
  }

  /** Takes over an open socket. */
  accept(socket: WebSocket, request: HubRequest): void {
    // Its 'close' is past: it would never be gone.
    if (socket.readyState === socket.CLOSED) return
    const session = new HubSession(socket, request.stream, {
      ...this.#parts,
      authenticate: request.authenticate ?? this.#parts.authenticate,
      onNoToken: request.onNoToken ?? (() => undefined),
      limits: this.#limits,
      frameOf: (event, ids) => this.#frameOf(event, ids, isVersioned(request.url.pathname)),
    })
    try {
      this.#assertRoom(request)
      session.begin(request.token, request.principal, parseHubQuery(request.url, this.#parts.feed.epoch))
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error
      session.fail(error)
    } finally {
      this.#sessions.add(session)
    }
  }

  /** Closes (4401) every session whose token does not count any more, as after a revocation. */
  revalidate(): void {
    this.#sessions.revalidate()
  }

  /** Closes every session (1012) and resolves once all are gone. */
  async close(): Promise<void> {
    await this.#sessions.close((session) => session.fail(new ParleyError('shutting-down', 'The server is stopping.')))
  }

  #assertRoom(request: HubRequest): void {
    this.#sessions.assertRoom()
    if (request.principal !== null) return
    let waiting = 0
    for (const session of this.#sessions) if (session.waits) waiting++
    if (waiting >= this.#limits.waitingSessions) {
      throw new ParleyError('overloaded', 'There are too many sockets without a token.')
    }
  }

  /** The frame that tells of an event, as it is on the wire; made once for all sockets whose subscriptions have the same ids. */
  #frameOf(event: FeedEvent, ids: string, versioned: boolean): Buffer {
    if (this.#frames.event !== event) this.#frames = { event, bySubscriptions: new Map() }
    const key = `${versioned ? '/v1' : ''} ${ids}`
    const known = this.#frames.bySubscriptions.get(key)
    if (known) return known
    const frame = textFrame(
      `{"type":"event","subscriptions":[${ids}],"event":${versioned ? versionedEvent(event.json) : event.json}}`,
    )
    this.#frames.bySubscriptions.set(key, frame)
    return frame
  }
}
