import { history, historyKeymap } from '@codemirror/commands'
import { getOriginalDoc, MergeView, originalDocChangeEffect, unifiedMergeView } from '@codemirror/merge'
import { ChangeSet, Compartment, type Extension } from '@codemirror/state'
import { EditorView, keymap } from '@codemirror/view'
import type { Violation } from '../parley/types.ts'
import type { JSX } from 'preact'
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks'
import { named, readOnly, replaceText, shared, smallestChange } from './codeMirror.ts'
import { keys } from './keys.ts'
import { markViolations, VIOLATIONS } from './violationMarks.ts'

const LOOK = EditorView.theme({
  '&': { height: 'auto' },
  '.cm-content': { padding: '0.5rem 0' },
  '&.cm-merge-b .cm-changedLine': { backgroundColor: 'var(--added-line)' },
  '&.cm-merge-a .cm-changedLine, .cm-deletedChunk': { backgroundColor: 'var(--removed-line)' },
  '&.cm-merge-b .cm-changedText': { background: 'var(--added-text)' },
  '&.cm-merge-a .cm-changedText, .cm-deletedChunk .cm-deletedText': { background: 'var(--removed-text)' },
  '&.cm-merge-b .cm-changedLineGutter': { background: 'var(--good)' },
  '&.cm-merge-a .cm-changedLineGutter, .cm-deletedLineGutter': { background: 'var(--problem)' },
  '.cm-deletedChunk': { paddingLeft: '0.5rem' },
  '.cm-changeGutter': { width: '3px', paddingLeft: '0' },
  '.cm-collapsedLines': {
    background: 'var(--sunken)',
    color: 'var(--muted)',
    padding: '0.15rem 1.25rem',
    fontFamily: 'var(--sans)',
    fontSize: '0.8125rem',
  },
  '.cm-collapsedLines:before, .cm-collapsedLines:after': { content: 'none' },
})

/** Counted in characters and not in time, so that the same texts always look the same. */
const COMPARISON = { collapseUnchanged: { margin: 2, minSize: 5 }, diffConfig: { scanLimit: 2_000 }, gutter: true }

interface UnifiedProps {
  readonly original: string
  readonly value: string
  readonly label: string
  readonly testId: string
  readonly look?: Extension
  /** Places of a JSON text that break the schema, to be marked in it. */
  readonly violations?: readonly Violation[] | undefined
  /** Makes the text editable. */
  readonly onChange?: ((text: string) => void) | undefined
}

/** One text with what differs from another marked in it. */
export function UnifiedDiff(props: UnifiedProps): JSX.Element {
  const { original, value, label, testId, look, violations } = props
  const host = useRef<HTMLDivElement>(null)
  const view = useRef<EditorView | null>(null)
  const onChange = useRef(props.onChange)
  onChange.current = props.onChange
  const isEditable = props.onChange !== undefined
  const access = useMemo(() => new Compartment(), [])

  useLayoutEffect(() => {
    if (host.current === null) return
    const editor = new EditorView({
      parent: host.current,
      doc: value,
      extensions: [
        LOOK,
        shared,
        look ?? [],
        history(),
        keymap.of([...historyKeymap, ...keys]),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) onChange.current?.(update.state.doc.toString())
        }),
        unifiedMergeView({ original, mergeControls: false, ...COMPARISON }),
        access.of(isEditable ? [] : readOnly),
        VIOLATIONS.extension,
        named(label, `${testId}-content`),
      ],
    })
    view.current = editor
    return () => editor.destroy()
    // Whoever is typing stays in the same view: all that may become another is put into it below.
  }, [label, testId, look, access])

  // In the layout, right when it was drawn: an effect comes later, with a text that was typed over by then.
  useLayoutEffect(() => {
    view.current?.dispatch({ effects: access.reconfigure(isEditable ? [] : readOnly) })
  }, [isEditable, access])
  useLayoutEffect(() => {
    if (view.current !== null) compareWith(view.current, original)
  }, [original])
  useLayoutEffect(() => {
    if (view.current !== null) replaceText(view.current, value, { isUndoable: false })
  }, [value])
  useLayoutEffect(() => {
    if (view.current !== null) markViolations(view.current, violations ?? [])
  }, [violations])

  return <div ref={host} class="diff" data-testid={testId} />
}

function compareWith(view: EditorView, original: string): void {
  const before = getOriginalDoc(view.state)
  const change = smallestChange(before.toString(), original)
  if (change === null) return
  view.dispatch({ effects: originalDocChangeEffect(view.state, ChangeSet.of(change, before.length, '\n')) })
}

/** Two texts beside each other, aligned. */
export function SideBySide(props: {
  a: string
  b: string
  labels: readonly [string, string]
  look?: Extension
}): JSX.Element {
  const { a, b, labels, look } = props
  const host = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (host.current === null) return
    const sideOf = (doc: string, label: string): { doc: string; extensions: Extension } => ({
      doc,
      extensions: [LOOK, shared, look ?? [], readOnly, named(label)],
    })
    const merge = new MergeView({
      parent: host.current,
      a: sideOf(a, labels[0]),
      b: sideOf(b, labels[1]),
      ...COMPARISON,
    })
    return () => merge.destroy()
  }, [a, b, labels[0], labels[1], look])
  return <div ref={host} class="diff diff-pair" data-testid="compare-content" />
}
