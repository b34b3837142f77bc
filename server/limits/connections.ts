import { ParleyError } from '../foundation/problems.ts'
import { OwnedPlaces } from './ownedPlaces.ts'

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
  readonly #places: OwnedPlaces
  readonly #held = new WeakMap<Lasting, { readonly sub: string; readonly letGo: () => void }>()

  /** `max` is 0 where there is no limit. */
  constructor(max: number) {
    this.#max = max
    this.#places = new OwnedPlaces({ ofOne: max === 0 ? Infinity : max, inAll: Infinity })
  }

  /** Those of one principal. */
  openOf(sub: string): number {
    return this.#places.takenBy(sub)
  }

  /** Counts a line until it ends, once however often its owner shows a token; what refuses it, where that is one too many. */
  hold(line: Lasting, sub: string): ParleyError | null {
    const before = this.#held.get(line)
    if (before?.sub === sub || line.destroyed) return null
    const letGo = this.#places.take(sub)
    if (letGo === null) return tooMany(this.#max)
    if (before === undefined) line.once('close', () => this.#held.get(line)?.letGo())
    else before.letGo()
    this.#held.set(line, { sub, letGo })
    return null
  }
}

const tooMany = (max: number): ParleyError =>
  new ParleyError('too-many-requests', `There are ${max} sockets and streams of yours open: close one first.`, {
    headers: { 'Retry-After': String(RETRY_AFTER_SECONDS) },
  })
