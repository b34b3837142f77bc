import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { conflictHref } from '../present/route.ts'
import { headline, outcome, places } from '../present/conflict.ts'
import { explain } from '../present/problem.ts'
import { ago } from '../present/time.ts'
import type { ListedConflict } from '../parley/types.ts'
import type { DocumentSession } from '../state/documentSession.ts'
import { conflictView } from './chunks.ts'
import { useNow, useStore } from './hooks.ts'
import { Icon } from './icon.tsx'
import { useNames, useRights } from './parts.ts'

interface PanelProps {
  readonly session: DocumentSession
  readonly selected: string | null
  /** On a narrow screen the panel covers the editor and can be closed. */
  readonly onClose: (() => void) | null
  readonly onOutside: () => void
}

export function ConflictPanel(props: PanelProps): JSX.Element {
  const { session, selected } = props
  const { items, hasMore, isLoaded, problem } = useStore(session.conflicts.open)
  const feed = useStore(session.following)
  const isOffline = useStore(session.offline)
  const now = useNow()
  const hasOpen = items.length > 0
  useEffect(() => {
    // Whoever sees one is about to look at it, and may be offline by then.
    if (hasOpen) conflictView.prefetch()
  }, [hasOpen])
  return (
    <aside class="panel" aria-labelledby="panel-title" data-testid="conflict-panel">
      <div class="panel-head">
        <h2 id="panel-title" class="section-title">
          Open conflicts
        </h2>
        <span class={items.length > 0 ? 'count count-attention' : 'count'} data-testid="conflict-count">
          {items.length}
          {hasMore && '+'}
        </span>
        {props.onClose !== null && (
          <button class="icon-button push" aria-label="Close the list" onClick={props.onClose}>
            <Icon name="close" />
          </button>
        )}
      </div>
      <ul class="conflict-list">
        {items.map((conflict) => (
          <li key={conflict.id}>
            <Item conflict={conflict} now={now} isSelected={conflict.id === selected} id={session.id} />
          </li>
        ))}
      </ul>
      {isLoaded && items.length === 0 && <NoConflicts session={session} onOutside={props.onOutside} />}
      <Closed session={session} selected={selected} now={now} />
      {problem !== null && (
        <p class="panel-note" role="alert">
          {problem}{' '}
          <button class="button quiet" onClick={() => session.conflicts.refresh()}>
            Try again
          </button>
        </p>
      )}
      {feed.phase === 'waiting' && (
        <p class="panel-note muted">
          {isOffline ? 'No news until you are online again.' : 'No news at the moment; reconnecting…'}
        </p>
      )}
      {feed.phase === 'refused' && <p class="panel-note">No news: {feed.reason}</p>}
    </aside>
  )
}

/** How earlier ones ended; nothing is gone because it is settled. */
function Closed({ session, selected, now }: Pick<PanelProps, 'session' | 'selected'> & { now: number }): JSX.Element {
  const { items, hasMore, isLoaded, problem } = useStore(session.conflicts.all.store)
  const closed = items.filter(({ status }) => status !== 'open')
  return (
    <details class="closed" data-testid="closed" onToggle={() => session.conflicts.wantClosed()}>
      <summary class="section-title">Closed conflicts</summary>
      <ul class="conflict-list">
        {closed.map((conflict) => (
          <li key={conflict.id}>
            <ClosedItem conflict={conflict} now={now} isSelected={conflict.id === selected} id={session.id} />
          </li>
        ))}
      </ul>
      {isLoaded && closed.length === 0 && !hasMore && <p class="panel-note muted">None so far.</p>}
      {problem !== null && (
        <p class="panel-note" role="alert">
          {explain(problem)}
        </p>
      )}
      {hasMore && (
        <button class="button quiet" onClick={() => void session.conflicts.all.more()}>
          Show more
        </button>
      )}
    </details>
  )
}

function ClosedItem({ conflict, now, isSelected, id }: ItemProps): JSX.Element {
  const names = useNames()
  return (
    <a
      class="conflict-item is-closed"
      href={conflictHref(id, conflict.id)}
      aria-current={isSelected ? 'true' : undefined}
      data-testid="closed-item"
      data-id={conflict.id}
      data-status={conflict.status}
    >
      <span class="conflict-item-title">{outcome(conflict, names)}</span>
      <span class="muted">
        {headline(conflict, names)}
        {conflict.closedAt !== null && (
          <>
            {' '}
            · <time dateTime={conflict.closedAt}>{ago(conflict.closedAt, now)}</time>
          </>
        )}
      </span>
    </a>
  )
}

interface ItemProps {
  readonly conflict: ListedConflict
  readonly now: number
  readonly isSelected: boolean
  readonly id: string
}

function Item({ conflict, now, isSelected, id }: ItemProps): JSX.Element {
  const names = useNames()
  const pending = conflict.proposals.filter(({ status }) => status === 'pending').length
  return (
    <a
      class="conflict-item"
      href={conflictHref(id, conflict.id)}
      aria-current={isSelected ? 'true' : undefined}
      data-testid="conflict-item"
      data-id={conflict.id}
    >
      <span class="conflict-item-title">{headline(conflict, names)}</span>
      <span class="muted">
        {places(conflict)} · <time dateTime={conflict.detectedAt}>{ago(conflict.detectedAt, now)}</time>
      </span>
      {pending > 0 && (
        <span class="tag">
          {pending} proposal{pending === 1 ? '' : 's'}
        </span>
      )}
    </a>
  )
}

function NoConflicts({ session, onOutside }: Pick<PanelProps, 'session' | 'onOutside'>): JSX.Element {
  const mayWrite = useRights(session.id).has('write')
  const isDeleted = useStore(session.deleted)
  return (
    <div class="panel-empty" data-testid="no-conflicts">
      <p>
        None. When a program writes on a version that is no longer current, or someone returns with offline edits in the
        same place, it shows up here.
      </p>
      {mayWrite && !isDeleted && (
        <button class="button" onClick={onOutside}>
          Make one
        </button>
      )}
    </div>
  )
}
