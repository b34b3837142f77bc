import { json } from '@codemirror/lang-json'
import {
  bracketMatching,
  getIndentation,
  HighlightStyle,
  IndentContext,
  indentString,
  indentUnit,
} from '@codemirror/language'
import { syntaxHighlighting } from '@codemirror/language'
import { EditorSelection, Prec, type StateCommand } from '@codemirror/state'
import { keymap } from '@codemirror/view'
import { tags } from '@lezer/highlight'

const COLOURS = HighlightStyle.define([
  { tag: tags.propertyName, color: 'var(--code-name)' },
  { tag: tags.string, color: 'var(--code-string)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--code-value)' },
])

/** A line break with the indentation its place has; between brackets the closing one gets a line of its own. */
const breakLine: StateCommand = ({ state, dispatch }) => {
  if (state.readOnly) return false
  const changes = state.changeByRange(({ from, to }) => {
    const isBetween = /^(\{\}|\[\])$/.test(state.sliceDoc(from - 1, to + 1))
    const indent = getIndentation(new IndentContext(state, { simulateBreak: from }), from) ?? 0
    const outer = Math.max(0, indent - state.facet(indentUnit).length)
    const insert = `\n${indentString(state, indent)}`
    const closing = isBetween ? `\n${indentString(state, outer)}` : ''
    return {
      changes: { from, to, insert: insert + closing },
      range: EditorSelection.cursor(from + insert.length),
    }
  })
  dispatch(state.update(changes, { scrollIntoView: true, userEvent: 'input' }))
  return true
}

/** How JSON looks wherever it is shown, and breaks its lines where it is written. */
export const jsonLook = [
  json(),
  bracketMatching(),
  syntaxHighlighting(COLOURS),
  Prec.high(keymap.of([{ key: 'Enter', run: breakLine, shift: breakLine }])),
]
