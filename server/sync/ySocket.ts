import type { WebSocket } from 'ws'
import type { Principal } from '../access/access.ts'
import type { Environment, Timer } from '../foundation/environment.ts'
import { runAt } from '../foundation/environment.ts'
import type { ParleyError } from '../foundation/problems.ts'
import type { ProblemCode } from '../foundation/problemTable.ts'
import { closeCodeOf, Peer, type SocketStream } from '../sockets/peer.ts'
import { Intake } from './intake.ts'
import type { SyncLimits } from './limits.ts'
import type { Channel } from './member.ts'
import { decodeMessage } from './yProtocol.ts'
import type { ServerMessage } from './messages.ts'
import type { Seat } from './room.ts'
import { sharedFrame } from './sharedFrame.ts'

/**
 * Frames that came before reading was paused for authentication: at most what one read of the network held.
 * A stock client sends two.
 */
const MAX_HELD_BYTES = 256 * 1024
const MAX_HELD_FRAMES = 100
/**
 * | state        | frame            | joined      | refused               | closed by us | socket closes |
 * |--------------|------------------|-------------|-----------------------|--------------|---------------|
 * | `connecting` | held             | → `open`    | denied → `refused`    | → `closing`  | → `closing`   |
 * | `open`       | to the seat      | –           | –                     | → `closing`  | → `closing`   |
 * | `refused`    | ignored          | –           | –                     | → `closing`  | → `closing`   |
 * | `closing`    | ignored          | seat left   | –                     | –            | –             |
 */
type SocketState =
  | { readonly name: 'connecting'; readonly held: readonly Uint8Array[]; readonly heldBytes: number }
  | { readonly name: 'open'; readonly seat: Seat; readonly principal: Principal }
  | { readonly name: 'refused' }
  | { readonly name: 'closing' }

/** One WebSocket that speaks the y-websocket protocol. */
export class YSocket implements Channel {
  readonly #peer: Peer
  readonly #environment: Environment
  readonly #limits: SyncLimits
  readonly #timers = new Set<Timer>()
  #state: SocketState = { name: 'connecting', held: [], heldBytes: 0 }
  readonly #intake: Intake

  /** `stream` is what the socket writes to; `onFlood` is told where it is closed because it sends more than it may. */
  constructor(
    socket: WebSocket,
    stream: SocketStream,
    environment: Environment,
    limits: SyncLimits,
    onFlood: () => void,
  ) {
    this.#environment = environment
    this.#limits = limits
    const source = { pause: () => this.#peer.pause(), resume: () => this.#peer.resume() }
    this.#intake = new Intake(environment, source, (frame) => this.#read(frame))
    this.#peer = new Peer({
      socket,
      stream,
      environment,
      limits,
      onMessage: (bytes, isBinary) => this.#receive(bytes, isBinary),
      onFlood: () => {
        onFlood()
        this.#end('too-many-requests', 'too many messages, or bytes, for too long')
      },
      // What it sent before counts.
      onClosed: ({ brokeOff }) =>
        new Promise<void>((resolve) => {
          this.#intake.end(() => {
            this.#settle(brokeOff)
            resolve()
          })
        }),
    })
    this.pause()
  }

  /** Resolves once the socket is closed. */
  get gone(): Promise<void> {
    return this.#peer.gone
  }

  /** The close code, that of whoever closed first; null while it is open. */
  get closedWith(): number | null {
    return this.#peer.closedWith
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
    this.#peer.write(frame, taken)
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

  #receive(frame: Uint8Array, isBinary: boolean): void {
    if (this.#state.name === 'refused' || this.#state.name === 'closing') return
    if (isBinary) this.#take(frame)
    else this.#end('invalid-request', 'a text frame')
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
    this.resume()
    this.#peer.end(code, reason)
  }

  #settle(brokeOff = false): void {
    const state = this.#state
    this.#state = { name: 'closing' }
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
    if (state.name === 'open') state.seat.leave(brokeOff)
  }
}

/** Whether the code stops a stock client for good. */
function isPermanent(code: ProblemCode): boolean {
  const close = closeCodeOf(code)
  return close >= 4400 && close < 4500
}
