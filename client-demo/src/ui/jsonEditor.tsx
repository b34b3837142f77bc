import { history, historyKeymap } from '@codemirror/commands'
import { Compartment } from '@codemirror/state'
import { EditorView, keymap } from '@codemirror/view'
import type { JSX } from 'preact'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import { conflictHref } from '../present/route.ts'
import type { DocumentSession } from '../state/documentSession.ts'
import { discard, edit, syntaxProblem, type JsonDraft } from '../state/jsonDraft.ts'
import type { Violation } from '../parley/types.ts'
import type { Store } from '../state/store.ts'
import { named, readOnly, replaceText, shared } from './codeMirror.ts'
import { conflictMarks } from './conflictMarks.ts'
import { useStore } from './hooks.ts'
import { jsonLook } from './jsonLook.ts'
import { spotOf } from './jsonPlaces.ts'
import { keepCursorInView } from './keepCursorInView.ts'
import { keys } from './keys.ts'
import { LockedWords } from './lockedWords.tsx'
import { useParts, useRun } from './parts.ts'
import { goTo, markViolations, VIOLATIONS } from './violationMarks.ts'

const NONE: readonly Violation[] = []

/** Edits the JSON text here and saves it by PUT on the version it started from. */
export function JsonEditor(props: {
  session: DocumentSession
  draftStore: Store<JsonDraft>
  isReadOnly: boolean
}): JSX.Element {
  const { session, draftStore, isReadOnly } = props
  const lock = useStore(session.lock.held)
  const isBarred = lock !== null && lock.token === null
  const access = useMemo(() => new Compartment(), [])
  const view = useRef<EditorView | null>(null)
  const draft = useStore(draftStore)
  const host = useRef<HTMLDivElement>(null)
  const run = useRun()
  const { rest, nameBook } = useParts()
  const problem = syntaxProblem(draft.text)
  const canSave =
    problem === null && (draft.status === 'edited' || draft.status === 'refused') && !isReadOnly && !isBarred
  const save = useRef((): void => {})
  save.current = () => {
    if (canSave) run(() => session.saveDraft())
  }

  useEffect(() => {
    if (host.current === null) return
    const editor = new EditorView({
      parent: host.current,
      doc: draftStore.value.text,
      extensions: [
        shared,
        jsonLook,
        history(),
        keymap.of([{ key: 'Mod-s', run: () => (save.current(), true) }, ...historyKeymap, ...keys]),
        named(`JSON of ${session.id}`, 'editor-content'),
        keepCursorInView,
        conflictMarks({ session, rest, nameBook, spotOf }),
        VIOLATIONS.extension,
        access.of([]),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) draftStore.update((value) => edit(value, update.state.doc.toString()))
        }),
      ],
    })
    let before = draftStore.value.status
    let marked = NONE
    const stop = draftStore.watch(() => {
      const { text, status, violations = NONE } = draftStore.value
      // What others wrote is theirs to take back; edits that were given up can be had again.
      replaceText(editor, text, { isUndoable: before !== 'clean' })
      before = status
      if (violations !== marked) markViolations(editor, violations)
      marked = violations
    })
    view.current = editor
    return () => {
      stop()
      editor.destroy()
    }
  }, [session, draftStore, rest, nameBook, access])
  useEffect(() => {
    view.current?.dispatch({ effects: access.reconfigure(isReadOnly ? readOnly : []) })
  }, [isReadOnly, access])

  return (
    <>
      <div ref={host} class="editor" data-testid="editor" />
      <Violations
        violations={draft.violations ?? NONE}
        onShow={(violation) => view.current !== null && goTo(view.current, violation)}
      />
      <div class="json-bar" data-testid="json-bar" data-status={draft.status}>
        <p class={problem === null ? 'muted grow' : 'field-problem grow'} role="status" data-testid="json-note">
          {problem === null ? words(draft, isReadOnly) : `Not JSON yet: ${problem}`}{' '}
          {isBarred && draft.status === 'edited' && <LockedWords lock={lock} what="You can save when the lock ends." />}
          {draft.conflictId !== null && (
            <a href={conflictHref(session.id, draft.conflictId)} data-testid="json-conflict">
              Show the conflict
            </a>
          )}
        </p>
        {draft.latest.version > draft.from.version && draft.status !== 'saving' && (
          <button class="button" onClick={() => draftStore.update(discard)} data-testid="json-load">
            {draft.status === 'refused'
              ? `Load version ${draft.latest.version}`
              : `Discard my edits, load version ${draft.latest.version}`}
          </button>
        )}
        {!isReadOnly && (
          <button class="button primary" disabled={!canSave} onClick={() => save.current()} data-testid="json-save">
            {draft.status === 'saving' ? 'Saving…' : 'Save'}
          </button>
        )}
      </div>
    </>
  )
}

/** What breaks the schema, each a way to its place. */
function Violations(props: {
  violations: readonly Violation[]
  onShow: (violation: Violation) => void
}): JSX.Element | null {
  const { violations, onShow } = props
  if (violations.length === 0) return null
  return (
    <div class="violation-list tone-problem" role="alert" data-testid="json-violations">
      <p>Not saved. The document’s schema does not allow this:</p>
      <ul>
        {violations.map((violation) => (
          <li key={`${violation.pointer} ${violation.message}`}>
            <button class="button quiet" onClick={() => onShow(violation)}>
              <code>{violation.pointer === '' ? 'the whole document' : violation.pointer}</code> {violation.message}
            </button>
          </li>
        ))}
      </ul>
    </div>
  )
}

function words({ status, from, latest }: JsonDraft, isReadOnly: boolean): string {
  if (isReadOnly && status === 'clean') return `Read only, at version ${from.version}.`
  const isBehind = latest.version > from.version
  if (status === 'saving') return `Saving on version ${from.version}…`
  if (status === 'refused')
    return `Not written: version ${from.version} was no longer current. Your text is kept as incoming.`
  if (status === 'edited' && isBehind) {
    return `Started from version ${from.version}; the document is at ${latest.version} now. Saving will open a conflict.`
  }
  return status === 'edited' ? `Not saved. Started from version ${from.version}.` : `Saved as version ${from.version}.`
}
