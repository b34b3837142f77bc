import type { JSX } from 'preact'
import { useEffect, useMemo } from 'preact/hooks'
import { conflictHref } from '../present/route.ts'
import { outcome } from '../present/conflict.ts'
import { ago } from '../present/time.ts'
import type { Conflict } from '../parley/types.ts'
import type { Chosen } from '../state/chosenIn.ts'
import type { DocumentSession } from '../state/documentSession.ts'
import { ConflictEnding, type Done, type Ending } from '../state/conflictEnding.ts'
import { openedAgain } from '../state/openedAgain.ts'
import { assertNever } from '../assertNever.ts'
import type { Allowed } from './allowed.ts'
import { ContentDiff } from './contentDiff.tsx'
import { useNow, useStore } from './hooks.ts'
import { LockedWords } from './lockedWords.tsx'
import { useNames, useParts, useRun } from './parts.ts'

/** What became of a conflict that is closed; null while it is open. */
export function useEnding(conflict: Conflict | null, session: DocumentSession): ConflictEnding | null {
  const { rest } = useParts()
  const run = useRun()
  const isClosed = conflict !== null && conflict.status !== 'open'
  // What a closed conflict is does not change any more.
  const ending = useMemo(
    () => (isClosed ? new ConflictEnding(conflict, rest, () => session.lock.token) : null),
    [rest, session, isClosed, conflict?.id, conflict?.closedAt],
  )
  useEffect(() => {
    if (ending !== null) run(() => ending.load())
  }, [ending])
  return ending
}

interface EndingProps {
  readonly conflict: Conflict
  readonly work: ConflictEnding
  readonly allowed: Allowed
}

/** How the conflict ended, what that made of the document, and the way back. */
export function EndingSection({ conflict, work, allowed }: EndingProps): JSX.Element {
  const names = useNames()
  const now = useNow()
  const ending = useStore(work.ending)
  const comment = conflict.resolution?.comment ?? conflict.closedComment
  return (
    <>
      <div class="banner tone-success" role="status" data-testid="outcome" data-status={conflict.status}>
        <p>
          <strong>{outcome(conflict, names)}</strong>{' '}
          {conflict.closedAt !== null && <time dateTime={conflict.closedAt}>{ago(conflict.closedAt, now)}</time>}
          {conflict.resolution !== null && `, in version ${conflict.resolution.version}`}
        </p>
        {comment !== null && <p class="comment">“{comment}”</p>}
      </div>
      {ending.done !== null && <DoneBox done={ending.done} documentId={conflict.document.id} />}
      {allowed.mayWrite && <WayBack conflict={conflict} work={work} ending={ending} allowed={allowed} />}
      <Made conflict={conflict} ending={ending} />
    </>
  )
}

/** From what both sides started with to what stood when it was resolved. */
function Made({ conflict, ending }: { conflict: Conflict; ending: Ending }): JSX.Element | null {
  const { base, resolution, document } = conflict
  if (ending.failure !== null) return <p class="field-problem">The result cannot be shown: {ending.failure}</p>
  if (resolution === null || ending.after === null || base.content === undefined) return null
  return (
    <section aria-labelledby="made-title">
      <h3 id="made-title">
        What came of it
        <span class="muted"> – from base to version {resolution.version}</span>
      </h3>
      <ContentDiff
        kind={document.kind}
        from={base.content}
        to={ending.after}
        label="From base to the result"
        testId="made"
        same="Nothing differs: what stood there before both changes stands there again."
      />
    </section>
  )
}

interface WayBackProps extends EndingProps {
  readonly ending: Ending
}

