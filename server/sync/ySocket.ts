import type { Socket } from 'node:net'
import type { RawData, WebSocket } from 'ws'
import type { Principal } from '../access/access.ts'
import type { Environment, Timer } from '../foundation/environment.ts'
import { runAt } from '../foundation/environment.ts'
import { problemKind, type ParleyError, type ProblemCode } from '../foundation/problems.ts'
import { Intake } from './intake.ts'
import type { SyncLimits } from './limits.ts'
import type { Channel } from './member.ts'
import { decodeMessage, type ServerMessage } from './protocol.ts'
import type { Seat } from './room.ts'
import { sharedFrame } from './sharedFrame.ts'

/** RFC 6455 §5.5.1: what a close frame has room for besides its code. */
const MAX_REASON_BYTES = 123
/** RFC 6455 §7.4.1, for problems without a close code of their own. */
const INTERNAL_ERROR = 1011
/**
 * Frames that came before reading was paused for authentication: at most what one read of the network held.
 * A stock client sends two.
 */
const MAX_HELD_BYTES = 256 * 1024
const MAX_HELD_FRAMES = 100
/** A peer that left this many pings without any sign of life is gone … */
const UNANSWERED_PINGS = 2
/** … and one more for each so many bytes that were sent since, for its answer comes behind them: 32 KiB/s (SYNC-9). */
const BYTES_PER_PING = 1024 * 1024

/** What the socket writes to, and its counts of bytes. */
export type SocketStream = Pick<Socket, 'write' | 'bytesRead' | 'bytesWritten'>

/**
 * | state        | frame            | joined      | refused               | closed by us | socket closes |
 * |--------------|------------------|-------------|-----------------------|--------------|---------------|
 * | `connecting` | held             | → `open`    | denied → `refused`    | → `closing`  | → `closing`   |
 * | `open`       | to the seat      | –           | –                     | → `closing`  | → `closing`   |
 * | `refused`    | ignored          | –           | –                     | → `closing`  | → `closing`   |
 * | `closing`    | ignored          | seat left   | –                     | –            | –             |
 */
type State =
  | { readonly name: 'connecting'; readonly held: readonly Uint8Array[]; readonly heldBytes: number }
  | { readonly name: 'open'; readonly seat: Seat; readonly principal: Principal }
  | { readonly name: 'refused' }
  | { readonly name: 'closing' }

/** One WebSocket that speaks the y-websocket protocol. */
export class YSocket implements Channel {
  /** Resolves once the socket is closed. */
  readonly gone: Promise<void>
  readonly #socket: WebSocket
  readonly #stream: SocketStream
  readonly #environment: Environment
  readonly #limits: SyncLimits
  readonly #timers = new Set<Timer>()
  #state: State = { name: 'connecting', held: [], heldBytes: 0 }
  readonly #intake: Intake
  #unansweredPings = 0
  /** As they were at the last sign of life. */
  #bytes = { read: 0, written: 0 }
  #ping: Timer

