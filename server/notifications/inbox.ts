/** Works on the frames of one client one after the other, however long one takes, and bounds how much waits. */
export class Inbox {
  /** Of frames that wait for one before them, as for a token to be verified. */
  readonly #maxWaitingBytes: number
  readonly #waiting: { readonly bytes: number; readonly work: () => Promise<void> }[] = []
  #waitingBytes = 0
  #working = false

  constructor(maxWaitingBytes: number) {
    this.#maxWaitingBytes = maxWaitingBytes
  }

  /** Does the work when its turn comes; false if that is too much, and it will not be done. `work` must not reject. */
  add(bytes: number, work: () => Promise<void>): boolean {
    if (this.#waitingBytes + bytes > this.#maxWaitingBytes) return false
    this.#waiting.push({ bytes, work })
    this.#waitingBytes += bytes
    if (!this.#working) void this.#workOff()
    return true
  }

  /** Forgets what waits. */
  clear(): void {
    this.#waiting.length = 0
    this.#waitingBytes = 0
  }

  async #workOff(): Promise<void> {
    this.#working = true
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.#waitingBytes -= next.bytes
      await next.work()
    }
    this.#working = false
  }
}
