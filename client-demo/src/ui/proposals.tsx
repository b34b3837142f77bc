import type { JSX } from 'preact'
import { useEffect, useMemo } from 'preact/hooks'
import { proposalWords, sentence } from '../present/conflict.ts'
import { personOf, type Names } from '../present/names.ts'
import { ago } from '../present/time.ts'
import type { Conflict, Proposal } from '../parley/types.ts'
import { coalesce } from '../state/coalesce.ts'
import type { ConflictDesk, Desk } from '../state/conflictDesk.ts'
import type { DocumentSession } from '../state/documentSession.ts'
import { ProposalDesk, type ProposalView } from '../state/proposalDesk.ts'
import type { Allowed } from './allowed.ts'
import { ContentDiff } from './contentDiff.tsx'
import { useNow, useStore } from './hooks.ts'
import { LockedWords } from './lockedWords.tsx'
import { useNames, useParts, useRun } from './parts.ts'

interface ProposalsProps {
  readonly desk: ConflictDesk
  readonly state: Desk
  readonly conflict: Conflict
  readonly session: DocumentSession
  readonly allowed: Allowed
}

/** While somebody types, what proposals do to the document is worked out anew this often at most. */
const REREAD_MS = 1_000

/** Resolutions by those who may write but not resolve; someone else who may decides, and sees what each would do. */
export function Proposals({ desk, state, conflict, session, allowed }: ProposalsProps): JSX.Element | null {
  const { rest } = useParts()
  const version = useStore(session.version)
  const work = useMemo(() => new ProposalDesk(rest), [rest, conflict.id])
  const views = useStore(work.views)
  useEffect(() => {
    void work.read(conflict)
  }, [work, conflict])
  useEffect(() => {
    const reread = coalesce(REREAD_MS, () => work.read(conflict))
    reread.wish()
    return () => reread.close()
  }, [work, conflict, version])
  if (conflict.proposals.length === 0) return null
  const [pending, decided] = [
    conflict.proposals.filter(({ status }) => status === 'pending'),
    conflict.proposals.filter(({ status }) => status !== 'pending'),
  ]
  return (
    <section aria-labelledby="proposals-title">
      <h3 id="proposals-title">
        {pending.length === 0 ? 'Proposals' : pending.length === 1 ? 'One proposal' : `${pending.length} proposals`}
        {pending.length > 0 && <span class="muted"> – to be accepted or rejected</span>}
      </h3>
      <ul class="proposals">
        {[...pending, ...decided].map((proposal) => (
          <li key={proposal.id} class="proposal" data-testid="proposal" data-status={proposal.status}>
            <Head proposal={proposal} conflict={conflict} />
            <Content proposal={proposal} conflict={conflict} view={views[proposal.id] ?? null} />
            {proposal.status === 'pending' && conflict.status === 'open' && (
              <Decision
                desk={desk}
                isBusy={state.busy}
                proposal={proposal}
                view={views[proposal.id] ?? null}
                allowed={allowed}
              />
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}

function Head({ proposal, conflict }: { proposal: Proposal; conflict: Conflict }): JSX.Element {
  const names = useNames()
  const now = useNow()
  return (
    <p>
      {sentence(personOf(proposal.by, names))} proposed: {proposalWords(proposal.use, conflict.kind)}
      <span class="muted">
        {' '}
        on version {proposal.baseVersion}, {ago(proposal.at, now)}
        {decision(proposal, names)}
      </span>
      {proposal.comment !== null && <span class="comment">“{proposal.comment}”</span>}
    </p>
  )
}

function decision({ status, decidedBy, decisionComment }: Proposal, names: Names): string {
  if (status === 'pending') return ''
  const by = decidedBy === null || decidedBy === undefined ? '' : ` by ${personOf(decidedBy, names)}`
  const why = decisionComment === null || decisionComment === undefined ? '' : `: “${decisionComment}”`
  return ` – ${status}${by}${why}`
}

interface ContentProps {
  readonly proposal: Proposal
  readonly conflict: Conflict
  readonly view: ProposalView | null
}

function Content({ proposal, conflict, view }: ContentProps): JSX.Element {
  if (view === null) return <p class="muted" aria-busy="true" />
  if (view.phase === 'unreadable') return <p class="field-problem">What it would do cannot be shown: {view.reason}</p>
  const diff = (
    <ContentDiff
      kind={conflict.document.kind}
      from={view.from}
      to={view.to}
      label={`What the proposal makes of version ${view.version}`}
      testId="proposal-diff"
      same="It leaves the document as it is."
    />
  )
  if (proposal.status !== 'pending' || conflict.status !== 'open') {
    return (
      <details>
        <summary>What it asked for</summary>
        {diff}
      </details>
    )
  }
  return (
    <>
      <p class="muted">
        {view.isOvertaken
          ? `Others wrote in the same place since. It was made on version ${view.version}, and cannot be accepted as it is:`
          : `What it makes of the document, version ${view.version}:`}
      </p>
      {diff}
    </>
  )
}

interface DecisionProps {
  readonly desk: ConflictDesk
  readonly isBusy: boolean
  readonly proposal: Proposal
  readonly view: ProposalView | null
  readonly allowed: Allowed
}

/** Offered to others than its author, and to accept only once it is seen. */
function Decision({ desk, isBusy, proposal, view, allowed }: DecisionProps): JSX.Element {
  const run = useRun()
  const { barredBy } = allowed
  if (proposal.by === allowed.self || !allowed.mayResolve) {
    return (
      <p class="muted" data-testid="own-proposal">
        {proposal.by === allowed.self ? 'Someone else' : 'Someone'} who may resolve decides about it.
      </p>
    )
  }
  return (
    <p class="row">
      <button
        class="button"
        disabled={isBusy || view?.phase !== 'shown' || view.isOvertaken || barredBy !== null}
        onClick={() => run(() => desk.act({ accept: proposal.id }, ''))}
        data-testid="accept-proposal"
      >
        Accept
      </button>
      <button
        class="button quiet"
        disabled={isBusy}
        onClick={() => run(() => desk.act({ reject: proposal.id }, ''))}
        data-testid="reject-proposal"
      >
        Reject
      </button>
      {barredBy !== null && <LockedWords lock={barredBy} what="It can be accepted when the lock ends." />}
    </p>
  )
}
