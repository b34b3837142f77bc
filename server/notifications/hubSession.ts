import type { WebSocket } from 'ws'
import { can, type Authenticate, type Principal } from '../access/access.ts'
import type { JsonValue } from '../content/content.ts'
import { assertNever, invariant } from '../foundation/assert.ts'
import type { Environment } from '../foundation/environment.ts'
import type { DocumentId } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { ProblemCode } from '../foundation/problemTable.ts'
import { textFrame } from '../sockets/frame.ts'
import type { BudgetLimits } from '../limits/budget.ts'
import type { Feed } from './feed.ts'
import { idOf, parseClientFrame, type ClientFrame, type ServerFrame, type SubscribeFrame } from './frames.ts'
import { Inbox } from './inbox.ts'
import { Outflow } from '../sockets/outflow.ts'
import { Peer, type PeerLimits, type SocketStream } from '../sockets/peer.ts'
import { FeedReader } from './reader.ts'
import { parseRequest, type SubscriptionRequest } from './request.ts'
import type { FeedEvent, Sink, Subscription } from './subscription.ts'

/** The id of the subscription that the query of the upgrade made. */
const QUERY_SUBSCRIPTION = 'query'

export interface SessionLimits extends Omit<PeerLimits, 'budget'> {
  /** For a token to come (SPEC NOTE-2). */
  readonly authenticationMs: number
  readonly subscriptions: number
  /** Of one frame of a client; frames that wait for one before them share four times as much. */
  readonly frameBytes: number
  readonly framesAtOnce: number
  readonly framesPerSecond: number
  /** Sent and not yet taken by the network; a reader that lets more pile up is closed (SPEC NOTE-6). */
  readonly bufferBytes: number
  readonly bookmarkMs: number
}

export interface SessionParts {
  readonly feed: Feed
  readonly authenticate: Authenticate
  readonly isValid: (principal: Principal) => boolean
  readonly environment: Environment
  readonly parseJson: (bytes: Uint8Array) => JsonValue
  readonly problemOf: (error: ParleyError) => Readonly<Record<string, unknown>>
  readonly onUnexpected: (error: unknown) => void
  readonly onNoToken: () => void
  readonly onFlood: () => void
  readonly limits: SessionLimits
  /** The frame of an event, as it is on the wire, for subscriptions whose ids, as JSON, are joined by commas. */
  readonly frameOf: (event: FeedEvent, ids: string) => Buffer
}

/**
 * | state     | authenticate        | subscribe, unsubscribe | ping | token expires, revoked | socket closes |
 * |-----------|---------------------|------------------------|------|------------------------|---------------|
 * | `waiting` | → `open`, or 4401   | error frame            | pong | (10 s: 4401)           | → `ended`     |
 * | `open`    | new rights, or 4401 | done, or error frame   | pong | 4401 → `ended`         | → `ended`     |
 * | `ended`   | ignored             | ignored                | –    | –                      | –             |
 */
type HubState =
  | { readonly phase: 'waiting'; readonly deadlineMs: number; readonly request: SubscriptionRequest | null }
  | { readonly phase: 'open'; readonly principal: Principal }
  | { readonly phase: 'ended' }

/** One WebSocket of the hub: what it may read, what it asked for, and how it keeps up. */
export class HubSession implements Sink {
  readonly #peer: Peer
  readonly #parts: SessionParts
  readonly #limits: SessionLimits
  readonly #environment: Environment
  #state: HubState
  /** The subscriptions' ids as the client knows them, and as JSON, which every event names. */
  readonly #ids = new Map<Subscription, { readonly id: string; readonly json: string }>()
  readonly #inbox: Inbox
  readonly #outflow: Outflow
  readonly #reader: FeedReader
  #bookmarkedMs: number
  /** How many frames came; an error names the one that it answers by this. */
  #frames = 0

  /** `stream` is what the socket writes to. */
  constructor(socket: WebSocket, stream: SocketStream, parts: SessionParts) {
    this.#parts = parts
    this.#limits = parts.limits
    this.#environment = parts.environment
    const now = parts.environment.monotonicMs()
    this.#state = { phase: 'waiting', deadlineMs: now + parts.limits.authenticationMs, request: null }
    this.#bookmarkedMs = now
    const peer = new Peer({
      socket,
      stream,
      environment: parts.environment,
      limits: { ...parts.limits, budget: budgetOf(parts.limits) },
      onMessage: (bytes, isBinary) => this.#receive(bytes, isBinary),
      onFlood: () => {
        parts.onFlood()
        this.fail(new ParleyError('too-many-requests', 'Too many frames came in too short a time.'))
      },
      onClosed: () => {
        if (this.waits) parts.onNoToken()
        this.#settle()
      },
    })
    this.#peer = peer
    const line = {
      pendingBytes: () => peer.pendingBytes,
      write: (bytes: Buffer, taken?: () => void) => peer.write(bytes, taken),
    }
    this.#outflow = new Outflow(line, parts.limits.bufferBytes)
    this.#reader = new FeedReader(parts.feed, (document) => this.#mayRead(document), this)
    this.#inbox = new Inbox(4 * parts.limits.frameBytes)
  }

