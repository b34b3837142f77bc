import type { Environment, Timer } from '../foundation/environment.ts'
import type { PrincipalId } from '../foundation/ids.ts'
import type { ProblemCode } from '../foundation/problems.ts'
import type { AwarenessMember } from './awareness.ts'
import type { SyncLimits } from './limits.ts'
import { Outbox, type Line } from './outbox.ts'
import { EMPTY_AWARENESS, type ServerMessage } from './protocol.ts'
import { openSession, step, type SessionAction, type SessionEvent, type SessionState } from './session.ts'

/** What a room needs of a connection, whatever protocol it speaks. */
export interface Channel extends Line {
  /** Stops and resumes reading from the client. */
  pause(): void
  resume(): void
  /** Ends the session; `reason` is for a person and may be cut. */
  close(code: ProblemCode, reason: string): void
}

export interface MemberOptions {
  readonly channel: Channel
  readonly principal: PrincipalId
  readonly access: 'read' | 'write'
  readonly limits: SyncLimits
  readonly environment: Environment
  readonly onTooSlow: (member: Member) => void
}

const HEARTBEAT: ServerMessage = { type: 'awareness', body: EMPTY_AWARENESS }

/** One session as its room keeps it: its state, what it is to be sent, and what of it is not on disk yet. */
export class Member implements AwarenessMember {
  readonly principal: PrincipalId
  readonly mayWrite: boolean
  readonly channel: Channel
  readonly #limits: SyncLimits
  readonly #environment: Environment
  readonly #outbox: Outbox
  #state: SessionState
  #unsavedUpdates = 0
  #unsavedBytes = 0
  #isPaused = false
  #lastSentMs: number
  #heartbeat: Timer

  constructor(options: MemberOptions) {
    const { channel, principal, access, limits, environment, onTooSlow } = options
    this.principal = principal
    this.mayWrite = access === 'write'
    this.channel = channel
    this.#limits = limits
    this.#environment = environment
    this.#state = openSession(access)
    this.#outbox = new Outbox(channel, limits.readerBufferBytes, () => onTooSlow(this))
    this.#lastSentMs = environment.monotonicMs()
    this.#heartbeat = this.#beatLater(limits.heartbeatMs)
  }

  get hasAnswered(): boolean {
    return this.#state.name !== 'closed' && this.#state.hasAnswered
  }
  /** Whether updates of it are applied of which is not known yet whether they reach the disk. */
  get hasUnsaved(): boolean {
    return this.#unsavedUpdates > 0
  }

  step(event: SessionEvent): SessionAction {
    const { state, action } = step(this.#state, event)
    this.#state = state
    if (state.name === 'closed') this.#stop()
    return action
  }

  send(message: ServerMessage): void {
    this.#lastSentMs = this.#environment.monotonicMs()
    this.#outbox.push(message)
  }

  /** Sends the answer once `ready` resolves; later messages wait behind it. */
  answer(messages: readonly ServerMessage[], ready: Promise<void>, sent: () => void): void {
    this.#lastSentMs = this.#environment.monotonicMs()
    this.#outbox.pushAnswer(messages, ready, sent)
  }

  /** Counts an update as applied until `saved` is called with the same bytes. */
  unsaved(bytes: number): void {
    this.#unsavedUpdates += 1
    this.#unsavedBytes += bytes
    const isTooMuch =
      this.#unsavedUpdates > this.#limits.unsavedUpdates || this.#unsavedBytes > this.#limits.unsavedBytes
    if (!isTooMuch || this.#isPaused) return
    this.#isPaused = true
    this.channel.pause()
  }

  saved(bytes: number): void {
    this.#unsavedUpdates -= 1
    this.#unsavedBytes -= bytes
    const isLittle =
      this.#unsavedUpdates <= this.#limits.unsavedUpdates / 2 && this.#unsavedBytes <= this.#limits.unsavedBytes / 2
    if (!isLittle || !this.#isPaused) return
    this.#isPaused = false
    this.channel.resume()
  }

  #stop(): void {
    this.#heartbeat.cancel()
    this.#outbox.stop()
  }

  #beatLater(delayMs: number): Timer {
    return this.#environment.after(delayMs, () => this.#beat())
  }

  #beat(): void {
    const silentMs = this.#environment.monotonicMs() - this.#lastSentMs
    if (silentMs >= this.#limits.heartbeatMs) this.send(HEARTBEAT)
    this.#heartbeat = this.#beatLater(
      Math.max(1, this.#lastSentMs + this.#limits.heartbeatMs - this.#environment.monotonicMs()),
    )
  }
}
