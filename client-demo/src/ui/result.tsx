import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import type { Conflict } from '../parley/types.ts'
import { stays, type Way } from '../present/ways.ts'
import { chosen } from '../state/choices.ts'
import { wayOf, type ConflictDesk, type Desk } from '../state/conflictDesk.ts'
import { contentText } from '../state/contents.ts'
import type { DocumentSession } from '../state/documentSession.ts'
import { syntaxProblem } from '../state/jsonDraft.ts'
import { wayPreview } from '../state/wayPreview.ts'
import { UnifiedDiff } from './diffEditor.tsx'
import { useStore } from './hooks.ts'
import { jsonLook } from './jsonLook.ts'

interface ResultProps {
  readonly desk: ConflictDesk
  readonly state: Desk
  readonly conflict: Conflict
  readonly session: DocumentSession
}

/** What the document becomes by the way that is picked, compared with what it is. */
export function Result({ desk, state, conflict, session }: ResultProps): JSX.Element | null {
  const { seen, ownResult, picks } = state
  const newest = useStore(session.version) ?? seen.version
  const way = wayOf(state) ?? 'dismiss'
  const isByHand = way === 'hand'
  const made = useMemo(
    () => (isByHand ? null : wayPreview(conflict, way, picks, seen.content)),
    [conflict, way, picks, seen],
  )
  const now = seen.content
  if (now === undefined || (made === null && !isByHand)) return null
  const madeText = made !== null && 'content' in made ? contentText(made.content) : null
  const text = isByHand ? ownResult : madeText
  const isSame = text === contentText(now)
  const isJson = conflict.document.kind === 'json'
  const problem =
    isByHand && isJson && ownResult !== null
      ? syntaxProblem(ownResult)
      : made !== null && 'problem' in made
        ? made.problem
        : null
  return (
    <section id="result" aria-labelledby="result-title" data-testid="result-section">
      <div class="section-head">
        <h3 id="result-title">
          Result
          <span class="muted"> – {words(way, chosen(conflict.overlaps, picks).missing, conflict)}</span>
        </h3>
        <ByHand desk={desk} state={state} isByHand={isByHand} />
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
      {isSame && (
        <p class="muted" data-testid="result-same">
          {stays(way, conflict.kind)}
        </p>
      )}
      {text !== null && (!isSame || isByHand) && (
        <UnifiedDiff
          original={contentText(now)}
          value={text}
          label="The document after the resolution"
          testId="result"
          onChange={isByHand ? (edited) => desk.editResult(edited) : undefined}
          violations={state.remark?.violations}
          {...(isJson ? { look: jsonLook } : {})}
        />
      )}
    </section>
  )
}

/** Into a result of one's own, and to another start of it; nothing that was typed is given up for good. */
function ByHand({ desk, state, isByHand }: Pick<ResultProps, 'desk' | 'state'> & { isByHand: boolean }): JSX.Element {
  if (!isByHand) {
    return (
      <button class="button quiet" onClick={() => desk.choose('hand')} data-testid="result-edit">
        {state.ownResult === null ? 'Edit the result' : 'Back to my own result'}
      </button>
    )
  }
  return (
    <span class="row">
      {state.givenUp !== null && (
        <button class="button quiet" onClick={() => desk.bringBack()} data-testid="result-bring-back">
          Bring my text back
        </button>
      )}
      <button class="button quiet" onClick={() => desk.startOver()} data-testid="result-reset">
        Start over
      </button>
    </span>
  )
}

function words(way: Way, missing: number, { overlaps, kind }: Conflict): string {
  if (way === 'hand') return 'edited by hand'
  if (way === 'dismiss') return 'nothing is decided'
  if (kind === 'invalid-merge') return 'with what broke the schema taken back'
  if (way === 'current') return kind === 'stale-write' ? 'current stays' : 'current at every place'
  if (way === 'incoming') return kind === 'stale-write' ? 'incoming as it was sent' : 'incoming at every place'
  if (way === 'merged' || overlaps.length === 0) {
    return kind === 'stale-write' ? 'all of both changes' : 'as the merge made it'
  }
  if (missing === 0) return 'what the document will be'
  const as = kind === 'concurrent-edit' ? 'as merged' : 'as in current'
  return missing === 1 ? `one place not chosen yet, shown ${as}` : `${missing} places not chosen yet, shown ${as}`
}