  /** Resolves once the socket is closed. */
  get gone(): Promise<void> {
    return this.#peer.gone
  }

  /** Whom the session acts for; null before a token was shown and after the end. */
  get principal(): Principal | null {
    return this.#state.phase === 'open' ? this.#state.principal : null
  }

  /** Whether it has shown no valid token yet. */
  get waits(): boolean {
    return this.#state.phase === 'waiting'
  }

  /** Starts with what the upgrade brought: who it is, and what its query asks for. */
  begin(token: string | null, principal: Principal | null, request: SubscriptionRequest | null): void {
    invariant(this.#state.phase === 'waiting', 'a session begins once')
    this.#state = { ...this.#state, request }
    if (principal !== null) this.#open(principal)
    else if (token !== null) this.#inbox.add(0, () => this.#authenticate(token))
  }

  /** Tells the client what is wrong and closes the socket with the code of the problem. */
  fail(error: ParleyError): void {
    this.#sendProblem(error, null)
    this.#end(error.code)
  }

  /** Ends where its token does not count any more. */
  revalidate(): void {
    if (this.#state.phase !== 'open' || this.#parts.isValid(this.#state.principal)) return
    if (this.#expired()) this.fail(EXPIRED())
    else this.fail(new ParleyError('unauthenticated', 'The token was revoked.'))
  }

  /** Looks at deadlines; called about once a second. */
  tick(): void {
    const now = this.#environment.monotonicMs()
    if (this.#state.phase === 'ended') return
    if (this.#state.phase === 'waiting' && now >= this.#state.deadlineMs) {
      this.#parts.onNoToken()
      this.fail(new ParleyError('unauthenticated', 'No token came in time.'))
    } else if (this.#expired()) {
      this.fail(EXPIRED())
    } else {
      this.#bookmark(now)
    }
  }

  // What the feed calls

  deliver(event: FeedEvent, subscriptions: readonly Subscription[]): void {
    if (this.#expired()) {
      this.fail(EXPIRED())
      return
    }
    this.#write(this.#parts.frameOf(event, this.#idsOf(subscriptions)))
  }

  resync(subscription: Subscription, cursor: string): void {
    this.#sendFrame({ type: 'resync', id: this.#idOf(subscription).id, cursor })
  }

  caughtUp(): void {
    // The client has no use for it: live events look like those it missed.
  }

  room(): Promise<void> | null {
    return this.#outflow.room()
  }

  failed(subscription: Subscription, error: unknown): void {
    this.#ids.delete(subscription)
    this.#failBy(error)
  }

  // What the client sends

  #receive(bytes: Uint8Array, isBinary: boolean): void {
    if (this.#state.phase === 'ended') return
    const frame = (this.#frames += 1)
    if (isBinary) {
      this.fail(new ParleyError('invalid-request', 'Frames are text, not binary.'))
    } else if (bytes.length > this.#limits.frameBytes) {
      this.fail(new ParleyError('message-too-large', `A frame holds at most ${this.#limits.frameBytes} bytes.`))
    } else if (!this.#inbox.add(bytes.length, () => this.#handle(bytes, frame))) {
      this.fail(new ParleyError('too-many-requests', 'Too many frames wait for one before them.'))
    }
  }

  /** One frame. What is wrong with it is answered, and harms nothing else. */
  async #handle(bytes: Uint8Array, frame: number): Promise<void> {
    if (this.#state.phase === 'ended') return
    let value: JsonValue = null
    try {
      value = this.#parts.parseJson(bytes)
      await this.#obey(parseClientFrame(value))
    } catch (error) {
      if (error instanceof ParleyError) this.#sendProblem(error, { id: idOf(value), frame })
      else this.#failBy(error)
    }
  }

  async #obey(frame: ClientFrame): Promise<void> {
    switch (frame.type) {
      case 'authenticate':
        return this.#authenticate(frame.token)
      case 'subscribe':
        return this.#subscribeBy(frame)
      case 'unsubscribe':
        return this.#unsubscribe(frame.id)
      case 'ping':
        return this.#sendFrame({ type: 'pong' })
      default:
        return assertNever(frame)
    }
  }

  async #authenticate(token: string): Promise<void> {
    try {
      const principal = await this.#parts.authenticate(token)
      this.#open(principal)
    } catch (error) {
      this.#failBy(error)
    }
  }

  /** Takes a principal's rights in place of those there were (SPEC NOTE-7); the feed asks for them with every event. */
  #open(principal: Principal): void {
    if (this.#state.phase === 'ended') return
    const request = this.#state.phase === 'waiting' ? this.#state.request : null
    this.#state = { phase: 'open', principal }
    this.revalidate()
    if (this.#state.phase !== 'open') return
    this.#sendFrame({ type: 'welcome' })
    if (request !== null) this.#subscribe(QUERY_SUBSCRIPTION, request)
  }

  #subscribeBy(frame: SubscribeFrame): void {
    if (this.#state.phase !== 'open') throw new ParleyError('unauthenticated', 'Send a frame `authenticate` first.')
    for (const { id } of this.#ids.values()) {
      if (id === frame.id) throw new ParleyError('invalid-request', 'There is a subscription with this id.')
    }
    if (this.#ids.size >= this.#limits.subscriptions) {
      throw new ParleyError('invalid-request', `One socket holds at most ${this.#limits.subscriptions} subscriptions.`)
    }
    this.#subscribe(frame.id, parseRequest(frame, this.#parts.feed.epoch))
  }

  #mayRead(document: DocumentId): boolean {
    const { principal } = this
    return principal !== null && can(principal, 'read', document)
  }

  #subscribe(id: string, request: SubscriptionRequest): void {
    const subscription = this.#reader.subscribe(request)
    this.#ids.set(subscription, { id, json: JSON.stringify(id) })
    this.#sendFrame({ type: 'subscribed', id, cursor: subscription.cursor })
  }

  #unsubscribe(id: string): void {
    for (const [subscription, known] of this.#ids) {
      if (known.id !== id) continue
      this.#reader.unsubscribe(subscription)
      this.#ids.delete(subscription)
      return
    }
    throw new ParleyError('invalid-request', 'There is no subscription with this id.')
  }

  // What the client is sent

  #sendFrame(frame: ServerFrame): void {
    this.#write(textFrame(JSON.stringify(frame)))
  }