/** Nothing that is done here is beyond undoing, and undoing is looked at before it is done. */
function WayBack({ conflict, work, ending, allowed }: WayBackProps): JSX.Element | null {
  const run = useRun()
  if (ending.done?.outcome === 'written' || ending.done?.outcome === 'conflict') return null
  if (ending.undo !== null) return <UndoPreview conflict={conflict} work={work} ending={ending} allowed={allowed} />
  if (ending.before !== null && conflict.kind === 'invalid-merge') {
    return (
      <p class="muted" data-testid="no-undo">
        There is no undo: what stood before breaks the schema, and the server takes nothing that does. It can still be
        read in the history, as version {(conflict.resolution?.version ?? 1) - 1}.
      </p>
    )
  }
  if (ending.before !== null) {
    return (
      <p class="row">
        <button
          class="button"
          disabled={ending.isBusy}
          onClick={() => run(() => work.lookAtUndo())}
          data-testid="undo-look"
        >
          Undo this…
        </button>
      </p>
    )
  }
  // What was resolved in a version is undone; what wrote nothing is brought up again.
  const hasWritten = conflict.resolution !== null && (ending.after === null || ending.before !== null)
  if (hasWritten || openedAgain(conflict) === null) return null
  return (
    <p class="row">
      <button
        class="button"
        disabled={ending.isBusy || allowed.barredBy !== null}
        onClick={() => run(() => work.openAgain())}
        data-testid="reopen"
      >
        Open it again
      </button>
      <span class="muted">as a conflict of its own, over the same places</span>
    </p>
  )
}

function UndoPreview({ conflict, work, ending, allowed }: WayBackProps): JSX.Element | null {
  const run = useRun()
  const { undo } = ending
  if (undo === null) return null
  return (
    <section aria-labelledby="undo-title" data-testid="undo">
      <h3 id="undo-title">
        Undo
        <span class="muted"> – what stood before the resolution comes back, as a version of its own</span>
      </h3>
      {undo.isOvertaken && (
        <p class="banner tone-attention">
          Others wrote in the same place since. Nothing of theirs is overwritten: a conflict opens instead.
        </p>
      )}
      <ContentDiff
        kind={conflict.document.kind}
        from={undo.from}
        to={undo.to}
        label="What undoing makes of the document"
        testId="undo-diff"
        same="The document stands as it did before: there is nothing to undo."
      />
      <p class="row">
        <button
          class="button primary"
          disabled={ending.isBusy || allowed.barredBy !== null}
          onClick={() => run(() => work.undo())}
          data-testid="undo-do"
        >
          Undo the resolution
        </button>
        <button class="button quiet" disabled={ending.isBusy} onClick={() => work.leaveUndo()}>
          Leave it
        </button>
        {allowed.barredBy !== null && (
          <LockedWords lock={allowed.barredBy} what="It can be undone when the lock ends." />
        )}
      </p>
    </section>
  )
}

function DoneBox({ done, documentId }: { done: Done; documentId: string }): JSX.Element {
  switch (done.outcome) {
    case 'written':
      return (
        <p class="banner tone-success" role="status" data-testid="done" data-outcome="written">
          Done, in version {done.version}.
        </p>
      )
    case 'unchanged':
      return (
        <p class="banner tone-info" role="status" data-testid="done" data-outcome="unchanged">
          The document holds that already: nothing was written.
        </p>
      )
    case 'conflict':
      return (
        <p class="banner tone-attention" role="status" data-testid="done" data-outcome="conflict">
          It is open as a conflict of its own now.{' '}
          {done.conflictId !== null && (
            <a href={conflictHref(documentId, done.conflictId)} data-testid="done-conflict">
              Show it
            </a>
          )}
        </p>
      )
    case 'failed':
      return (
        <p class="banner tone-problem" role="alert" data-testid="done" data-outcome="failed">
          {done.reason}
        </p>
      )
    default:
      return assertNever(done)
  }
}

/** How a side that was chosen is called on the card of its place. */
export const CHOSEN_WORDS: Readonly<Record<Chosen, string>> = {
  base: 'Chosen: base',
  current: 'Chosen: current',
  incoming: 'Chosen: incoming',
  merged: 'Kept as merged',
  own: 'Chosen: words of their own',
}
