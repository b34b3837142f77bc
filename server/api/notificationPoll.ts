/** `/conflict-notifications` as a long poll (SPEC NOTE-4): one answer holds what came since a cursor. */
import { can, type Principal } from '../access/access.ts'
import { invariant } from '../foundation/assert.ts'
import type { Environment, Timer } from '../foundation/environment.ts'
import type { DocumentId } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { MAX_MISSED_CHANGES } from '../notifications/catchUp.ts'
import type { Feed } from '../notifications/feed.ts'
import { FeedReader } from '../notifications/reader.ts'
import type { SubscriptionRequest } from '../notifications/request.ts'
import type { FeedEvent, Sink, Subscription } from '../notifications/subscription.ts'

/**
 * Events of one answer, some 500 kB. More than the changes found by a sweep of the documents, which share one
 * place: a poll that stopped amid them would get the same ones again, and never the rest.
 */
const EVENTS_AN_ANSWER = MAX_MISSED_CHANGES + 1
/** Polls that wait at once: a file descriptor and some 50 kB each. */
const MAX_WAITING = 20_000

export interface PollParts {
  readonly feed: Feed
  readonly environment: Environment
  /** Whether a token that was verified once still counts: not expired, not revoked. */
  readonly isValid: (principal: Principal) => boolean
}

export interface PollAnswer {
  /** CloudEvents as JSON text, in order. */
  readonly events: readonly string[]
  /** From where the next poll goes on. */
  readonly cursor: string
}

export class Polls {
  readonly #parts: PollParts
  readonly #waiting = new Map<Poll, Principal>()
  #closing = false

  constructor(parts: PollParts) {
    this.#parts = parts
  }

  /** How many wait for an answer. */
  get size(): number {
    return this.#waiting.size
  }

  /**
   * Resolves with what there is since the cursor of the request, or else with what comes first within `waitMs`;
   * with no events after that time, when `gone` says that nobody waits any more, and when the server stops.
   * Rejects with `cursor-expired` where what was missed can no longer be told.
   */
  async poll(
    principal: Principal,
    request: SubscriptionRequest,
    waitMs: number,
    gone: AbortSignal,
  ): Promise<PollAnswer> {
    if (this.#closing) throw new ParleyError('shutting-down', 'The server is stopping.')
    if (this.#waiting.size >= MAX_WAITING) throw new ParleyError('overloaded', 'There are too many polls.')
    const { environment, isValid } = this.#parts
    const mayRead = (document: DocumentId): boolean => isValid(principal) && can(principal, 'read', document)
    const poll = new Poll(this.#parts.feed, mayRead, environment)
    this.#waiting.set(poll, principal)
    const leave = (): void => poll.finish()
    gone.addEventListener('abort', leave)
    try {
      const untilExpiryMs = principal.expiresAt * 1_000 - environment.now()
      const patienceMs = gone.aborted ? 0 : Math.min(waitMs, untilExpiryMs)
      return await poll.run(request, Math.max(0, patienceMs))
    } finally {
      gone.removeEventListener('abort', leave)
      this.#waiting.delete(poll)
    }
  }

  /** Answers every poll whose token does not count any more with what it has, as after a revocation. */
  revalidate(): void {
    for (const [poll, principal] of this.#waiting) if (!this.#parts.isValid(principal)) poll.finish()
  }

  /** Answers every poll with what it has. */
  close(): void {
    this.#closing = true
    for (const poll of this.#waiting.keys()) poll.finish()
  }
}

class Poll implements Sink {
  readonly #feed: Feed
  readonly #environment: Environment
  readonly #events: string[] = []
  readonly #reader: FeedReader
  #isOver = false
  #waitMs = 0
  #timer: Timer | null = null
  #resolve: (answer: PollAnswer) => void = () => undefined
  #reject: (error: unknown) => void = () => undefined

  constructor(feed: Feed, mayRead: (document: DocumentId) => boolean, environment: Environment) {
    this.#feed = feed
    this.#reader = new FeedReader(feed, mayRead, this)
    this.#environment = environment
  }

  run(request: SubscriptionRequest, waitMs: number): Promise<PollAnswer> {
    this.#waitMs = waitMs
    this.#reader.subscribe(request)
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      if (this.#reader.isLive) this.#wait()
    })
  }

  /** Answers with what it has; idempotent. */
  finish(): void {
    if (this.#isOver) return
    if (!this.#isFull()) this.#reader.moveOn()
    const { cursor } = this.#reader
    invariant(cursor !== null, 'a poll is subscribed while it runs')
    this.#end()
    this.#resolve({ events: this.#events, cursor })
  }

  // What the feed calls

  deliver(event: FeedEvent): void {
    this.#events.push(event.json)
    if (this.#isFull()) this.finish()
    // What is told in the same turn shares the answer.
    else if (this.#reader.isLive && this.#events.length === 1) this.#finishAfter(0)
  }

  resync(_subscription: Subscription, cursor: string): void {
    this.#fail(
      new ParleyError('cursor-expired', 'What came after `since` is not kept any more.', { extras: { cursor } }),
    )
  }

  caughtUp(): void {
    if (this.#events.length > 0) this.finish()
    else this.#wait()
  }

  room(): null {
    // One answer takes so little that it may wait in memory, and it ends by itself.
    return null
  }

  failed(_subscription: Subscription, error: unknown): void {
    this.#fail(error)
  }

  #isFull(): boolean {
    return this.#events.length >= EVENTS_AN_ANSWER
  }

  #wait(): void {
    // Whoever asks right after a write was answered has its event, although that goes out off the path of the commit.
    if (this.#waitMs === 0) void this.#feed.toldAll().then(() => this.finish())
    else this.#finishAfter(this.#waitMs)
  }

  #finishAfter(delayMs: number): void {
    this.#timer?.cancel()
    this.#timer = this.#environment.after(delayMs, () => this.finish())
  }

  #fail(error: unknown): void {
    if (this.#isOver) return
    this.#end()
    this.#reject(error)
  }

  #end(): void {
    this.#isOver = true
    this.#timer?.cancel()
    this.#reader.close()
  }
}
