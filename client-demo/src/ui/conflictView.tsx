import type { JSX } from 'preact'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import { documentHref } from '../present/route.ts'
import { outcome, peopleOf, sentence, story } from '../present/conflict.ts'
import { ago } from '../present/time.ts'
import type { Conflict } from '../parley/types.ts'
import { ConflictDesk, type Desk } from '../state/conflictDesk.ts'
import type { DocumentSession } from '../state/documentSession.ts'
import { Compare } from './compare.tsx'
import { ConflictActions } from './conflictActions.tsx'
import { useNow, useStore } from './hooks.ts'
import { Icon } from './icon.tsx'
import { OverlapCard } from './overlapCard.tsx'
import { useNames, useParts, useRun } from './parts.ts'
import { Proposals } from './proposals.tsx'
import { RemarkBox } from './remarkBox.tsx'
import { Result } from './result.tsx'

interface ViewProps {
  readonly session: DocumentSession
  readonly conflictId: string
}

const TITLES = {
  'stale-write': 'Refused write',
  'concurrent-edit': 'Edits made offline met others’ edits here',
  'invalid-merge': 'Content that breaks the schema',
} as const

/** One conflict: what happened, the three sides, the choices, and what the document would become. */
export function ConflictView({ session, conflictId }: ViewProps): JSX.Element {
  const { rest } = useParts()
  const run = useRun()
  const desk = useMemo(() => new ConflictDesk(conflictId, rest), [conflictId, rest])
  const state = useStore(desk.desk)
  const heading = useRef<HTMLHeadingElement>(null)
  const isThere = state.conflict !== null || state.failure !== null

  useEffect(() => {
    run(() => desk.load())
    return session.conflicts.watch((changed) => {
      if (changed === null || changed === conflictId) run(() => desk.load())
    })
  }, [desk, session, conflictId])
  useEffect(() => {
    if (isThere) heading.current?.focus()
  }, [isThere])

  return (
    <section
      class="conflict"
      aria-labelledby="conflict-title"
      aria-busy={!isThere}
      data-testid="conflict-view"
      data-id={conflictId}
      data-status={state.conflict?.status}
    >
      <div class="conflict-scroll">
        <a class="back-link" href={documentHref(session.id)} data-testid="back">
          <Icon name="back" /> Back to the document
        </a>
        <h2 id="conflict-title" ref={heading} tabIndex={-1}>
          {state.conflict === null ? 'Conflict' : TITLES[state.conflict.kind]}
        </h2>
        {state.failure !== null && <p role="alert">{state.failure}</p>}
        {state.conflict !== null && <Sheet desk={desk} state={state} conflict={state.conflict} session={session} />}
      </div>
      {state.conflict?.status === 'open' && <ConflictActions desk={desk} state={state} conflict={state.conflict} />}
    </section>
  )
}

interface SheetProps {
  readonly desk: ConflictDesk
  readonly state: Desk
  readonly conflict: Conflict
  readonly session: DocumentSession
}

