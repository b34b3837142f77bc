import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import type { Conflict } from '../parley/types.ts'
import { chosen, contentText, preview } from '../state/choices.ts'
import type { ConflictDesk, Desk } from '../state/conflictDesk.ts'
import type { DocumentSession } from '../state/documentSession.ts'
import { syntaxProblem } from '../state/jsonDraft.ts'
import { UnifiedDiff } from './diffEditor.tsx'
import { useStore } from './hooks.ts'
import { jsonLook } from './jsonEditor.tsx'

interface ResultProps {
  readonly desk: ConflictDesk
  readonly state: Desk
  readonly conflict: Conflict
  readonly session: DocumentSession
}

/** What the document becomes by the choices so far, compared with what it is. */
export function Result({ desk, state, conflict, session }: ResultProps): JSX.Element | null {
  const { seen, ownResult } = state
  const newest = useStore(session.version) ?? seen.version
  const { choices, missing } = chosen(conflict.overlaps, state.picks)
  const made = useMemo(() => preview(conflict, choices, seen.content), [conflict, state.picks, seen])
  const now = seen.content
  if (made === null || now === undefined) return null
  const madeText = 'content' in made ? contentText(made.content) : null
  const text = ownResult ?? madeText
  const isSame = ownResult === null && madeText === contentText(now)
  const isJson = conflict.document.kind === 'json'
  const problem = ownResult !== null && isJson ? syntaxProblem(ownResult) : 'problem' in made ? made.problem : null
  return (
    <section aria-labelledby="result-title">
      <div class="section-head">
        <h3 id="result-title">
          Result
          <span class="muted"> – {ownResult === null ? words(missing, conflict) : 'edited by hand'}</span>
        </h3>
        {ownResult !== null && (
          <button class="button quiet" onClick={() => desk.editResult(null)} data-testid="result-reset">
            {conflict.kind === 'invalid-merge' ? 'Discard' : 'Back to the choices'}
          </button>
        )}
        {ownResult === null && (
          <button
            class="button quiet"
            onClick={() => desk.editResult(madeText ?? contentText(now))}
            data-testid="result-edit"
          >
            Edit the result
          </button>
        )}
      </div>
      {newest > seen.version && (
        <p class="muted" data-testid="result-behind">
          Compared with version {seen.version}. The document is at version {newest} now: what came since is kept where
          it is elsewhere, and asked about where it is in the same place.
        </p>
      )}
      {problem !== null && (
        <p class="field-problem" role="alert" data-testid="result-problem">
          {problem}
        </p>
      )}
      {isSame && <p class="muted">The document stays as it is.</p>}
      {text !== null && !isSame && (
        <UnifiedDiff
          original={contentText(now)}
          value={text}
          label="The document after the resolution"
          testId="result"
          onChange={ownResult === null ? undefined : (edited) => desk.editResult(edited)}
          {...(isJson ? { look: jsonLook } : {})}
        />
      )}
    </section>
  )
}

function words(missing: number, { overlaps, kind }: Conflict): string {
  if (kind === 'invalid-merge') return 'with what broke the schema taken back'
  if (overlaps.length === 0) return 'all of both changes'
  if (missing === 0) return 'what the document will be'
  const as = kind === 'concurrent-edit' ? 'as merged' : 'as in current'
  return missing === 1 ? `one place not chosen yet, shown ${as}` : `${missing} places not chosen yet, shown ${as}`
}
