/**
 * How a line, or who sits at its end, fails. `sees`: alice reads meanwhile what others write; `together`: it befalls
 * everybody at one time, the server or the process of her page.
 */
const FAILURES = [
  { how: 'closed' },
  { how: 'reset' },
  { how: 'black hole that ends' },
  { how: 'black hole that ends in a reset' },
  { how: 'nothing arrives here' },
  { how: 'nothing arrives there', sees: true },
  { how: 'slow' },
  { how: 'hanging page' },
  { how: 'given up by the client' },
  { how: 'reload with stored edits' },
  { how: 'reload that reads stored edits later' },
  { how: 'suspended process', together: 'page' },
  { how: 'suspended process that reads before it writes', together: 'page', sees: true },
  { how: 'server stopped', together: 'server' },
  { how: 'server killed', together: 'server' },
  { how: 'server stopped after they wrote', together: 'server' },
  { how: 'server killed after they wrote', together: 'server' },
  { how: 'server killed while both write', together: 'server' },
] as const
export type How = (typeof FAILURES)[number]['how']

export interface Failure {
  readonly how: How
  readonly sees?: true
  readonly together?: 'page' | 'server'
}

const WRITERS = ['REST', 'live', 'transaction', 'nobody'] as const
const KINDS = ['text', 'json'] as const
const PLACES = ['same', 'other', 'both delete', 'delete against edit'] as const
/** Of alice's Yjs client id among all others: of two values of one key that of the higher id stands. */
const ORDERS = ['lower', 'higher'] as const

export interface Cell {
  readonly failure: Failure
  readonly lengthMs: number
  readonly writer: (typeof WRITERS)[number]
  readonly kind: (typeof KINDS)[number]
  readonly place: (typeof PLACES)[number]
  readonly order: (typeof ORDERS)[number]
}

export const nameOf = ({ failure, lengthMs, writer, kind, place, order }: Cell): string =>
  `${failure.how}, ${lengthMs / 1_000} s, ${writer}, ${kind}, ${place}, ${order} id`

/** Stock clients give up a line on which nothing arrives for 30 s; one on which an answer takes longer is none. */
const SLOWEST_MS = 15_000

/** Below it nothing is judged (CONF-7): there one place tells as much as four. */
export const WINDOW_MS = 2_000

/**
 * The product of everything, without what tells nothing more: where nobody writes there is no other place; a transaction
 * writes as REST does; below the window nothing is raised wherever it is; who has seen what others deleted can
 * neither delete nor edit it; and while no server is there only live editors write.
 */
export function cells(lengthsMs: readonly number[]): Cell[] {
  const all: Cell[] = []
  for (const failure of FAILURES as readonly Failure[])
    for (const lengthMs of lengthsMs)
      for (const writer of WRITERS)
        for (const kind of KINDS)
          for (const place of PLACES)
            for (const order of ORDERS) {
              if (place !== 'same' && (writer === 'nobody' || writer === 'transaction')) continue
              if (place !== 'same' && (lengthMs < WINDOW_MS || failure.sees)) continue
              if (failure.how === 'slow' && lengthMs > SLOWEST_MS) continue
              if (failure.how === 'server killed while both write' && writer !== 'live' && writer !== 'nobody') continue
              all.push({ failure, lengthMs, writer, kind, place, order })
            }
  return all
}

/** Of the two orders of the ids both only where two values meet and are judged; of all others one, in turns. */
export function withFewerOrders(all: readonly Cell[]): Cell[] {
  return all.filter((cell, index) => {
    const isOne = cell.place === 'same' || cell.place === 'delete against edit'
    if (isOne && cell.lengthMs >= WINDOW_MS && cell.writer !== 'nobody' && !cell.failure.sees) return true
    return ORDERS.indexOf(cell.order) === Math.floor(index / ORDERS.length) % ORDERS.length
  })
}

/** When the others wrote, and when alice's edits came, as far as that can be told from outside. */
export interface Times {
  readonly writtenFromMs: number
  readonly writtenMs: number
  readonly arrivesFromMs: number
  readonly arrivedMs: number
}

export type Expected = 'conflict' | 'none' | 'unclear'

/** The oracle; `unclear` where the time of a cell lay across the window. */
export function expectedOf({ failure, writer, place }: Cell, times: Times): Expected {
  const isOne = place === 'same' || place === 'delete against edit'
  if (writer === 'nobody' || !isOne || failure.sees) return 'none'
  // A server that was away does not know since when she missed something, and judges what she has.
  if (failure.together === 'server') return 'conflict'
  if (times.arrivedMs - times.writtenFromMs < WINDOW_MS) return 'none'
  return times.arrivesFromMs - times.writtenMs > WINDOW_MS ? 'conflict' : 'unclear'
}