function Sheet({ desk, state, conflict, session }: SheetProps): JSX.Element {
  const names = useNames()
  const isOpen = conflict.status === 'open'
  const ending = outcome(conflict, names)
  return (
    <>
      <p class="story">{story(conflict, names)}</p>
      {state.remark !== null && <RemarkBox remark={state.remark} />}
      {ending !== null && <Outcome conflict={conflict} ending={ending} />}
      <Sides conflict={conflict} />
      {conflict.violations !== undefined && conflict.violations.length > 0 && (
        <section aria-labelledby="violations-title">
          <h3 id="violations-title">What breaks the schema</h3>
          <ul class="violations" data-testid="violations">
            {conflict.violations.map(({ pointer, message }) => (
              <li key={`${pointer} ${message}`}>
                <code>{pointer === '' ? '(whole document)' : pointer}</code> {message}
              </li>
            ))}
          </ul>
        </section>
      )}
      <Proposals desk={desk} state={state} conflict={conflict} />
      {conflict.truncated && <Truncated conflict={conflict} />}
      {conflict.whitespaceOnly && (
        <p class="banner tone-info" data-testid="whitespace-only">
          Only line ends or spaces at the ends of lines differ. The words are the same on both sides.
        </p>
      )}
      {conflict.overlaps.length > 0 && (
        <section aria-labelledby="overlaps-title">
          <h3 id="overlaps-title">
            {conflict.overlaps.length === 1 ? 'One place overlaps' : `${conflict.overlaps.length} places overlap`}
            {isOpen && <span class="muted"> – choose what should stand there</span>}
          </h3>
          {conflict.overlaps.map((overlap) => (
            <OverlapCard
              key={overlap.id}
              overlap={overlap}
              conflict={conflict}
              pick={state.picks[overlap.id] ?? null}
              isClosed={!isOpen}
              isLocked={state.ownResult !== null || state.busy}
              onPick={(pick) => desk.pick(overlap.id, pick)}
            />
          ))}
        </section>
      )}
      {conflict.overlaps.length === 0 && conflict.kind === 'stale-write' && isOpen && (
        <p class="banner tone-info" data-testid="clean">
          No place overlaps: both changes fit together. “Use merge” keeps all of both.
        </p>
      )}
      {isOpen && !conflict.truncated && <Result desk={desk} state={state} conflict={conflict} session={session} />}
      {!conflict.truncated && <Compare conflict={conflict} />}
    </>
  )
}

function Outcome({ conflict, ending }: { conflict: Conflict; ending: string }): JSX.Element {
  const now = useNow()
  const comment = conflict.resolution?.comment ?? conflict.closedComment
  return (
    <div class="banner tone-success" role="status" data-testid="outcome" data-status={conflict.status}>
      <p>
        <strong>{ending}</strong>{' '}
        {conflict.closedAt !== null && <time dateTime={conflict.closedAt}>{ago(conflict.closedAt, now)}</time>}
        {conflict.resolution !== null && `, in version ${conflict.resolution.version}`}
      </p>
      {comment !== null && <p class="comment">“{comment}”</p>}
    </div>
  )
}

/** Who stands behind each side, and on which version. */
function Sides({ conflict }: { conflict: Conflict }): JSX.Element {
  const names = useNames()
  const now = useNow()
  const { base, current, incoming } = conflict
  const isInvalid = conflict.kind === 'invalid-merge'
  return (
    <dl class="sides">
      {!isInvalid && (
        <div class="side side-base">
          <dt>Base</dt>
          <dd>
            {base.version === null ? 'what both sides had' : `version ${base.version}`}
            <span class="muted">where both started</span>
          </dd>
        </div>
      )}
      <div class="side side-current">
        <dt>Current</dt>
        <dd>
          {current.version === null ? 'the document' : `version ${current.version}`}
          <span class="muted">{isInvalid ? 'the last valid content' : `by ${peopleOf(current.authors, names)}`}</span>
        </dd>
      </div>
      <div class="side side-incoming">
        <dt>Incoming</dt>
        <dd>
          {conflict.kind === 'concurrent-edit' ? 'edits made offline' : sentence(peopleOf(incoming.authors, names))}
          <span class="muted">
            {conflict.kind === 'concurrent-edit' && `by ${peopleOf(incoming.authors, names)}, back `}
            <time dateTime={conflict.detectedAt}>{ago(conflict.detectedAt, now)}</time>
          </span>
        </dd>
      </div>
    </dl>
  )
}

function Truncated({ conflict }: { conflict: Conflict }): JSX.Element {
  return (
    <p class="banner tone-attention">
      The contents are too large to show here. You can still {ways(conflict)} or dismiss; each side can be read in full
      at <code>{conflict.incoming.href}</code> and its neighbours.
    </p>
  )
}

function ways({ kind, merged }: Conflict): string {
  if (kind === 'invalid-merge') return 'take back what broke the schema'
  return merged.clean ? 'keep current, take incoming, use the merge' : 'keep current, take incoming'
}
