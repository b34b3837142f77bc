/**
 * The order in which one webhook is posted to: the messages of a document go one after the other, each as often as it takes,
 * and documents do not wait for each other.
 */
import { invariant } from '../foundation/assert.ts'
import { runAt, type Environment, type Timer } from '../foundation/environment.ts'
import type { DocumentId } from '../foundation/ids.ts'
import type { Delivery, StoredDelivery } from '../model/webhook.ts'

/** Posts to one receiver at a time, so that one that never answers is not flooded. Each webhook has its own. */
const PARALLEL_POSTS = 4

/** What is to be posted of one document, the first next. */
interface Lane {
  readonly document: string
  waiting: StoredDelivery[]
  /** Until the first is due. */
  timer: Timer | null
  /** The first, while it is being posted. */
  posting: StoredDelivery | null
}

export class DeliveryLanes {
  readonly #environment: Environment
  readonly #attempt: (delivery: StoredDelivery) => Promise<StoredDelivery | null>
  readonly #onSettled: () => void
  /** By document; `''` for what is of none. */
  readonly #lanes = new Map<string, Lane>()
  /** Lanes whose first delivery is due, and that no post is under way for. */
  readonly #due: Lane[] = []
  readonly #timers = new Set<Timer>()
  #waiting = 0
  #posts = 0
  #stopped = false

  /** `attempt` posts once and answers what became of it, or null where nothing more is to be posted. */
  constructor(
    environment: Environment,
    attempt: (delivery: StoredDelivery) => Promise<StoredDelivery | null>,
    onSettled: () => void,
  ) {
    this.#environment = environment
    this.#attempt = attempt
    this.#onSettled = onSettled
  }

  /** Deliveries in all lanes. */
  get size(): number {
    return this.#waiting
  }

  enqueue(delivery: StoredDelivery): void {
    this.#waiting++
    const document = delivery.document ?? ''
    const known = this.#lanes.get(document)
    if (known) {
      known.waiting.push(delivery)
      return
    }
    const lane: Lane = { document, waiting: [delivery], timer: null, posting: null }
    this.#lanes.set(document, lane)
    this.#schedule(lane)
  }

  /** Whether it waits here; where it is the next of its lane, it is posted at once. */
  hasten({ position, document }: StoredDelivery, now: number): boolean {
    const lane = this.#lanes.get(document ?? '')
    const at = lane?.waiting.findIndex((one) => one.position === position) ?? -1
    const found = lane?.waiting[at]
    if (!lane || !found) return false
    if (at === 0 && lane.posting === null) {
      lane.waiting[0] = { ...found, state: { status: 'pending', nextAttemptAt: now } }
      this.#schedule(lane)
    }
    return true
  }

  /** Lets go of what is not to be told of a document any more. */
  forget(document: DocumentId, isTold: (delivery: Delivery) => boolean): void {
    const lane = this.#lanes.get(document)
    if (!lane) return
    const [first] = lane.waiting
    this.#waiting -= lane.waiting.length
    lane.waiting = lane.waiting.filter(isTold)
    this.#waiting += lane.waiting.length
    // What is being posted cannot be taken back; no retry follows it.
    if (lane.posting === null && first !== lane.waiting[0]) this.#schedule(lane)
  }

  /** Posts nothing more. Idempotent. */
  stop(): void {
    this.#stopped = true
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }

  /** Posts the first of a lane when it is due; a lane that holds nothing more goes. */
  #schedule(lane: Lane): void {
    this.#cancel(lane)
    const [first] = lane.waiting
    if (first === undefined) {
      this.#lanes.delete(lane.document)
      return
    }
    const { state } = first
    invariant(state.status === 'pending', 'only what is pending is posted')
    if (state.nextAttemptAt <= this.#environment.now()) {
      this.#makeDue(lane)
      return
    }
    const timer = runAt(this.#environment, state.nextAttemptAt, () => {
      this.#timers.delete(timer)
      lane.timer = null
      this.#makeDue(lane)
    })
    lane.timer = timer
    this.#timers.add(timer)
  }

  #cancel(lane: Lane): void {
    const at = this.#due.indexOf(lane)
    if (at !== -1) this.#due.splice(at, 1)
    if (lane.timer === null) return
    lane.timer.cancel()
    this.#timers.delete(lane.timer)
    lane.timer = null
  }

  #makeDue(lane: Lane): void {
    this.#due.push(lane)
    this.#pump()
  }

  #pump(): void {
    while (this.#posts < PARALLEL_POSTS && !this.#stopped) {
      const lane = this.#due.shift()
      if (lane === undefined) return
      this.#posts++
      void this.#post(lane)
    }
  }

  /** Makes one attempt for the first delivery of a lane. */
  async #post(lane: Lane): Promise<void> {
    const [delivery] = lane.waiting
    invariant(delivery !== undefined, 'a lane that is due holds something')
    lane.posting = delivery
    const tried = await this.#attempt(delivery)
    if (tried === null || this.#stopped) return
    lane.posting = null
    this.#posts--
    this.#settle(lane, delivery, tried)
    this.#pump()
  }

  /** What was purged while it was posted is in its lane no more. */
  #settle(lane: Lane, delivery: StoredDelivery, tried: StoredDelivery): void {
    if (lane.waiting[0] === delivery) {
      if (tried.state.status === 'pending') lane.waiting[0] = tried
      else {
        lane.waiting.shift()
        this.#waiting--
      }
    }
    this.#schedule(lane)
    this.#onSettled()
  }
}
