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
  /** Sends, behind what was written, something that the client's line answers with the same number. */
  ping(mark: number): void
}

interface Answer {
  readonly messages: readonly ServerMessage[]
  readonly sent: () => void
  isReady: boolean
  next: number
}

type Waiting = { readonly frame: Uint8Array } | { readonly mark: number } | { readonly answer: Answer }

/**
 * What one session is still to be sent. What concerns the document goes in order: an answer may be large and
 * waits until what it shows is on disk, and later updates wait behind it. Everything else (who is here, signs
 * of life) waits for no answer. What waits for a slow line is bounded in bytes, answers aside.
 */
export class Outbox {
  readonly #line: Line
  readonly #limitBytes: number
  readonly #onOverflow: () => void
  #inOrder: Waiting[] = []
  #aside: Uint8Array[] = []
  #waitingBytes = 0
  #inFlightBytes = 0
  #isPumping = false
  #isStopped = false

  constructor(line: Line, limitBytes: number, onOverflow: () => void) {
    this.#line = line
    this.#limitBytes = limitBytes
    this.#onOverflow = onOverflow
  }

  /** Sends a message after everything that was pushed in order before it. */
  push(message: ServerMessage): void {
    if (this.#isStopped) return
    const frame = this.#line.frameOf(message)
    this.#inOrder.push({ frame })
    this.#waits(frame)
  }

  /** Sends a ping after everything that was pushed in order before it. */
  pushMark(mark: number): void {
    if (this.#isStopped) return
    this.#inOrder.push({ mark })
    this.#pump()
  }

  /** Sends a message that has nothing to do with the document as soon as the line is free. */
  pushAside(message: ServerMessage): void {
    if (this.#isStopped) return
    const frame = this.#line.frameOf(message)
    this.#aside.push(frame)
    this.#waits(frame)
  }

  /** Sends the messages once `ready` resolves; `sent` is called when the last was given to the line. */
  pushAnswer(messages: readonly ServerMessage[], ready: Promise<void>, sent: () => void): void {
    if (this.#isStopped) return
    const answer: Answer = { messages, sent, isReady: false, next: 0 }
    this.#inOrder.push({ answer })
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
    this.#inOrder = []
    this.#aside = []
    this.#waitingBytes = 0
  }

  #waits(frame: Uint8Array): void {
    this.#waitingBytes += frame.length
    this.#pump()
    if (this.#waitingBytes > this.#limitBytes && !this.#isStopped) this.#onOverflow()
  }

  #pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    while (this.#inFlightBytes < WINDOW_BYTES && (this.#sendAside() || this.#sendInOrder()));
    this.#isPumping = false
  }

  #sendAside(): boolean {
    const frame = this.#aside.shift()
    if (!frame) return false
    this.#waitingBytes -= frame.length
    this.#write(frame)
    return true
  }

  /** Whether there was something to send, or an answer to end. */
  #sendInOrder(): boolean {
    const [next] = this.#inOrder
    if (!next) return false
    if ('frame' in next) {
      this.#inOrder.shift()
      this.#waitingBytes -= next.frame.length
      this.#write(next.frame)
      return true
    }
    if ('mark' in next) {
      this.#inOrder.shift()
      this.#line.ping(next.mark)
      return true
    }
    const { answer } = next
    if (!answer.isReady) return false
    const message = answer.messages[answer.next]
    answer.next += 1
    if (message) {
      this.#write(this.#line.frameOf(message))
    } else {
      this.#inOrder.shift()
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
