import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import type { Conflict } from '../parley/types.ts'
import { chosen, contentText, preview, standing } from '../state/choices.ts'
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
  const newest = useStore(session.version) ?? state.seenVersion
  const { choices, missing } = chosen(conflict.overlaps, state.picks)
  const made = useMemo(() => preview(conflict, choices), [conflict, state.picks])
  const now = standing(conflict)
  if (made === null || now === undefined) return null
  const { ownResult } = state
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
            Back to the choices
          </button>
        )}
        {ownResult === null && madeText !== null && (
          <button class="button quiet" onClick={() => desk.editResult(madeText)} data-testid="result-edit">
            Edit the result
          </button>
        )}
      </div>
      {newest > state.seenVersion && (
        <p class="muted" data-testid="result-behind">
          Compared with version {state.seenVersion}. The document is at version {newest} now: what came since is kept
          where it is elsewhere, and asked about where it is in the same place.
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
  if (overlaps.length === 0) return 'all of both changes'
  if (missing === 0) return 'what the document will be'
  const as = kind === 'concurrent-edit' ? 'as merged' : 'as in current'
  return missing === 1 ? `one place not chosen yet, shown ${as}` : `${missing} places not chosen yet, shown ${as}`
}
