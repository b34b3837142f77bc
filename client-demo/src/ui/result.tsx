import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import type { Conflict } from '../parley/types.ts'
import { chosen, contentText, preview, standing } from '../state/choices.ts'
import type { ConflictDesk, Desk } from '../state/conflictDesk.ts'
import type { DocumentSession } from '../state/documentSession.ts'
import { UnifiedDiff } from './diffEditor.tsx'
import { useStore } from './hooks.ts'
import { jsonLook } from './jsonEditor.tsx'

/** What the document becomes by the choices so far, compared with what it is. */
export function Result(props: {
  desk: ConflictDesk
  state: Desk
  conflict: Conflict
  session: DocumentSession
}): JSX.Element | null {
  const { desk, state, conflict, session } = props
  const newest = useStore(session.version) ?? state.seenVersion
  const made = useMemo(
    () => preview(conflict, chosen(conflict.overlaps, state.picks).choices),
    [conflict, state.picks],
  )
  const now = standing(conflict)
  if (made === null || now === undefined) return null
  const { missing } = chosen(conflict.overlaps, state.picks)
  const isByHand = state.ownResult !== null
  const look = conflict.document.kind === 'json' ? { look: jsonLook } : {}
  return (
    <section aria-labelledby="result-title">
      <div class="section-head">
        <h3 id="result-title">
          Result
          <span class="muted"> – {isByHand ? 'edited by hand' : words(missing, conflict.overlaps.length)}</span>
        </h3>
        {isByHand ? (
          <button class="button quiet" onClick={() => desk.editResult(null)} data-testid="result-reset">
            Back to the choices
          </button>
        ) : (
          <button class="button quiet" onClick={() => desk.editResult(contentText(made))} data-testid="result-edit">
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
      <UnifiedDiff
        original={contentText(now)}
        value={state.ownResult ?? contentText(made)}
        label="The document after the resolution"
        testId="result"
        onChange={isByHand ? (text) => desk.editResult(text) : undefined}
        {...look}
      />
    </section>
  )
}

function words(missing: number, overlaps: number): string {
  if (overlaps === 0) return 'all of both changes'
  if (missing === 0) return 'what the document will be'
  return missing === 1 ? 'one place not chosen yet, shown as in current' : `${missing} places not chosen yet, shown as in current`
}
