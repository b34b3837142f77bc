import { invariant } from '../foundation/assert.ts'
import { parseCursor } from './envelope.ts'
import type { FeedEvent, FeedPlace } from './subscription.ts'

/** A place of the feed and the cursor that names it. */
export interface SettledPlace {
  readonly place: FeedPlace
  readonly cursor: string
}

/** How far one reader of the feed has come, and the cursor from which it would go on. */
export class Progress {
  readonly #epoch: string
  #cursor: string
  #place: FeedPlace

  /** `start` is the cursor of its first subscription. */
  constructor(start: string, epoch: string) {
    this.#epoch = epoch
    this.#cursor = start
    this.#place = this.#placeOf(start)
  }

  get cursor(): string {
    return this.#cursor
  }

  /** Goes on from another cursor, as after a `resync`. */
  restart(cursor: string): void {
    this.#cursor = cursor
    this.#place = this.#placeOf(cursor)
  }

  delivered(event: FeedEvent): void {
    const { sequence } = this.#place
    this.#cursor = event.id
    this.#place = {
      sequence: event.place.sequence > sequence ? event.place.sequence : sequence,
      stamp: event.place.stamp ?? this.#place.stamp,
    }
  }

  /** A stamp met while catching up may be of another process, whose clock says nothing about this one's. */
  caughtUp(): void {
    this.#place = { sequence: this.#place.sequence, stamp: null }
  }

  /**
   * Goes on to a place that every live reader has reached, past events that were not for this one, so that its
   * cursor never becomes too old. For readers that have caught up only; stamps of changes count for those that ask for them.
   * Answers whether that moved the cursor.
   */
  moveTo(settled: SettledPlace, asksForChanges: boolean): boolean {
    const { sequence } = this.#place
    const stamp = this.#place.stamp ?? 0
    const settledStamp = settled.place.stamp ?? 0
    if (settled.place.sequence < sequence || settledStamp < stamp) return false
    if (settled.place.sequence === sequence && !(asksForChanges && settledStamp > stamp)) return false
    this.#cursor = settled.cursor
    this.#place = settled.place
    return true
  }

  #placeOf(text: string): FeedPlace {
    const cursor = parseCursor(text, this.#epoch)
    invariant(cursor !== null && cursor !== 'foreign', 'the feed gives out cursors of its own epoch')
    return { sequence: cursor.sequence, stamp: cursor.told?.stamp ?? null }
  }
}
