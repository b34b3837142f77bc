import type { Rest } from '../parley/rest.ts'
import type { ListedConflict } from '../parley/types.ts'
import { Store } from './store.ts'

/** Why what the person writes reaches nobody for now. */
export type Because = 'person' | 'network' | 'line' | 'lock' | 'reload'

/** What waits in this window: characters that were typed, and that were taken out. */
export interface Waiting {
  readonly because: Because
  readonly typed: number
  readonly removed: number
}

/** How it ended: what waited is in the document, and where others had written in the same place, this conflict says so. */
export interface Return extends Waiting {
  readonly conflictId: string | null
  /** Whether the server could be asked for that. */
  readonly isSure: boolean
}

export interface AbsenceOptions {
  readonly document: string
  readonly rest: Pick<Rest, 'listConflicts'>
  /** Conflicts that are known to be open. */
  readonly known: () => readonly ListedConflict[]
  /** The newest version that was seen. */
  readonly version: () => number
  /** The `sub` of whoever sits here. */
  readonly self: string
}

/** As a change of a Y.Text tells it. */
type Delta = readonly { readonly insert?: unknown; readonly delete?: number | undefined }[]

/** What came of edits is known within a second or two of their merge: where it takes longer, the conflict is of others. */
const SETTLED_WITHIN_MS = 10_000

/** Follows a time in which the person's edits reach nobody, and what came of them. */
export class Absence {
  readonly waiting = new Store<Waiting | null>(null)
  readonly returned = new Store<Return | null>(null)
  readonly #options: AbsenceOptions
  #hasEdits = false
  /** How many times it is being found out what came of edits. */
  #asking = 0
  /** From the first edit that waits until what came of it is told. */
  readonly #isUnsettled = new Store(false)
  /** Conflicts that were told as what came of it. */
  readonly #told = new Set<string>()
  /** Conflicts that were open before. */
  #before: ReadonlySet<string> = new Set()
  /** The list of those may not be read yet: what was merged up to this version is none of this absence either. */
  #sinceVersion = 0

  constructor(options: AbsenceOptions) {
    this.#options = options
  }

  begin(because: Because): void {
    const { value } = this.waiting
    // Who is offline and then behind a lock as well noticed the former.
    if (value?.because === 'reload') return this.waiting.set({ ...value, because })
    if (value !== null && (value.because === because || this.#hasEdits)) return
    this.returned.set(null)
    this.#before = new Set(this.#options.known().map(({ id }) => id))
    this.#sinceVersion = this.#options.version()
    this.waiting.set({ because, typed: 0, removed: 0 })
  }

  /** Edits of before a reload wait still. */
  goOn(): void {
    this.begin('reload')
    this.#hasWritten()
  }

  wrote(delta: Delta): void {
    if (this.waiting.value === null) return
    this.#hasWritten()
    for (const part of delta) {
      const typed = typeof part.insert === 'string' ? part.insert.length : 0
      const removed = part.delete ?? 0
      this.waiting.update(
        (value) => value && { ...value, typed: value.typed + typed, removed: value.removed + removed },
      )
    }
  }

  /** All is stored. */
  async end(): Promise<void> {
    const { value } = this.waiting
    const hadEdits = this.#hasEdits
    this.#hasEdits = false
    this.waiting.set(null)
    if (value === null || !hadEdits) return
    this.#asking += 1
    const found = await this.#newConflict().catch(() => undefined)
    this.#asking -= 1
    if (found) this.#told.add(found)
    this.returned.set({ ...value, conflictId: found ?? null, isSure: found !== undefined })
    this.#isUnsettled.set(this.#hasEdits || this.#asking > 0)
  }

  /** Whether a conflict was told as what came of it. While edits wait that may come yet, but they may wait for hours. */
  async hasTold(conflictId: string): Promise<boolean> {
    if (this.#isUnsettled.value) await this.#isUnsettled.next(SETTLED_WITHIN_MS)
    return this.#told.has(conflictId)
  }

  dismiss(): void {
    this.returned.set(null)
  }

  #hasWritten(): void {
    this.#hasEdits = true
    this.#isUnsettled.set(true)
  }

  async #newConflict(): Promise<string | null> {
    const { rest, document, self } = this.#options
    const { items } = await rest.listConflicts({ document, status: 'open' })
    const own = items.filter(
      ({ id, kind, incoming, merged }) =>
        kind === 'concurrent-edit' &&
        incoming.authors.includes(self) &&
        !this.#before.has(id) &&
        (merged.version ?? Infinity) > this.#sinceVersion,
    )
    return own[0]?.id ?? null
  }
}
