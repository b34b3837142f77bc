import { list, members, object, string, UnexpectedShape } from './readers.ts'
import type { TokenSource } from './rest.ts'
import * as shapes from './shapes.ts'
import type { EventType, ParleyEvent } from './types.ts'

/** The part of a browser's WebSocket that is used here. */
export interface SocketLike {
  send(data: string): void
  close(code?: number): void
  onopen: (() => void) | null
  onmessage: ((message: { readonly data: unknown }) => void) | null
  onclose: ((close: { readonly code: number; readonly reason: string }) => void) | null
}

export type FeedState =
  | { readonly phase: 'connecting' }
  | { readonly phase: 'following' }
  /** The connection was lost; another attempt is due. */
  | { readonly phase: 'waiting' }
  /** The server refused for good. */
  | { readonly phase: 'refused'; readonly reason: string }

export interface FeedOptions {
  /** `ws://localhost:4090/conflict-notifications` */
  readonly url: string
  readonly token: TokenSource
  /** Ids or patterns (`team:*`). */
  readonly documents: readonly string[]
  readonly events: readonly EventType[]
  readonly onEvent: (event: ParleyEvent) => void
  /** What happened up to now is not known (first subscription, cursor too old): read the state afresh. */
  readonly onGap: () => void
  readonly onState?: (state: FeedState) => void
  readonly connect?: (url: string, protocol: string) => SocketLike
  /** 0 to 1; spreads the attempts of many clients. */
  readonly random?: () => number
  readonly after?: (delayMs: number, task: () => void) => () => void
}

const PROTOCOL = 'conflict-notifications.v1'
const SUBSCRIPTION = 'feed'
const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 15_000
/** A ping every 20 s; a connection that brought nothing for 50 s is dead even if the socket does not know. */
const PING_EVERY_MS = 20_000
const SILENCE_MS = 50_000
const TOKEN_REFUSED = 4401
/** A connection that was given up here has no close code. */
const NO_CODE = 0
/** 44xx is final, but for a token that can be renewed. */
const isFinal = (code: number): boolean => code >= 4400 && code < 4500 && code !== TOKEN_REFUSED

const nothing = (): void => {}

const frameType = object({ type: string })
const cursorFrame = object({ cursor: string })
const eventFrame = object({ subscriptions: list(string), event: shapes.event })
const errorFrame = object({ problem: members })

const setTimer = (delayMs: number, task: () => void): (() => void) => {
  const handle = setTimeout(task, delayMs)
  return () => clearTimeout(handle)
}

const openSocket = (url: string, protocol: string): SocketLike => {
  const socket = new WebSocket(url, protocol)
  const like: SocketLike = {
    send: (data) => socket.send(data),
    close: (code) => socket.close(code),
    onopen: null,
    onmessage: null,
    onclose: null,
  }
  socket.addEventListener('open', () => like.onopen?.())
  socket.addEventListener('message', (message) => like.onmessage?.({ data: message.data }))
  socket.addEventListener('close', (close) => like.onclose?.({ code: close.code, reason: close.reason }))
  return like
}

/**
 * Follows the notifications of some documents over WebSocket until it is closed: it connects again after
 * every loss and resumes behind the last event it saw, so that none is missed; the last one, should it
 * arrive again, is passed on once.
 */
export class NotificationFeed {
  readonly #options: Required<FeedOptions>
  #socket: SocketLike | null = null
  #cursor: string | null = null
  #failures = 0
  #closed = false
  #token = ''
  #tokenRefused = false
  /** Which attempt counts; one that is overtaken while it waits for its token connects no more. */
  #attempt = 0
  #cancelRetry = nothing
  #cancelPing = nothing
  #cancelSilence = nothing

  constructor(options: FeedOptions) {
    this.#options = { onState: nothing, connect: openSocket, random: Math.random, after: setTimer, ...options }
    void this.#open()
  }

  close(): void {
    this.#closed = true
    this.#leave()
  }

