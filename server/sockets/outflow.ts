/** Most of what a line puts around a write of its own, as HTTP does around a chunk. */
const FRAMING_BYTES = 64

/** What the bytes for one reader are written to. */
export interface OutflowLine {
  /** How many bytes were written and are not yet taken by the network. */
  pendingBytes(): number
  write(bytes: Buffer, taken?: () => void): void
}

/**
 * What is on its way to one reader, so much and no more (SPEC NOTE-6). What the reader missed waits in storage while more
 * than a quarter of the room is taken, so that live events find some.
 */
export class Outflow {
  readonly #line: OutflowLine
  readonly #maxBytes: number
  readonly #waiters: (() => void)[] = []
  #isClosed = false

  constructor(line: OutflowLine, maxBytes: number) {
    this.#line = line
    this.#maxBytes = maxBytes
  }

  /** False where the reader does not keep up, and these bytes would be too many: they were not written. */
  write(bytes: Buffer): boolean {
    const pending = this.#line.pendingBytes() + bytes.length
    if (pending > this.#maxBytes) return false
    // Who waits for room does so behind bytes that left none; most leave some, and need not be heard of.
    if (pending + FRAMING_BYTES <= this.#roomBytes) this.#line.write(bytes)
    else this.#line.write(bytes, () => void (this.#hasRoom() && this.#release()))
    return true
  }

  /** Null while there is room for what was missed; else resolves once there is again, or nobody needs any. */
  room(): Promise<void> | null {
    if (this.#isClosed || this.#hasRoom()) return null
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  /** Nobody waits for room any more. Idempotent. */
  close(): void {
    this.#isClosed = true
    this.#release()
  }

  #hasRoom(): boolean {
    return this.#line.pendingBytes() <= this.#roomBytes
  }

  get #roomBytes(): number {
    return this.#maxBytes / 4
  }

  #release(): void {
    for (const resolve of this.#waiters.splice(0)) resolve()
  }
}
