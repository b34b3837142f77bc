import { merge } from '../../../server/content/merge.ts'
import { explain } from '../present/problem.ts'
import { ProblemError, type Rest } from '../parley/rest.ts'
import type { Conflict, Content, WriteAnswer } from '../parley/types.ts'
import { chosenIn, type Chosen } from './chosenIn.ts'
import { openedAgain } from './openedAgain.ts'
import { Store } from './store.ts'

/** How a closed conflict left the document, and what can be done about it. */
export interface Ending {
  /** Why it cannot be shown. */
  readonly failure: string | null
  /** The content that the resolution left; null where there was none, or it was not read yet. */
  readonly after: Content | null
  /** What stood before it; null where the resolution wrote nothing. */
  readonly before: Content | null
  /** What stands at each overlap, by its id. */
  readonly chosen: ReadonlyMap<string, Chosen>
  /** What would become of the document by undoing it; null while that is not looked at. */
  readonly undo: Undo | null
  readonly isBusy: boolean
  readonly done: Done | null
}

export interface Undo {
  readonly from: Content
  readonly to: Content
  /** Others wrote in the same place since: undoing it opens a conflict with them. */
  readonly isOvertaken: boolean
}

/** What undoing it, or opening it again, came to. */
export type Done =
  | { readonly outcome: 'written'; readonly version: number }
  | { readonly outcome: 'unchanged' }
  | { readonly outcome: 'conflict'; readonly conflictId: string | null }
  | { readonly outcome: 'failed'; readonly reason: string }

const START: Ending = {
  failure: null,
  after: null,
  before: null,
  chosen: new Map(),
  undo: null,
  isBusy: false,
  done: null,
}

/** What this asks the server. */
type EndingRest = Pick<Rest, 'getDocument' | 'getVersion' | 'writeContent'>

/** What became of one closed conflict. */
export class ConflictEnding {
  readonly ending = new Store<Ending>(START)
  readonly #conflict: Conflict
  readonly #rest: EndingRest
  readonly #lockToken: () => string | null

  /** `lockToken`: of the lock that the person holds on the document, if any. */
  constructor(conflict: Conflict, rest: EndingRest, lockToken: () => string | null) {
    this.#conflict = conflict
    this.#rest = rest
    this.#lockToken = lockToken
  }

  async load(): Promise<void> {
    const { resolution, document } = this.#conflict
    if (resolution === null) return
    try {
      const left = await this.#rest.getVersion(document.id, resolution.version)
      const hasWritten = left.origin === 'resolution'
      const before = hasWritten ? await this.#rest.getVersion(document.id, resolution.version - 1) : null
      const chosen = chosenIn(this.#conflict, left.content)
      this.#change({ after: left.content, before: before?.content ?? null, chosen })
    } catch (error) {
      this.#change({ failure: explain(error) })
    }
  }

  /** Shows what undoing would make of the document as it is now. Nothing is written. */
  async lookAtUndo(): Promise<void> {
    const { before, after } = this.ending.value
    if (before === null || after === null) return
    await this.#run(async () => {
      const now = await this.#rest.getDocument(this.#conflict.document.id)
      const merged = merge(after, now.content, before)
      const undo = merged.clean
        ? { from: now.content, to: merged.content, isOvertaken: false }
        : { from: after, to: before, isOvertaken: true }
      this.#change({ undo })
    })
  }

  leaveUndo(): void {
    this.#change({ undo: null })
  }

  /** Puts back what stood before the resolution, and keeps what was written elsewhere since. */
  async undo(): Promise<void> {
    const { before } = this.ending.value
    const { resolution } = this.#conflict
    if (before === null || resolution === null) return
    await this.#write({ content: before, baseVersion: resolution.version, onConflict: 'merge' })
  }

  /** Brings up again what the conflict was about, as a conflict of its own. */
  async openAgain(): Promise<void> {
    const again = openedAgain(this.#conflict)
    if (again !== null) await this.#write({ ...again, onConflict: 'manual' })
  }

  async #write(write: Parameters<Rest['writeContent']>[1]): Promise<void> {
    await this.#run(async () => {
      const { id } = this.#conflict.document
      const done = await this.#rest.writeContent(id, write, this.#lockToken()).then(written, refused)
      this.#change({ done, undo: null })
    })
  }

  async #run(task: () => Promise<void>): Promise<void> {
    if (this.ending.value.isBusy) return
    this.#change({ isBusy: true, done: null })
    try {
      await task()
    } catch (error) {
      this.#change({ done: { outcome: 'failed', reason: explain(error) } })
    } finally {
      this.#change({ isBusy: false })
    }
  }

  #change(part: Partial<Ending>): void {
    this.ending.update((ending) => ({ ...ending, ...part }))
  }
}

const written = ({ outcome, version }: WriteAnswer): Done =>
  outcome === 'unchanged' ? { outcome: 'unchanged' } : { outcome: 'written', version }

function refused(error: unknown): Done {
  if (!(error instanceof ProblemError) || error.problem.code !== 'version-conflict') throw error
  return { outcome: 'conflict', conflictId: error.problem.conflict?.id ?? null }
}
