import type { Head } from '../model/document.ts'
import { randomTag, type Environment } from '../foundation/environment.ts'
import { toSequence, type DocumentId, type Sequence } from '../foundation/ids.ts'
import { PROCESS_TAG_LENGTH, type Cursor, type Told } from './envelope.ts'

/** At most one change of a document is told in this time (SPEC, Notifications). */
export const COALESCING_MS = 1_000
/**
 * Documents whose last told change is remembered, so that a subscriber that comes back gets exactly what it
 * missed. One that has missed more is brought up to date from storage. About 2 MB.
 */
const MAX_REMEMBERED = 10_000

/** A change that was told: the head as it was then. */
export interface ToldChange {
  readonly stamp: number
  readonly head: Head
}

/** A document that was told of less than a second ago; `pending` is what has come since. */
interface Window {
  pending: Head | null
}

/**
 * The changes of documents, which are never stored: coalesces them to one a second for each document, and
 * remembers which were told when. `announce` is called when `next` has something to take.
 *
 * Open windows are bounded by what storage commits in a second.
 */
export class Changes {
  readonly #environment: Environment
  readonly #announce: () => void
  readonly #process: string
  readonly #windows = new Map<DocumentId, Window>()
  /** Changes to be told now; one a document. */
  readonly #due = new Map<DocumentId, Head>()
  /** The last told change of each document, by stamp. */
  readonly #told = new Map<DocumentId, ToldChange>()
  /** Everything told after this stamp is remembered. */
  #rememberedFrom: number
  #stamp: number
  /** How far changes had been told when this process told stored events; by sequence. */
  #marks: { readonly sequence: Sequence; readonly stamp: number }[] = []

  constructor(environment: Environment, announce: () => void) {
    this.#environment = environment
    this.#announce = announce
    this.#process = randomTag(environment, PROCESS_TAG_LENGTH)
    this.#stamp = environment.now() * 1_000
    this.#rememberedFrom = this.#stamp
  }

  /** How many are to be told now. */
  get due(): number {
    return this.#due.size
  }

  /** How far changes have been told now. */
  get told(): Told {
    return { stamp: this.#stamp, process: this.#process }
  }

  /** Takes note of a committed head. A creation and a deletion have events of their own and are no change. */
  observe(head: Head): void {
    if (head.deletedAt !== null || head.version === head.firstVersion) {
      this.#drop(head)
      return
    }
    const window = this.#windows.get(head.id)
    const newest = window?.pending ?? this.#due.get(head.id) ?? this.#told.get(head.id)?.head
    if (newest !== undefined && newest.version >= head.version) return
    if (window) window.pending = head
    else this.#open(head)
  }

  /** Takes the next change that is to be told and counts it as told; null if there is none. */
  next(): ToldChange | null {
    for (const [id, head] of this.#due) {
      this.#due.delete(id)
      return this.#remember(head)
    }
    return null
  }

  /** Takes note that the stored event `sequence` is told now. */
  mark(sequence: Sequence): void {
    if (this.#marks.at(-1)?.stamp === this.#stamp) return
    this.#marks.push({ sequence, stamp: this.#stamp })
    if (this.#marks.length > 2 * MAX_REMEMBERED) this.#marks = this.#marks.slice(-MAX_REMEMBERED)
  }

  /**
   * The stamp up to which the holder of a cursor was told of changes, as a place from which `after` goes on;
   * null where this process cannot know or has forgotten it.
   */
  stampOf(cursor: Cursor): number | null {
    const stamp = cursor.told ? this.#ownStamp(cursor.told) : this.#markAt(cursor.sequence)
    return stamp === null || stamp < this.#rememberedFrom || stamp > this.#stamp ? null : stamp
  }

  /** Remembered changes told after `stamp`, oldest first; of each document the last one. */
  after(stamp: number): readonly ToldChange[] {
    if (stamp === this.#stamp) return []
    return [...this.#told.values()].filter((change) => change.stamp > stamp)
  }

  /** Whether a change is still the last that was told of its document, which lives. */
  isLast({ stamp, head }: ToldChange): boolean {
    return this.#told.get(head.id)?.stamp === stamp
  }

  #ownStamp(told: Told): number | null {
    return told.process === this.#process ? told.stamp : null
  }

  /** The last mark at or before `sequence`. */
  #markAt(sequence: Sequence): number | null {
    let low = 0
    let high = this.#marks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#marks[middle]?.sequence ?? toSequence(Infinity)) <= sequence) low = middle + 1
      else high = middle
    }
    return this.#marks[low - 1]?.stamp ?? null
  }

  #open(head: Head): void {
    const window: Window = { pending: null }
    this.#windows.set(head.id, window)
    this.#makeDue(head)
    this.#environment.after(COALESCING_MS, () => this.#close(head.id, window))
  }

  #close(id: DocumentId, window: Window): void {
    this.#windows.delete(id)
    if (window.pending !== null) this.#open(window.pending)
  }

  #makeDue(head: Head): void {
    this.#due.set(head.id, head)
    this.#announce()
  }

  #drop(head: Head): void {
    const window = this.#windows.get(head.id)
    if (window) window.pending = null
    this.#due.delete(head.id)
    this.#told.delete(head.id)
  }

  #remember(head: Head): ToldChange {
    this.#stamp = Math.max(this.#stamp + 1, this.#environment.now() * 1_000)
    const change = { stamp: this.#stamp, head }
    this.#told.delete(head.id)
    this.#told.set(head.id, change)
    if (this.#told.size > MAX_REMEMBERED) this.#forgetOldest()
    return change
  }

  #forgetOldest(): void {
    for (const [id, change] of this.#told) {
      this.#told.delete(id)
      this.#rememberedFrom = change.stamp
      return
    }
  }
}
