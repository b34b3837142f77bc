import type { DocumentId, Version } from '../foundation/ids.ts'

/** How far a Yjs client had come in a session that has ended, or may have. */
export interface Departure {
  /** Since when it may have missed something, by the monotonic clock, however late it was noticed that it was gone. */
  readonly sinceMs: number
  /** The newest version up to which its page had everything, as it has proved. */
  readonly seen: Version
  /**
   * The newest version that its page may have: what it was sent last, where that was so short a time ago that it had no time
   * to prove it; else the same as `seen`, because the line was dead.
   */
  readonly sent: Version
}

/** Clients remembered, of all documents; 100 bytes each. A forgotten one is judged by what it says of itself. */
const MAX_DEPARTURES = 20_000

/** How far Yjs clients had come whose sessions ended in sync. */
export class Departures {
  readonly #known = new Map<string, Departure>()

  remember(document: DocumentId, client: number, departure: Departure): void {
    const key = keyOf(document, client)
    this.#known.delete(key)
    this.#known.set(key, departure)
    const [oldest] = this.#known.keys()
    if (this.#known.size > MAX_DEPARTURES && oldest !== undefined) this.#known.delete(oldest)
  }

  /** How far it has come is not known any more. */
  forget(document: DocumentId, client: number): void {
    this.#known.delete(keyOf(document, client))
  }

  find(document: DocumentId, client: number): Departure | null {
    return this.#known.get(keyOf(document, client)) ?? null
  }
}

const keyOf = (document: DocumentId, client: number): string => `${client} ${document}`