  #sendProblem(error: ParleyError, answered: { readonly id: string | null; readonly frame: number } | null): void {
    const { id = null, frame } = answered ?? {}
    const named = { ...(frame === undefined ? {} : { frame }), ...(id === null ? {} : { id }) }
    this.#sendFrame({ type: 'error', ...named, problem: { ...this.#parts.problemOf(error) } })
  }

  /** Writes a whole frame to the network. */
  #write(frame: Buffer): void {
    if (this.#state.phase !== 'ended' && !this.#outflow.write(frame)) this.#end('too-slow')
  }

  /** Moves the cursor of a client on past events that were not for it, so that it never becomes too old. */
  #bookmark(now: number): void {
    if (now - this.#bookmarkedMs < this.#limits.bookmarkMs) return
    this.#bookmarkedMs = now
    const cursor = this.#reader.moveOn()
    if (cursor !== null) this.#sendFrame({ type: 'bookmark', cursor })
  }

  // How it ends

  #failBy(error: unknown): void {
    if (error instanceof ParleyError) {
      this.fail(error)
      return
    }
    this.#parts.onUnexpected(error)
    this.fail(new ParleyError('internal', 'The session failed.', { cause: error }))
  }

  #end(code: ProblemCode): void {
    if (this.#state.phase === 'ended') return
    this.#settle()
    this.#peer.end(code, code)
  }

  /** Lets go of everything but the socket; idempotent. */
  #settle(): void {
    this.#state = { phase: 'ended' }
    this.#reader.close()
    this.#ids.clear()
    this.#inbox.clear()
    this.#outflow.close()
  }

  #expired(): boolean {
    return this.#state.phase === 'open' && this.#environment.now() >= this.#state.principal.expiresAt * 1_000
  }

  /** As JSON, joined by commas. */
  #idsOf(subscriptions: readonly Subscription[]): string {
    const [first, ...others] = subscriptions
    invariant(first !== undefined, 'an event is delivered for some subscription')
    let ids = this.#idOf(first).json
    for (const other of others) ids += `,${this.#idOf(other).json}`
    return ids
  }

  #idOf(subscription: Subscription): { readonly id: string; readonly json: string } {
    const id = this.#ids.get(subscription)
    invariant(id !== undefined, 'only standing subscriptions are served')
    return id
  }
}

const budgetOf = ({ framesAtOnce, framesPerSecond }: SessionLimits): BudgetLimits => ({
  messages: { capacity: framesAtOnce, msPerToken: 1_000 / framesPerSecond },
  // A frame has a bound of its own.
  bytes: null,
})

const EXPIRED = (): ParleyError => new ParleyError('unauthenticated', 'The token has expired.')
