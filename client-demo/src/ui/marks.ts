import { StateEffect, StateField, type Extension, type Range } from '@codemirror/state'
import { Decoration, type DecorationSet, EditorView, gutter, GutterMarker } from '@codemirror/view'

/** A place of a text that something is said about. */
export interface Mark {
  /** Offsets; `from === to` is the place before the line that begins there. */
  readonly from: number
  readonly to: number
  readonly words: string
  /** Where it leads; null where what is said is all there is. */
  readonly href: string | null
}

interface Marking {
  readonly extension: Extension
  /** Puts these in place of the ones before. They move with the text from now on. */
  readonly set: (view: EditorView, marks: readonly Mark[]) => void
}

/** Marks of one kind: underlined in the text, and a sign beside the line, which leads to what the mark is about. */
export function marking(kind: 'conflict' | 'violation'): Marking {
  const effect = StateEffect.define<readonly Mark[]>()
  const field = StateField.define<DecorationSet>({
    create: () => Decoration.none,
    update(known, transaction) {
      const set = transaction.effects.findLast((one) => one.is(effect))
      return set === undefined
        ? known.map(transaction.changes)
        : Decoration.set(
            set.value.map((mark) => decoration(kind, mark)),
            true,
          )
    },
    provide: (self) => EditorView.decorations.from(self),
  })
  const signs = gutter({
    class: `cm-marks cm-marks-${kind}`,
    lineMarker(view, line) {
      const marks = marksIn(view.state.field(field), line.from, line.to)
      return marks.length === 0 ? null : new Sign(kind, marks)
    },
    lineMarkerChange: (update) => update.startState.field(field) !== update.state.field(field),
  })
  return {
    extension: [field, signs],
    set(view, marks) {
      view.dispatch({ effects: effect.of(marks) })
    },
  }
}

function decoration(kind: string, mark: Mark): Range<Decoration> {
  if (mark.from === mark.to) return Decoration.line({ class: `mark-gap mark-gap-${kind}`, mark }).range(mark.from)
  return Decoration.mark({ class: `mark mark-${kind}`, attributes: { title: mark.words }, mark }).range(
    mark.from,
    mark.to,
  )
}

/** Those that begin in a line, so that each has one sign. */
function marksIn(set: DecorationSet, from: number, to: number): readonly Mark[] {
  const marks: Mark[] = []
  set.between(from, to, (start, _end, { spec }: { readonly spec: { readonly mark?: Mark } }) => {
    if (start >= from && spec.mark !== undefined) marks.push(spec.mark)
  })
  return marks
}

class Sign extends GutterMarker {
  readonly #kind: string
  readonly #marks: readonly Mark[]

  constructor(kind: string, marks: readonly Mark[]) {
    super()
    this.#kind = kind
    this.#marks = marks
  }

  override eq(other: Sign): boolean {
    return other.#kind === this.#kind && JSON.stringify(other.#marks) === JSON.stringify(this.#marks)
  }

  override toDOM(): HTMLElement {
    const href = this.#marks.find((mark) => mark.href !== null)?.href ?? null
    const sign = document.createElement(href === null ? 'span' : 'a')
    sign.className = `mark-sign mark-sign-${this.#kind}`
    sign.title = this.#marks.map(({ words }) => words).join('\n')
    if (sign instanceof HTMLAnchorElement && href !== null) sign.href = href
    // Gutters are hidden from screen readers; the list of conflicts says the same, and is reached by keyboard.
    sign.tabIndex = -1
    return sign
  }
}
