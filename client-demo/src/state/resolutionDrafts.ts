import { either, list, nullable, number, object, oneOf, string, UnexpectedShape } from '../parley/readers.ts'
import type { Reader } from '../parley/readers.ts'
import { bareContent } from '../parley/shapes.ts'
import { SIDES, type Content } from '../parley/types.ts'
import { WAYS, type Way } from '../present/ways.ts'
import type { OverlapPick } from './choices.ts'
import type { KeyedTexts } from './identity.ts'

/** What somebody prepared to resolve a conflict and did not send yet. */
export interface ResolutionDraft {
  readonly way: Way | null
  /** With what the place was when it was picked: another place under the same id is another question. */
  readonly picks: readonly { readonly id: string; readonly at: string; readonly pick: OverlapPick }[]
  readonly ownTexts: readonly { readonly id: string; readonly text: string }[]
  /** The result made by hand, and the content it was made from. */
  readonly own: { readonly text: string; readonly version: number; readonly content: Content } | null
  readonly comment: string
}

const pickShape: Reader<OverlapPick> = either(
  object({ from: oneOf(SIDES) }),
  object({ from: oneOf(['own']), text: string }),
)
const draftShape: Reader<ResolutionDraft> = object({
  way: nullable(oneOf(WAYS)),
  picks: list(object({ id: string, at: string, pick: pickShape })),
  ownTexts: list(object({ id: string, text: string })),
  own: nullable(object({ text: string, version: number, content: bareContent })),
  comment: string,
})

/**
 * Keeps what was prepared in this window, over going back and forth and over a reload. Where the browser has no room for
 * it, it is kept for as long as the page lives, and leaving that is asked about.
 */
export class ResolutionDrafts {
  readonly #storage: KeyedTexts
  /** As many as conflicts somebody worked on by hand. */
  readonly #kept = new Map<string, ResolutionDraft>()
  readonly #homeless = new Set<string>()

  constructor(storage: KeyedTexts) {
    this.#storage = storage
  }

  get hasUnsavedEdits(): boolean {
    return this.#homeless.size > 0
  }

  /** `self`: who sits here; another who signs in later is not shown it. */
  of(self: string, conflictId: string): DraftKeeper {
    const key = `parley.resolution.${self}.${conflictId}`
    return { get: () => this.#get(key), put: (draft) => this.#put(key, draft) }
  }

  #get(key: string): ResolutionDraft | null {
    return this.#kept.get(key) ?? parsed(this.#storage.getItem(key))
  }

  #put(key: string, draft: ResolutionDraft | null): void {
    this.#homeless.delete(key)
    this.#kept.delete(key)
    if (draft === null) {
      this.#storage.removeItem(key)
      return
    }
    this.#kept.set(key, draft)
    try {
      this.#storage.setItem(key, JSON.stringify(draft))
    } catch {
      // Past the quota of the browser; what it holds is older than this.
      this.#storage.removeItem(key)
      this.#homeless.add(key)
    }
  }
}

/** The draft of one conflict. */
export interface DraftKeeper {
  get(): ResolutionDraft | null
  put(draft: ResolutionDraft | null): void
}

function parsed(text: string | null): ResolutionDraft | null {
  if (text === null) return null
  try {
    return draftShape(JSON.parse(text), 'draft')
  } catch (error) {
    if (error instanceof UnexpectedShape || error instanceof SyntaxError) return null
    throw error
  }
}