  /** `stream` is what the socket writes to. */
  constructor(socket: WebSocket, stream: SocketStream, environment: Environment, limits: SyncLimits) {
    this.#socket = socket
    this.#stream = stream
    this.#environment = environment
    this.#limits = limits
    this.#intake = new Intake(environment, socket, (frame) => this.#read(frame))
    this.#ping = this.#pingLater()
    this.gone = new Promise((resolve) => {
      socket.once('close', () => {
        this.#intake.end(() => {
          this.#settle()
          resolve()
        })
      })
    })
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary))
    // It tells of the line alone: a browser answers for a page that hangs.
    socket.on('pong', () => this.#isAlive())
    // What goes wrong on a socket (an oversized frame, a reset) also closes it; 'close' tells the rest.
    socket.on('error', () => undefined)
    socket.pause()
  }

  /** Whether the connection was refused and is kept silent. */
  get isRefused(): boolean {
    return this.#state.name === 'refused'
  }

  /** Whom the session acts for, while it is open. */
  get principal(): Principal | null {
    return this.#state.name === 'open' ? this.#state.principal : null
  }

  /** The session is open until the principal's token expires. */
  open(seat: Seat, principal: Principal): void {
    if (this.#state.name !== 'connecting') {
      seat.leave()
      return
    }
    const { held } = this.#state
    this.#state = { name: 'open', seat, principal }
    const expiresAtMs = principal.expiresAt * 1_000
    this.#timers.add(runAt(this.#environment, expiresAtMs, () => this.#end('unauthenticated', 'the token has expired')))
    this.resume()
    for (const frame of held) this.#take(frame)
  }

  /**
   * Tells the client why if that will not pass, keeps silent for a while and closes then: a stock client whose
   * socket closes right after it opened comes back ten times a second (WIRE).
   */
  refuse(problem: ParleyError): void {
    if (this.#state.name !== 'connecting') return
    this.#state = { name: 'refused' }
    if (isPermanent(problem.code)) {
      this.write(sharedFrame({ type: 'permission-denied', reason: problem.detail }), () => undefined)
    }
    this.#timers.add(this.#environment.after(this.#limits.refusalMs, () => this.#end(problem.code, problem.detail)))
    this.resume()
  }

  frameOf(message: ServerMessage): Uint8Array {
    return sharedFrame(message)
  }

  write(frame: Uint8Array, taken: () => void): void {
    // After the close frame nothing may follow, and nobody would read it.
    if (this.#socket.readyState !== this.#socket.OPEN) queueMicrotask(taken)
    else
      this.#stream.write(frame, () => {
        this.#isAlive()
        taken()
      })
  }

  pause(): void {
    this.#intake.pause()
  }

  resume(): void {
    this.#intake.resume()
  }

  close(code: ProblemCode, reason: string): void {
    this.#end(code, reason)
  }

  #receive(data: RawData, isBinary: boolean): void {
    this.#isAlive()
    if (this.#state.name === 'refused' || this.#state.name === 'closing') return
    if (!isBinary) {
      this.#end('invalid-request', 'a text frame')
      return
    }
    this.#take(copyOf(data))
  }

  #take(frame: Uint8Array): void {
    const state = this.#state
    if (state.name === 'connecting') {
      const heldBytes = state.heldBytes + frame.length
      if (heldBytes > MAX_HELD_BYTES || state.held.length >= MAX_HELD_FRAMES) {
        this.#end('overloaded', 'too much before the session is open')
      } else this.#state = { ...state, held: [...state.held, frame], heldBytes }
    } else this.#intake.take(frame)
  }

  #read(frame: Uint8Array): void {
    if (this.#state.name !== 'open') return
    const message = decodeMessage(frame)
    if (message.type === 'malformed') this.#end(message.code, message.reason)
    else this.#state.seat.receive(message)
  }

  #end(code: ProblemCode, reason: string): void {
    if (this.#state.name === 'closing') return
    this.#settle()
    this.#intake.clear()
    // The answer to our close frame must be read, and a peer that sends none must not stay.
    this.resume()
    this.#timers.add(this.#environment.after(this.#limits.closeGraceMs, () => this.#socket.terminate()))
    this.#socket.close(closeCodeOf(code), cut(reason))
  }

  #settle(): void {
    const state = this.#state
    this.#state = { name: 'closing' }
    this.#ping.cancel()
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
    if (state.name === 'open') state.seat.leave()
  }

  #isAlive(): void {
    this.#unansweredPings = 0
    this.#bytes = { read: this.#stream.bytesRead, written: this.#stream.bytesWritten }
  }

  #pingLater(): Timer {
    return this.#environment.after(this.#limits.pingMs, () => {
      // A long message takes its time, and every answer comes behind it.
      if (this.#stream.bytesRead > this.#bytes.read) this.#isAlive()
      const sent = this.#stream.bytesWritten - this.#bytes.written
      if (this.#unansweredPings >= UNANSWERED_PINGS + Math.floor(sent / BYTES_PER_PING)) {
        this.#socket.terminate()
        return
      }
      // A pong cannot be read while reading is paused.
      if (!this.#socket.isPaused) this.#unansweredPings += 1
      this.#socket.ping()
      this.#ping = this.#pingLater()
    })
  }
}

/** ws lends its buffer, which may be a piece of a pool shared with other connections. */
function copyOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Uint8Array.from(Buffer.concat(data))
  return data instanceof ArrayBuffer ? new Uint8Array(data.slice(0)) : Uint8Array.from(data)
}

/** At most what a close frame has room for, whole characters only. */
function cut(reason: string): string {
  let text = ''
  for (const character of reason) {
    if (Buffer.byteLength(text + character) > MAX_REASON_BYTES) break
    text += character
  }
  return text
}

/** Whether the code stops a stock client for good. */
function isPermanent(code: ProblemCode): boolean {
  const close = closeCodeOf(code)
  return close >= 4400 && close < 4500
}

function closeCodeOf(code: ProblemCode): number {
  return problemKind(code).close ?? INTERNAL_ERROR
}
