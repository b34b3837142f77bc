import { EditorView, ViewPlugin } from '@codemirror/view'

/** News below the text make its window smaller: whoever types near the end goes on seeing the line. */
export const keepCursorInView = ViewPlugin.define((view) => new CursorKeeper(view))

class CursorKeeper {
  readonly #view: EditorView
  readonly #observer: ResizeObserver
  #heightPx: number

  constructor(view: EditorView) {
    this.#view = view
    this.#heightPx = view.scrollDOM.clientHeight
    this.#observer = new ResizeObserver(() => this.#resized())
    this.#observer.observe(view.scrollDOM)
  }

  destroy(): void {
    this.#observer.disconnect()
  }

  #resized(): void {
    const before = this.#heightPx
    this.#heightPx = this.#view.scrollDOM.clientHeight
    if (this.#heightPx >= before || !this.#view.hasFocus) return
    const { head } = this.#view.state.selection.main
    const bottom = this.#view.coordsAtPos(head)?.bottom
    if (bottom === undefined) return
    const below = bottom - this.#view.scrollDOM.getBoundingClientRect().top
    // Where it was out of sight before, somebody scrolled away on purpose.
    if (below > this.#heightPx && below <= before) this.#view.dispatch({ effects: EditorView.scrollIntoView(head) })
  }
}
