import * as commands from '@codemirror/commands'
import { EditorSelection, findClusterBreak, type EditorState, type StateCommand } from '@codemirror/state'
import type { KeyBinding } from '@codemirror/view'

/** The selection, or the character (as people count them) before or behind the cursor. */
const erase =
  (isForward: boolean): StateCommand =>
  ({ state, dispatch }) => {
    if (state.readOnly) return false
    const erased = state.changeByRange((range) => {
      const to = range.empty ? besides(state, range.head, isForward) : range.to
      const [start, end] = [Math.min(range.from, to), Math.max(range.from, to)]
      return { changes: { from: start, to: end }, range: EditorSelection.cursor(start) }
    })
    if (erased.changes.empty) return false
    const userEvent = isForward ? 'delete.forward' : 'delete.backward'
    dispatch(state.update(erased, { scrollIntoView: true, userEvent }))
    return true
  }

function besides(state: EditorState, at: number, isForward: boolean): number {
  const line = state.doc.lineAt(at)
  const inLine = findClusterBreak(line.text, at - line.from, isForward) + line.from
  if (inLine !== at) return inLine
  return isForward ? Math.min(state.doc.length, at + 1) : Math.max(0, at - 1)
}

/**
 * The keys of every editor here. CodeMirror's own list has also those that work by syntax, which would bring its parsers to
 * whoever only opens a text.
 */
export const keys: readonly KeyBinding[] = [
  { key: 'ArrowLeft', run: commands.cursorCharLeft, shift: commands.selectCharLeft, preventDefault: true },
  { key: 'Mod-ArrowLeft', mac: 'Alt-ArrowLeft', run: commands.cursorGroupLeft, shift: commands.selectGroupLeft },
  { mac: 'Cmd-ArrowLeft', run: commands.cursorLineBoundaryLeft, shift: commands.selectLineBoundaryLeft },
  { key: 'ArrowRight', run: commands.cursorCharRight, shift: commands.selectCharRight, preventDefault: true },
  { key: 'Mod-ArrowRight', mac: 'Alt-ArrowRight', run: commands.cursorGroupRight, shift: commands.selectGroupRight },
  { mac: 'Cmd-ArrowRight', run: commands.cursorLineBoundaryRight, shift: commands.selectLineBoundaryRight },
  { key: 'ArrowUp', run: commands.cursorLineUp, shift: commands.selectLineUp, preventDefault: true },
  { mac: 'Cmd-ArrowUp', run: commands.cursorDocStart, shift: commands.selectDocStart },
  { key: 'ArrowDown', run: commands.cursorLineDown, shift: commands.selectLineDown, preventDefault: true },
  { mac: 'Cmd-ArrowDown', run: commands.cursorDocEnd, shift: commands.selectDocEnd },
  { key: 'PageUp', run: commands.cursorPageUp, shift: commands.selectPageUp },
  { key: 'PageDown', run: commands.cursorPageDown, shift: commands.selectPageDown },
  { key: 'Home', run: commands.cursorLineBoundaryBackward, shift: commands.selectLineBoundaryBackward },
  { key: 'Mod-Home', run: commands.cursorDocStart, shift: commands.selectDocStart },
  { key: 'End', run: commands.cursorLineBoundaryForward, shift: commands.selectLineBoundaryForward },
  { key: 'Mod-End', run: commands.cursorDocEnd, shift: commands.selectDocEnd },
  { key: 'Enter', run: commands.insertNewlineKeepIndent, shift: commands.insertNewlineKeepIndent },
  { key: 'Mod-a', run: commands.selectAll },
  { key: 'Backspace', run: erase(false), shift: erase(false), preventDefault: true },
  { key: 'Delete', run: erase(true), preventDefault: true },
  { key: 'Mod-Backspace', mac: 'Alt-Backspace', run: commands.deleteGroupBackward, preventDefault: true },
  { key: 'Mod-Delete', mac: 'Alt-Delete', run: commands.deleteGroupForward, preventDefault: true },
  { mac: 'Mod-Backspace', run: commands.deleteLineBoundaryBackward, preventDefault: true },
  { mac: 'Mod-Delete', run: commands.deleteLineBoundaryForward, preventDefault: true },
  { key: 'Alt-ArrowUp', run: commands.moveLineUp, shift: commands.copyLineUp },
  { key: 'Alt-ArrowDown', run: commands.moveLineDown, shift: commands.copyLineDown },
  { key: 'Escape', run: commands.simplifySelection },
  { key: 'Shift-Mod-k', run: commands.deleteLine },
]
