import { RangeSet, StateEffect, type Extension, type Range } from '@codemirror/state'
import {
  Decoration,
  type EditorView,
  ViewPlugin,
  WidgetType,
  type DecorationSet,
  type ViewUpdate,
} from '@codemirror/view'
import type { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { coloursOf, userIn } from '../state/people.ts'

const redraw = StateEffect.define()

interface Cursor {
  readonly anchor: number
  readonly head: number
}

/**
 * The other people's cursors and selections, and one's own for them, in the form y-codemirror speaks.
 * Unlike its own plugin this one takes no colour from the other side: what comes by presence is anyone's
 * word, and would be put into a style attribute.
 */
export function remoteCursors(text: Y.Text, awareness: Awareness): Extension {
  const plugin = ViewPlugin.define((view) => new RemoteCursors(view, text, awareness), {
    decorations: (value) => value.decorations,
  })
  return plugin
}

class RemoteCursors {
  decorations: DecorationSet = Decoration.none
  readonly #view: EditorView
  readonly #text: Y.Text
  readonly #awareness: Awareness

  constructor(view: EditorView, text: Y.Text, awareness: Awareness) {
    this.#view = view
    this.#text = text
    this.#awareness = awareness
    awareness.on('change', this.#changed)
    this.decorations = this.#draw()
  }

  destroy(): void {
    this.#awareness.off('change', this.#changed)
  }

  update(update: ViewUpdate): void {
    if (update.focusChanged || update.selectionSet || update.docChanged) this.#announce(update.view)
    const isDue = update.transactions.some((transaction) => transaction.effects.some((effect) => effect.is(redraw)))
    this.decorations = isDue || update.docChanged ? this.#draw() : this.decorations
  }

  readonly #changed = (changes: Readonly<Record<'added' | 'updated' | 'removed', readonly number[]>>): void => {
    const ids = [...changes.added, ...changes.updated, ...changes.removed]
    if (ids.some((id) => id !== this.#awareness.clientID)) this.#view.dispatch({ effects: redraw.of(null) })
  }

  /** Tells the others where this editor's cursor is; none while it has no focus. */
  #announce(view: EditorView): void {
    const { anchor, head } = view.state.selection.main
    const cursor = view.hasFocus ? { anchor: this.#relative(anchor), head: this.#relative(head) } : null
    const known: unknown = this.#awareness.getLocalState()?.['cursor'] ?? null
    if (JSON.stringify(known) !== JSON.stringify(cursor)) this.#awareness.setLocalStateField('cursor', cursor)
  }

  #relative(index: number): Y.RelativePosition {
    return Y.createRelativePositionFromTypeIndex(this.#text, index)
  }

  #draw(): DecorationSet {
    const ranges: Range<Decoration>[] = []
    const colours = coloursOf(this.#awareness.getStates())
    for (const [clientId, state] of this.#awareness.getStates()) {
      const name = userIn(state)?.name ?? null
      const cursor = clientId === this.#awareness.clientID ? null : this.#cursorIn(state)
      if (name === null || cursor === null) continue
      const colour = colours.get(clientId) ?? 0
      const [from, to] = [Math.min(cursor.anchor, cursor.head), Math.max(cursor.anchor, cursor.head)]
      if (from < to) ranges.push(Decoration.mark({ class: `remote-selection person-${colour}` }).range(from, to))
      ranges.push(
        Decoration.widget({ widget: new Caret(name, colour, JSON.stringify(state)), side: 1 }).range(cursor.head),
      )
    }
    return RangeSet.of(ranges, true)
  }

  /** Presence is untrusted: a cursor that cannot be read or lies elsewhere is not drawn. */
  #cursorIn(state: Readonly<Record<string, unknown>>): Cursor | null {
    const { cursor } = state as { readonly cursor?: { readonly anchor?: unknown; readonly head?: unknown } | null }
    const anchor = this.#indexOf(cursor?.anchor)
    const head = this.#indexOf(cursor?.head)
    return anchor === null || head === null ? null : { anchor, head }
  }

  #indexOf(position: unknown): number | null {
    const { doc } = this.#text
    if (doc === null || typeof position !== 'object' || position === null) return null
    try {
      const relative = Y.createRelativePositionFromJSON(position)
      const absolute = Y.createAbsolutePositionFromRelativePosition(relative, doc)
      if (absolute === null || absolute.type !== this.#text) return null
      return Math.min(absolute.index, this.#view.state.doc.length)
    } catch {
      return null
    }
  }
}

class Caret extends WidgetType {
  readonly #name: string
  readonly #colour: number
  /** What its owner last said; a caret that moved shows its name again. */
  readonly #said: string

  constructor(name: string, colour: number, said: string) {
    super()
    this.#name = name
    this.#colour = colour
    this.#said = said
  }

  override eq(other: Caret): boolean {
    return other.#said === this.#said && other.#colour === this.#colour
  }

  override toDOM(): HTMLElement {
    const caret = document.createElement('span')
    caret.className = `remote-caret person-${this.#colour}`
    caret.setAttribute('aria-hidden', 'true')
    const flag = document.createElement('span')
    flag.className = 'remote-flag'
    // Shown by the style sheet: as text it would be part of the line for whoever copies or reads it.
    flag.dataset['name'] = this.#name
    caret.append(flag)
    return caret
  }

  override ignoreEvent(): boolean {
    return true
  }
}
