import { ProblemError, type Rest } from '../parley/rest.ts'
import * as drafts from './jsonDraft.ts'
import type { Kept, Life, Shelf } from './shelf.ts'
import { Store } from './store.ts'

/** What is in such a draft is nowhere else. */
const HOLDING: readonly drafts.JsonDraft['status'][] = ['edited', 'saving']

export interface DraftSaverOptions {
  readonly id: string
  readonly rest: Pick<Rest, 'putContent'>
  readonly draft: drafts.JsonDraft
  readonly lockToken: () => string | null
  readonly onWritten: (version: number) => void
  readonly onRefused: () => void
}

/** A json draft under edit, and how it comes to be saved. */
export class DraftSaver {
  readonly draft: Store<drafts.JsonDraft>
  readonly #options: DraftSaverOptions
  #save: 'none' | 'under-way' | 'wished' = 'none'

  constructor(options: DraftSaverOptions) {
    this.#options = options
    this.draft = new Store(options.draft)
  }

  get hasUnsavedEdits(): boolean {
    return HOLDING.includes(this.draft.value.status)
  }

  /** Saves the draft; a wish while it is being saved is done when its base is known: the version that save makes. */
  async save(): Promise<void> {
    if (this.#save !== 'none') {
      this.#save = 'wished'
      return
    }
    try {
      do {
        this.#save = 'under-way'
        await this.#put()
      } while (this.#isWished() && this.#canBeSaved())
    } finally {
      this.#save = 'none'
    }
  }

  /** Leaves the draft on the shelf, with what comes of it where it is being saved: what is stored waits there no more. */
  leaveOn(shelf: Shelf, life: Life): void {
    const { id } = this.#options
    let left: Kept = { life, draft: this.draft.value }
    shelf.put(id, left)
    this.draft.watch(() => {
      const next = { life, draft: this.draft.value }
      // Whoever took it up meanwhile has it, and follows the document.
      if (shelf.replace(id, left, this.hasUnsavedEdits ? next : null)) left = next
    })
  }

  #isWished(): boolean {
    return this.#save === 'wished'
  }

  #canBeSaved(): boolean {
    const { status, text } = this.draft.value
    return status === 'edited' && drafts.syntaxProblem(text) === null
  }

  /** Saves it on the version it started from; a refusal with a conflict becomes its state. */
  async #put(): Promise<void> {
    const { draft } = this
    const { id, rest, lockToken, onWritten, onRefused } = this.#options
    const { text, from } = draft.value
    draft.update(drafts.saving)
    try {
      const answer = await rest.putContent(id, 'json', text, { etag: from.etag, lockToken: lockToken() })
      draft.update((value) => drafts.saved(value, { version: answer.version, etag: answer.etag, text }))
      onWritten(answer.version)
    } catch (error) {
      const violations = error instanceof ProblemError ? error.problem.violations : undefined
      if (violations !== undefined) {
        draft.update((value) => drafts.invalid(value, violations))
        return
      }
      const isConflict = error instanceof ProblemError && error.problem.code === 'version-conflict'
      const conflictId = isConflict ? (error.problem.conflict?.id ?? null) : null
      draft.update((value) => (isConflict ? drafts.refused(value, conflictId) : drafts.unsaved(value)))
      onRefused()
      if (!isConflict) throw error
    }
  }
}
