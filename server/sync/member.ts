import type { Environment, Timer } from '../foundation/environment.ts'
import type { LockHash, PrincipalId, Version } from '../foundation/ids.ts'
import type { ProblemCode } from '../foundation/problemTable.ts'
import type { LockPass } from '../model/lock.ts'
import type { AwarenessMember } from './awareness.ts'
import type { SyncLimits } from './limits.ts'
import type { Questioned } from './questions.ts'
import { Outbox, type QueuedAnswer, type Again, type MemberLine } from './outbox.ts'
import { EMPTY_AWARENESS, type ServerMessage } from './messages.ts'
import { openSession, type SessionState } from './session.ts'

/** What a room needs of a connection, whatever protocol it speaks. */
export interface Channel extends MemberLine {
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
  /** Of the lock token that the session showed, if it did (LOCK-4). */
  readonly tokenHash: LockHash | null
  readonly limits: SyncLimits
  readonly environment: Environment
  /** Makes anew what was dropped because its line is slow. */
  readonly again: (member: Member) => Again
  /** Its line takes nothing any more. */
  readonly onStalled: (member: Member) => void
}

const HEARTBEAT: ServerMessage = { type: 'awareness', body: EMPTY_AWARENESS }

/** One session as its room keeps it: its state, its timers, what it is to be sent, and what of it is not on disk yet. */
export class Member implements AwarenessMember, Questioned {
  readonly principal: PrincipalId
  /** What it shows of a lock. */
  readonly pass: LockPass
  readonly mayWrite: boolean
  readonly channel: Channel
  /** Versions that it wrote and that are not shown yet, oldest first. */
  readonly #writing: Version[] = []
  /** False once an update of it was refused: what follows may build on that, and the session is about to end. */
  isHeard = true
  /** Whether its client was told why it ends; its editor keeps what it has then. */
  isTold = false
  /** Messages it has sent. */
  heard = 0
  livelyMs = Number.NEGATIVE_INFINITY
  readonly #limits: SyncLimits
  readonly #environment: Environment
  readonly #outbox: Outbox
  #state: SessionState
  #waiting: { readonly untilMs: number | null; readonly timer: Timer | null } = { untilMs: null, timer: null }
  #unsavedUpdates = 0
  #unsavedBytes = 0
  #isPaused = false
  readonly #onStalled: (member: Member) => void
  #lastSentMs: number
  #lastTakenMs: number
  #heartbeat: Timer

  constructor(options: MemberOptions) {
    const { channel, principal, access, tokenHash, limits, environment, again, onStalled } = options
    this.principal = principal
    this.pass = { by: 'edit', principal, tokenHash }
    this.mayWrite = access === 'write'
    this.channel = channel
    this.#limits = limits
    this.#environment = environment
    this.#state = openSession(access, environment.monotonicMs())
    const line: MemberLine = {
      frameOf: (message) => channel.frameOf(message),
      write: (frame, taken) => {
        this.#lastSentMs = environment.monotonicMs()
        channel.write(frame, () => {
          this.#lastTakenMs = environment.monotonicMs()
          taken()
        })
      },
    }
    this.#outbox = new Outbox(line, limits.readerBufferBytes, again(this))
    this.#onStalled = onStalled
    this.#lastSentMs = environment.monotonicMs()
    this.#lastTakenMs = this.#lastSentMs
    this.#heartbeat = this.#beatLater(limits.heartbeatMs)
  }

  get state(): SessionState {
    return this.#state
  }
  /** Whether its client hears what it is sent. */
  get isOpen(): boolean {
    return this.#state.name !== 'closed' && this.#state.name !== 'leaving'
  }
  get hasAnswered(): boolean {
    return 'hasAnswered' in this.#state && this.#state.hasAnswered
  }
  /** Whether updates of it are applied of which is not known yet whether they reach the disk. */
  get hasUnsaved(): boolean {
    return this.#unsavedUpdates > 0
  }

  /** What a step has made of it. `waited` is called when nothing more is to be waited for. */
  become(state: SessionState, waited: () => void): void {
    this.#state = state
    const untilMs = 'untilMs' in state ? state.untilMs : null
    if (untilMs !== this.#waiting.untilMs) {
      this.#waiting.timer?.cancel()
      const delayMs = (untilMs ?? 0) - this.#environment.monotonicMs()
      this.#waiting = { untilMs, timer: untilMs === null ? null : this.#environment.after(delayMs, waited) }
    }
    if (!this.isOpen) this.#stop()
  }

  /** It wrote an entry, newer than those before. */
  wrote(version: Version): void {
    this.#writing.push(version)
  }

  /** Whether it wrote any of the entries up to a version that are about to be shown. */
  hasWritten(upTo: Version): boolean {
    const [oldest] = this.#writing
    return oldest !== undefined && oldest <= upTo
  }

  /** Those that it wrote; from now on they are shown. */
  takeWritten(upTo: Version): ReadonlySet<Version> {
    const later = this.#writing.findIndex((version) => version > upTo)
    return new Set(this.#writing.splice(0, later === -1 ? this.#writing.length : later))
  }

  /** Sends a question after what was sent before. */
  send(message: ServerMessage): void {
    this.#outbox.push(message)
  }

  /** Sends what an entry brings after what was sent before. */
  show(entry: Extract<ServerMessage, { readonly type: 'update' }>): void {
    this.#outbox.pushEntry(entry)
  }

  /** Sends what waits for no answer. */
  sendAside(message: ServerMessage): void {
    this.#outbox.pushAside(message)
  }

  /** Sends the answer once it is ready; later messages wait behind it. */
  answer(answer: QueuedAnswer): void {
    this.#outbox.pushAnswer(answer)
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
    const { heartbeatMs, stalledMs } = this.#limits
    const movedMs = Math.max(this.#lastSentMs, this.#lastTakenMs)
    if (this.#outbox.isBlocked && this.#environment.monotonicMs() - movedMs >= stalledMs) return this.#onStalled(this)
    const silentMs = this.#environment.monotonicMs() - this.#lastSentMs
    const isDue = silentMs >= heartbeatMs
    if (isDue) this.sendAside(HEARTBEAT)
    this.#heartbeat = this.#beatLater(isDue ? heartbeatMs : heartbeatMs - silentMs)
  }
}
