import type { JSX } from 'preact'
import { proposalWords, sentence } from '../present/conflict.ts'
import { personOf } from '../present/names.ts'
import { ago } from '../present/time.ts'
import type { Conflict } from '../parley/types.ts'
import type { ConflictDesk, Desk } from '../state/conflictDesk.ts'
import { useNow } from './hooks.ts'
import { useNames, useRun } from './parts.ts'

interface ProposalsProps {
  readonly desk: ConflictDesk
  readonly state: Desk
  readonly conflict: Conflict
}

/** Resolutions by those who may write but not resolve; someone who may decides. */
export function Proposals({ desk, state, conflict }: ProposalsProps): JSX.Element | null {
  const names = useNames()
  const now = useNow()
  const run = useRun()
  if (conflict.proposals.length === 0) return null
  return (
    <section aria-labelledby="proposals-title">
      <h3 id="proposals-title">Proposals</h3>
      <ul class="proposals">
        {conflict.proposals.map((proposal) => (
          <li key={proposal.id} class="proposal" data-testid="proposal" data-status={proposal.status}>
            <p>
              {sentence(personOf(proposal.by, names))} proposed: {proposalWords(proposal.use, conflict.kind)}
              <span class="muted">
                {' '}
                on version {proposal.baseVersion}, {ago(proposal.at, now)}
                {proposal.status === 'pending' ? '' : ` – ${proposal.status}`}
              </span>
              {proposal.comment !== null && <span class="comment">“{proposal.comment}”</span>}
            </p>
            {proposal.status === 'pending' && conflict.status === 'open' && (
              <span class="row">
                <button
                  class="button"
                  disabled={state.busy}
                  onClick={() => run(() => desk.act({ accept: proposal.id }, ''))}
                  data-testid="accept-proposal"
                >
                  Accept
                </button>
                <button
                  class="button quiet"
                  disabled={state.busy}
                  onClick={() => run(() => desk.act({ reject: proposal.id }, ''))}
                  data-testid="reject-proposal"
                >
                  Reject
                </button>
              </span>
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}
