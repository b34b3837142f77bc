import type { ServerMessage } from './protocol.ts'

/**
 * Bytes given to the line before it has taken them. Enough to keep a fast line busy; what waits beyond stays
 * here, where it can be counted and dropped.
 */
const WINDOW_BYTES = 1024 * 1024

/** The way to one client, in its protocol. */
export interface Line {
  /** The bytes of a message; the same object for the same message, where many sessions get it. */
  frameOf(message: ServerMessage): Uint8Array
  /** `taken` is called once the network took the frame, or never will. */
  write(frame: Uint8Array, taken: () => void): void
}

interface Answer {
  readonly messages: readonly ServerMessage[]
  readonly sent: () => void
  isReady: boolean
  next: number
}

type Waiting = { readonly frame: Uint8Array } | { readonly answer: Answer }

/**
 * What one session is still to be sent, in order. An answer may be large and waits until what it shows is on
 * disk; it goes out as the line takes it. Live messages queue behind it, in bounded bytes.
 */
export class Outbox {
  readonly #line: Line
  readonly #limitBytes: number
  readonly #onOverflow: () => void
  #waiting: Waiting[] = []
  #waitingBytes = 0
  #inFlightBytes = 0
  #isPumping = false
  #isStopped = false

  constructor(line: Line, limitBytes: number, onOverflow: () => void) {
    this.#line = line
    this.#limitBytes = limitBytes
    this.#onOverflow = onOverflow
  }

  push(message: ServerMessage): void {
    if (this.#isStopped) return
    const frame = this.#line.frameOf(message)
    this.#waiting.push({ frame })
    this.#waitingBytes += frame.length
    this.#pump()
    if (this.#waitingBytes > this.#limitBytes && !this.#isStopped) this.#onOverflow()
  }

  /** Sends the messages once `ready` resolves; `sent` is called when the last was given to the line. */
  pushAnswer(messages: readonly ServerMessage[], ready: Promise<void>, sent: () => void): void {
    if (this.#isStopped) return
    const answer: Answer = { messages, sent, isReady: false, next: 0 }
    this.#waiting.push({ answer })
    const isReady = (): void => {
      answer.isReady = true
      this.#pump()
    }
    // A rejection means that the replica has ended, and with it the session.
    ready.then(isReady, () => undefined)
  }

  /** Drops what waits; nothing is sent any more. */
  stop(): void {
    this.#isStopped = true
    this.#waiting = []
    this.#waitingBytes = 0
  }

  #pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    while (this.#inFlightBytes < WINDOW_BYTES && this.#sendNext());
    this.#isPumping = false
  }

  /** Whether there was something to send, or an answer to end. */
  #sendNext(): boolean {
    const [next] = this.#waiting
    if (!next) return false
    if ('frame' in next) {
      this.#waiting.shift()
      this.#waitingBytes -= next.frame.length
      this.#write(next.frame)
      return true
    }
    const { answer } = next
    if (!answer.isReady) return false
    const message = answer.messages[answer.next]
    answer.next += 1
    if (message) {
      this.#write(this.#line.frameOf(message))
    } else {
      this.#waiting.shift()
      answer.sent()
    }
    return true
  }

  #write(frame: Uint8Array): void {
    this.#inFlightBytes += frame.length
    this.#line.write(frame, () => {
      this.#inFlightBytes -= frame.length
      this.#pump()
    })
  }
}
