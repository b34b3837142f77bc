import { ParleyError } from '../foundation/problems.ts'

/** What says when it is over: a socket, or an answer that goes on. */
interface Lasting {
  readonly destroyed: boolean
  once(event: 'close', listener: () => void): unknown
}

/** People close tabs, and programs connections; nobody knows when. */
const RETRY_AFTER_SECONDS = 10

/**
 * Sockets and streams that are open, by whom they are for (SPEC RATE-1): each takes memory for as long as it stays, which
 * no rate bounds.
 */
export class Connections {
  readonly #max: number
  readonly #open = new Map<string, number>()
  readonly #owners = new WeakMap<Lasting, string>()

  /** `max` is 0 where there is no limit. */
  constructor(max: number) {
    this.#max = max
  }

  /** Those of one principal. */
  openOf(sub: string): number {
    return this.#open.get(sub) ?? 0
  }

  /** Counts a line until it ends, once however often its owner shows a token; what refuses it, where that is one too many. */
  hold(line: Lasting, sub: string): ParleyError | null {
    const before = this.#owners.get(line)
    if (before === sub || line.destroyed) return null
    if (this.#max > 0 && this.openOf(sub) >= this.#max) return tooMany(this.#max)
    if (before === undefined) line.once('close', () => this.#letGo(this.#owners.get(line)))
    else this.#letGo(before)
    this.#owners.set(line, sub)
    this.#open.set(sub, this.openOf(sub) + 1)
    return null
  }

  #letGo(sub: string | undefined): void {
    if (sub === undefined) return
    const left = this.openOf(sub) - 1
    if (left > 0) this.#open.set(sub, left)
    else this.#open.delete(sub)
  }
}

const tooMany = (max: number): ParleyError =>
  new ParleyError('too-many-requests', `There are ${max} sockets and streams of yours open: close one first.`, {
    headers: { 'Retry-After': String(RETRY_AFTER_SECONDS) },
  })