  /** Hangs up until `wake`, which resumes behind the last event that was seen. */
  pause(): void {
    if (this.#closed) return
    this.#leave()
    this.#options.onState({ phase: 'waiting' })
  }

  /** Connects at once where another attempt is due only later: the network is back, or there is a token again. */
  wake(): void {
    if (this.#closed || this.#socket !== null) return
    this.#cancelRetry()
    this.#failures = 0
    void this.#open()
  }

  #leave(): void {
    this.#attempt += 1
    this.#cancelRetry()
    this.#cancelPing()
    this.#cancelSilence()
    const socket = this.#socket
    this.#socket = null
    socket?.close(1000)
  }

  async #open(): Promise<void> {
    this.#attempt += 1
    const attempt = this.#attempt
    this.#options.onState({ phase: 'connecting' })
    try {
      const { token } = this.#options
      this.#token = this.#tokenRefused ? await token.renew(this.#token) : await token.current()
      this.#tokenRefused = false
    } catch {
      if (attempt === this.#attempt) this.#retryLater()
      return
    }
    if (this.#closed || attempt !== this.#attempt) return
    const socket = this.#options.connect(this.#options.url, PROTOCOL)
    this.#socket = socket
    // The token goes in a frame and not in the URL, which proxies write into their logs.
    socket.onopen = () => {
      this.#send({ type: 'authenticate', token: this.#token })
      this.#ping()
    }
    socket.onmessage = (message) => {
      if (this.#socket === socket) this.#receive(message.data)
    }
    socket.onclose = (close) => {
      if (this.#socket === socket) this.#lose(close.code, close.reason)
    }
    this.#listen()
  }

  #retryLater(): void {
    if (this.#closed) return
    this.#options.onState({ phase: 'waiting' })
    const delayMs = Math.min(FIRST_RETRY_MS * 2 ** this.#failures, LONGEST_RETRY_MS)
    this.#failures += 1
    this.#cancelRetry = this.#options.after(delayMs * (0.5 + this.#options.random() / 2), () => void this.#open())
  }

  #lose(code: number, reason: string): void {
    this.#socket = null
    this.#cancelPing()
    this.#cancelSilence()
    this.#tokenRefused = code === TOKEN_REFUSED
    if (isFinal(code)) this.#options.onState({ phase: 'refused', reason: reason || `closed with ${code}` })
    else this.#retryLater()
  }

  #send(frame: object): void {
    this.#socket?.send(JSON.stringify(frame))
  }

  #ping(): void {
    this.#cancelPing = this.#options.after(PING_EVERY_MS, () => {
      this.#send({ type: 'ping' })
      this.#ping()
    })
  }

  #listen(): void {
    this.#cancelSilence()
    this.#cancelSilence = this.#options.after(SILENCE_MS, () => this.#giveUp())
  }

  #giveUp(): void {
    const given = this.#socket
    this.#lose(NO_CODE, '')
    given?.close()
  }

  #subscribe(): void {
    const { documents, events } = this.#options
    const since = this.#cursor === null ? {} : { since: this.#cursor }
    this.#send({ type: 'subscribe', id: SUBSCRIPTION, documents, events, ...since })
  }

  /** A frame that cannot be read is left out: it harms nothing but itself. */
  #receive(data: unknown): void {
    this.#listen()
    const frame = parse(data)
    if (frame === null) return
    try {
      this.#handle(frame)
    } catch (error) {
      if (!(error instanceof UnexpectedShape)) throw error
    }
  }

  #handle(frame: unknown): void {
    const { type } = frameType(frame, 'frame')
    if (type === 'welcome') this.#subscribe()
    else if (type === 'subscribed') this.#subscribed(cursorFrame(frame, type).cursor)
    else if (type === 'event') this.#pass(eventFrame(frame, type).event)
    else if (type === 'bookmark') this.#cursor = cursorFrame(frame, type).cursor
    else if (type === 'resync') this.#startOver(cursorFrame(frame, type).cursor)
    else if (type === 'error') this.#stumble(errorFrame(frame, type).problem)
  }

  #subscribed(cursor: string): void {
    this.#failures = 0
    this.#options.onState({ phase: 'following' })
    if (this.#cursor === null) this.#startOver(cursor)
  }

  #startOver(cursor: string): void {
    this.#cursor = cursor
    this.#options.onGap()
  }

  #pass(event: ParleyEvent): void {
    if (event.id === this.#cursor) return
    this.#cursor = event.id
    this.#options.onEvent(event)
  }

  /** A cursor the server cannot read is given up; what may pass is tried again; any other error is final. */
  #stumble(problem: Readonly<Record<string, unknown>>): void {
    if (problem['code'] === 'invalid-cursor' && this.#cursor !== null) {
      this.#cursor = null
      this.#subscribe()
      return
    }
    if (problem['retryable'] === true) {
      this.#giveUp()
      return
    }
    const reason = problem['detail'] ?? problem['title']
    this.#options.onState({ phase: 'refused', reason: typeof reason === 'string' ? reason : 'the subscription failed' })
  }
}

function parse(data: unknown): unknown {
  if (typeof data !== 'string') return null
  try {
    return JSON.parse(data)
  } catch {
    return null
  }
}
