import type { EditorState, Extension } from '@codemirror/state'
import { type EditorView, ViewPlugin } from '@codemirror/view'
import type { Rest } from '../parley/rest.ts'
import { headline } from '../present/conflict.ts'
import { conflictHref } from '../present/route.ts'
import { coalesce } from '../state/coalesce.ts'
import type { ConflictPlaces, ConflictPlace } from '../state/conflictPlaces.ts'
import type { DocumentSession } from '../state/documentSession.ts'
import type { NameBook } from '../state/names.ts'
import type { Spot } from './jsonPlaces.ts'
import { marking, type Mark } from './marks.ts'

interface ConflictMarksOptions {
  readonly session: DocumentSession
  readonly rest: Rest
  readonly nameBook: NameBook
  /** Of a json document: where a pointer leads in its text. Null where places are lines. */
  readonly spotOf: ((state: EditorState, pointer: string) => Spot | null) | null
  /** Calls back when the text came to be what the server holds, as after the first sync. */
  readonly watchText?: (changed: () => void) => () => void
}

/** What comes at once is looked for once. */
const GATHER_MS = 150
const CONFLICTS = marking('conflict')

/** Open conflicts of the document, marked in its text where they are; each mark leads to the page of its conflict. */
export function conflictMarks(options: ConflictMarksOptions): Extension {
  return [CONFLICTS.extension, ViewPlugin.define((view) => new ConflictMarks(view, options))]
}

class ConflictMarks {
  readonly #view: EditorView
  readonly #options: ConflictMarksOptions
  /** Finding them comes when there are some: most texts are opened without. */
  #places: ConflictPlaces | null = null
  readonly #search = coalesce(GATHER_MS, () => this.#mark())
  readonly #stops: readonly (() => void)[]
  #isGone = false

  constructor(view: EditorView, options: ConflictMarksOptions) {
    this.#view = view
    this.#options = options
    const wish = (): void => this.#search.wish()
    this.#stops = [options.session.conflicts.open.watch(wish), options.watchText?.(wish) ?? ((): void => {})]
    wish()
  }

  destroy(): void {
    this.#isGone = true
    this.#search.close()
    for (const stop of this.#stops) stop()
  }

  async #mark(): Promise<void> {
    const places = await this.#find()
    if (this.#isGone || places === null) return
    CONFLICTS.set(
      this.#view,
      places.map((place) => this.#markAt(place)).filter((mark) => mark !== null),
    )
  }

  /** Null where what finds them could not be fetched. */
  async #find(): Promise<readonly ConflictPlace[] | null> {
    const { session, rest, spotOf } = this.#options
    const { items } = session.conflicts.open.value
    if (items.length === 0) return []
    const code = this.#places === null ? await import('../state/conflictPlaces.ts').catch(() => null) : null
    if (code !== null) this.#places ??= new code.ConflictPlaces(rest, session.id)
    const textNow = spotOf === null ? (): string => this.#view.state.doc.toString() : null
    return this.#places === null ? null : this.#places.find(items, textNow)
  }

  #markAt(place: ConflictPlace): Mark | null {
    const { session, nameBook, spotOf } = this.#options
    const { conflict } = place
    const about = {
      words: `Conflict: ${headline(conflict, nameBook.store.value)}. Show it`,
      href: conflictHref(session.id, conflict.id),
    }
    const { state } = this.#view
    if ('pointer' in place) {
      const spot = spotOf?.(state, place.pointer) ?? null
      return spot === null ? null : { ...spot, ...about }
    }
    const { doc } = state
    const { start, end } = place.lines
    const first = doc.line(Math.min(Math.max(1, start), doc.lines))
    if (end <= start) return { from: first.from, to: first.from, ...about }
    const last = doc.line(Math.min(Math.max(1, end - 1), doc.lines))
    return { from: first.from, to: last.to, ...about }
  }
}
