import type { Socket } from 'node:net'
import type { RawData, WebSocket } from 'ws'
import type { Environment, Timer } from '../foundation/environment.ts'
import { problemKind, type ProblemCode } from '../foundation/problemTable.ts'
import { Budget, type BudgetLimits } from '../limits/budget.ts'

/** RFC 6455 §5.5.1: what a close frame has room for besides its code. */
const MAX_REASON_BYTES = 123
/** RFC 6455 §7.4.1, for problems without a close code of their own. */
const INTERNAL_ERROR = 1011
/** RFC 6455 §7.1.5: what a socket ends with on which no close frame came. */
const NO_CLOSE_FRAME = 1006
/** A peer that left this many pings without any sign of life is gone … */
const UNANSWERED_PINGS = 2
/** … and one more for each so many bytes that were sent since, for its answer comes behind them: 32 KiB/s (SYNC-9). */
const BYTES_PER_PING = 1024 * 1024

/** What a socket writes to, and its counts of bytes: whole frames are written there as they stand. */
export type SocketStream = Pick<Socket, 'write' | 'bytesRead' | 'bytesWritten'>

export interface PeerLimits {
  readonly pingMs: number
  /** For the peer to answer a close, before its socket is cut. */
  readonly closeGraceMs: number
  /** What the peer may send; past it reading stops for a while. */
  readonly budget: BudgetLimits
}

export interface PeerParts {
  readonly socket: WebSocket
  readonly stream: SocketStream
  readonly environment: Environment
  readonly limits: PeerLimits
  /** A message of the peer; the bytes are the receiver's own. */
  readonly onMessage: (bytes: Uint8Array, isBinary: boolean) => void
  /** The peer goes on sending more than it may, although it was held back. It is to be ended. */
  readonly onFlood: () => void
  /** The socket is closed, whoever closed it; `brokeOff`: nobody did, its line ended. The peer is gone once this has resolved. */
  readonly onClosed: (how: { readonly brokeOff: boolean }) => void | Promise<void>
}

/** The other end of one WebSocket, whatever is spoken with it: whether it is there, and how it is taken leave of. */
export class Peer {
  /** Resolves once the socket is closed and all that came over it is taken in. */
  readonly gone: Promise<void>
  readonly #parts: PeerParts
  #unansweredPings = 0
  /** As they were at the last sign of life. */
  #bytes = { read: 0, written: 0 }
  #ping: Timer
  #cut: Timer | null = null
  #isEnding = false
  #closedWith: number | null = null
  readonly #budget: Budget
  /** Reading goes on when what is owed is paid back; null while nothing is. */
  #heldBack: Timer | null = null
  /** Its owner does not want to hear more just now. */
  #isPaused = false

  constructor(parts: PeerParts) {
    const { socket, onMessage, onClosed } = parts
    this.#parts = parts
    this.#budget = new Budget(parts.limits.budget)
    this.#ping = this.#pingLater()
    this.gone = new Promise((resolve) => {
      socket.once('close', (code) => {
        const brokeOff = code === NO_CLOSE_FRAME && !this.#isEnding
        this.#isEnding = true
        this.#closedWith ??= code
        this.#ping.cancel()
        this.#cut?.cancel()
        this.#heldBack?.cancel()
        void Promise.resolve(onClosed({ brokeOff })).then(resolve)
      })
    })
    socket.on('message', (data, isBinary) => {
      this.#isAlive()
      this.#spend(lengthOf(data))
      if (!this.#isEnding) onMessage(copyOf(data), isBinary)
    })
    // ws answers each, and that is work as well.
    socket.on('ping', (data) => this.#spend(data.length))
    // It tells of the line alone: a browser answers for a page that hangs.
    socket.on('pong', (data) => {
      this.#isAlive()
      this.#spend(data.length)
    })
    // What goes wrong on a socket (an oversized frame, a reset) also closes it; 'close' tells the rest.
    socket.on('error', () => undefined)
  }

  /** Bytes that were written and are not yet taken by the network. */
  get pendingBytes(): number {
    return this.#parts.socket.bufferedAmount
  }

  /** The close code, that of whoever closed first; null while it is open. */
  get closedWith(): number | null {
    return this.#closedWith
  }

  /** Writes a whole frame; `taken` is called when the network has it, or when nobody would read it any more. */
  write(frame: Uint8Array, taken?: () => void): void {
    const { socket, stream } = this.#parts
    // After the close frame nothing may follow.
    if (socket.readyState !== socket.OPEN) {
      if (taken) queueMicrotask(taken)
      return
    }
    if (!taken) stream.write(frame)
    else
      stream.write(frame, () => {
        this.#isAlive()
        taken()
      })
  }

  /** Stops reading. */
  pause(): void {
    this.#isPaused = true
    this.#parts.socket.pause()
  }

  /** Reads on, as far as the peer may send more. */
  resume(): void {
    this.#isPaused = false
    if (this.#heldBack === null) this.#parts.socket.resume()
  }

  /** Closes with the code of a problem; `reason` may be cut. What the peer sends from now on is ignored. Idempotent. */
  end(code: ProblemCode, reason: string): void {
    if (this.#isEnding) return
    const { socket, environment, limits } = this.#parts
    this.#isEnding = true
    this.#closedWith = closeCodeOf(code)
    this.#ping.cancel()
    this.#heldBack?.cancel()
    this.#heldBack = null
    // The answer to our close frame must be read, and a peer that sends none must not stay.
    socket.resume()
    this.#cut = environment.after(limits.closeGraceMs, () => socket.terminate())
    socket.close(this.#closedWith, cut(reason))
  }

  /** Back-pressure first: what is not read waits in the network, and the peer's own line fills up. */
  #spend(bytes: number): void {
    if (this.#isEnding) return
    const owedMs = this.#budget.spend(bytes, this.#parts.environment.monotonicMs())
    if (owedMs === 'exceeded') this.#parts.onFlood()
    else if (owedMs > 0 && this.#heldBack === null) this.#holdBack(owedMs)
  }

  #holdBack(owedMs: number): void {
    const { socket, environment } = this.#parts
    socket.pause()
    this.#heldBack = environment.after(owedMs, () => {
      this.#heldBack = null
      // What one read of the network had brought came after it as well.
      const stillOwedMs = this.#budget.owedMs(environment.monotonicMs())
      if (stillOwedMs > 0) this.#holdBack(stillOwedMs)
      else if (!this.#isPaused) socket.resume()
    })
  }

  #isAlive(): void {
    const { bytesRead, bytesWritten } = this.#parts.stream
    this.#unansweredPings = 0
    this.#bytes = { read: bytesRead, written: bytesWritten }
  }

  #pingLater(): Timer {
    const { socket, stream, environment, limits } = this.#parts
    return environment.after(limits.pingMs, () => {
      // A long message takes its time, and every answer comes behind it.
      if (stream.bytesRead > this.#bytes.read) this.#isAlive()
      const sent = stream.bytesWritten - this.#bytes.written
      if (this.#unansweredPings >= UNANSWERED_PINGS + Math.floor(sent / BYTES_PER_PING)) {
        socket.terminate()
        return
      }
      // A pong cannot be read while reading is paused.
      if (!socket.isPaused) this.#unansweredPings += 1
      socket.ping()
      this.#ping = this.#pingLater()
    })
  }
}

/** The close code of a problem. */
export function closeCodeOf(code: ProblemCode): number {
  return problemKind(code).close ?? INTERNAL_ERROR
}

const lengthOf = (data: RawData): number =>
  Array.isArray(data) ? data.reduce((sum, { length }) => sum + length, 0) : data.byteLength

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
