import { Compartment, EditorState } from '@codemirror/state'
import { EditorView, keymap, placeholder } from '@codemirror/view'
import type { JSX } from 'preact'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import { yCollab, yUndoManagerKeymap } from 'y-codemirror.next'
import type { DocumentSession } from '../state/documentSession.ts'
import type { LiveText } from '../state/liveText.ts'
import { named, readOnly, shared } from './codeMirror.ts'
import { conflictMarks } from './conflictMarks.ts'
import { useStore } from './hooks.ts'
import { keepCursorInView } from './keepCursorInView.ts'
import { keys } from './keys.ts'
import { useParts } from './parts.ts'
import { remoteCursors } from './remoteCursors.ts'
import { WorkBar } from './workBar.tsx'

const writable = placeholder('Write here. Everyone who has this document open sees it.')

export function TextEditor(props: { session: DocumentSession; live: LiveText; isReadOnly: boolean }): JSX.Element {
  const { session, live } = props
  const { id } = session
  const { rest, nameBook } = useParts()
  const host = useRef<HTMLDivElement>(null)
  const view = useRef<EditorView | null>(null)
  const access = useMemo(() => new Compartment(), [])
  const connection = useStore(live.connection)
  const isReadOnly = props.isReadOnly || connection.phase === 'refused'

  useEffect(() => {
    if (host.current === null) return
    const editor = new EditorView({
      parent: host.current,
      state: EditorState.create({
        doc: live.text.toString(),
        extensions: [
          shared,
          keymap.of([...yUndoManagerKeymap, ...keys]),
          yCollab(live.text, null, { undoManager: live.undoManager }),
          remoteCursors(live.text, live.awareness),
          named(`Text of ${id}`, 'editor-content'),
          keepCursorInView,
          conflictMarks({
            session,
            rest,
            nameBook,
            spotOf: null,
            watchText: (changed) => live.connection.watch(changed),
          }),
          access.of(writable),
        ],
      }),
    })
    view.current = editor
    return () => editor.destroy()
  }, [id, live, access, session, rest, nameBook])

  useEffect(() => {
    view.current?.dispatch({ effects: access.reconfigure(isReadOnly ? readOnly : writable) })
  }, [isReadOnly, access])

  return (
    <>
      <div ref={host} class="editor" data-testid="editor" />
      <WorkBar session={session} live={live} isReadOnly={props.isReadOnly} />
    </>
  )
}
