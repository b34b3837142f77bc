import { EditorState, Transaction, type ChangeSpec, type Extension } from '@codemirror/state'
import { drawSelection, EditorView, highlightSpecialChars, lineNumbers } from '@codemirror/view'
import { commonEnds } from '../../../server/content/commonEnds.ts'

const THEME = EditorView.theme({
  '&': { height: '100%', color: 'var(--ink)', backgroundColor: 'transparent', fontSize: 'var(--code-size)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.65', overflow: 'auto' },
  '.cm-content': { padding: '1.75rem 0 3rem', caretColor: 'var(--ink)' },
  '.cm-line': { padding: '0 1.25rem 0 0.5rem' },
  '.cm-gutters': { backgroundColor: 'transparent', border: 'none', color: 'var(--faint)' },
  '.cm-lineNumbers .cm-gutterElement': { padding: '0 0.6rem 0 1.1rem', minWidth: '2.6rem' },
  '.cm-cursor': { borderLeftColor: 'var(--ink)', borderLeftWidth: '2px' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'var(--selection)',
  },
  '.cm-placeholder': { color: 'var(--faint)' },
})

const CARRIAGE_RETURN = 13

/** A `\r` at the end of a line is ordinary in files from Windows; anything else invisible is shown as a warning. */
function specialChar(code: number, description: string | null, glyph: string): HTMLElement {
  const shown = document.createElement('span')
  shown.setAttribute('aria-label', description ?? `character ${code}`)
  shown.className = code === CARRIAGE_RETURN ? 'carriage-return' : 'cm-specialChar'
  if (code !== CARRIAGE_RETURN) shown.textContent = glyph
  return shown
}

/**
 * What every editor and view here shares. Lines end at `\n` alone, as the server counts them: with
 * CodeMirror's own rule a `\r` would shift every position behind it away from the Yjs text.
 */
export const shared: Extension = [
  EditorView.cspNonce.of(document.querySelector<HTMLMetaElement>('meta[property=csp-nonce]')?.nonce ?? ''),
  EditorState.lineSeparator.of('\n'),
  EditorView.clipboardInputFilter.of((text) => text.replaceAll(/\r\n?/g, '\n')),
  EditorView.lineWrapping,
  highlightSpecialChars({ render: specialChar }),
  drawSelection(),
  lineNumbers(),
  THEME,
]

export const readOnly: Extension = [EditorState.readOnly.of(true), EditorView.editable.of(false)]

/** What a screen reader and a test call the text. */
export const named = (label: string, testId?: string): Extension =>
  // Also what is only read is reached by keyboard, so that it can be scrolled.
  EditorView.contentAttributes.of({
    'aria-label': label,
    tabindex: '0',
    ...(testId === undefined ? {} : { 'data-testid': testId }),
  })

/**
 * Makes the text of an editor another one, as the smallest change, so that the cursor stays where it is. An editor owns
 * its text: this is called in the very moment in which the other text comes about, never later with what is old by then.
 */
export function replaceText(view: EditorView, text: string, { isUndoable }: { readonly isUndoable: boolean }): void {
  const changes = smallestChange(view.state.doc.toString(), text)
  if (changes !== null) view.dispatch({ changes, annotations: Transaction.addToHistory.of(isUndoable) })
}

/** What makes one text the other; null where they are the same. */
export function smallestChange(from: string, to: string): ChangeSpec | null {
  if (from === to) return null
  const { start, tail } = commonEnds(from, to)
  return { from: start, to: from.length - tail, insert: to.slice(start, to.length - tail) }
}
