import type { Environment } from '../foundation/environment.ts'
import { yieldTurn } from '../foundation/turns.ts'

/** Reading goes on for so long before everybody else has a turn; one frame takes as long as it takes. */
const READING_MS = 10

/** Where the frames come from. */
export interface FrameSource {
  pause(): void
  resume(): void
}

/**
 * What a client has sent, read in order and some milliseconds at a time (OPS-8): one read of the network can bring
 * thousands of updates. What is not read yet is at most what one such read brought, for then no more is taken from the line.
 */
export class Intake {
  readonly #environment: Environment
  readonly #source: FrameSource
  readonly #read: (frame: Uint8Array) => void
  #frames: Uint8Array[] = []
  #isPaused = false
  /** Reading goes on later. */
  #isReading = false
  /** Until when it is read in this turn of the event loop; null before anything was. */
  #untilMs: number | null = null
  #onEmpty: (() => void) | null = null

  constructor(environment: Environment, source: FrameSource, read: (frame: Uint8Array) => void) {
    this.#environment = environment
    this.#source = source
    this.#read = read
  }

  /** Reads the frame, now if nothing came before it. */
  take(frame: Uint8Array): void {
    this.#frames.push(frame)
    if (!this.#isReading && !this.#isPaused) this.#readSome()
  }

  pause(): void {
    this.#isPaused = true
    this.#source.pause()
  }

  resume(): void {
    this.#isPaused = false
    if (this.#isReading) return
    if (this.#frames.length > 0) this.#readLater()
    else this.#source.resume()
  }

  /** Nothing more comes: calls `then` once all is read. */
  end(then: () => void): void {
    this.#isPaused = false
    if (this.#frames.length === 0) return then()
    this.#onEmpty = then
    if (!this.#isReading) this.#readLater()
  }

  /** Forgets what is not read. */
  clear(): void {
    this.#frames = []
  }

  #readSome(): void {
    const untilMs = this.#untilOfThisTurn()
    this.#isReading = true
    let next = 0
    for (; next < this.#frames.length && !this.#isPaused; next++) {
      if (this.#environment.monotonicMs() >= untilMs) break
      const frame = this.#frames[next]
      if (frame) this.#read(frame)
    }
    this.#frames.splice(0, next)
    this.#isReading = false
    if (this.#isPaused) return
    if (this.#frames.length > 0) this.#readLater()
    else {
      this.#onEmpty?.()
      this.#onEmpty = null
    }
  }

  /** One read of the network comes as many frames, one after the other in the same turn. */
  #untilOfThisTurn(): number {
    if (this.#untilMs === null) {
      this.#untilMs = this.#environment.monotonicMs() + READING_MS
      void yieldTurn().then(() => (this.#untilMs = null))
    }
    return this.#untilMs
  }

  #readLater(): void {
    this.#isReading = true
    this.#source.pause()
    void yieldTurn().then(() => {
      this.#isReading = false
      this.#untilMs = null
      if (this.#isPaused) return
      this.#readSome()
      if (!this.#isReading && !this.#isPaused) this.#source.resume()
    })
  }
}
