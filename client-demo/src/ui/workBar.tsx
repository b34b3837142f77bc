import type { JSX } from 'preact'
import { conflictHref } from '../present/route.ts'
import { returnWords, waitingWords } from '../present/absence.ts'
import type { DocumentSession } from '../state/documentSession.ts'
import type { LiveText } from '../state/liveText.ts'
import { useStore } from './hooks.ts'
import { Icon } from './icon.tsx'

interface WorkBarProps {
  readonly session: DocumentSession
  readonly live: LiveText
  readonly isReadOnly: boolean
}

/** What becomes of what is typed, where that is not simply saved. Below the text, so that nothing above it moves. */
export function WorkBar({ session, live, isReadOnly }: WorkBarProps): JSX.Element | null {
  const connection = useStore(live.connection)
  const isSaved = useStore(session.saved)
  const lock = useStore(session.lock.held)
  const waiting = useStore(session.absence.waiting)
  const returned = useStore(session.absence.returned)
  const isDeleted = useStore(session.deleted) !== null
  if (isDeleted) return null
  if (connection.phase === 'refused') {
    return (
      <div class="work-bar tone-problem" role="alert" data-testid="refusal">
        <p>
          The server refused: {connection.reason}.{' '}
          {!isSaved && 'Your last edits are in this window only: copy what you need before you go on.'}
        </p>
        <button class="button" onClick={() => location.reload()}>
          Open anew
        </button>
      </div>
    )
  }
  if (connection.phase === 'live' && lock !== null && !lock.isOwn && !isReadOnly) {
    const what = isSaved
      ? 'You can write on: it waits in this window, and goes in when the lock ends.'
      : 'Your edits wait in this window, and go in when the lock ends.'
    return (
      <div class="work-bar tone-attention" role="status" data-testid="barred" data-waits={!isSaved}>
        <p>{what}</p>
      </div>
    )
  }
  if (connection.phase === 'offline' || (!isSaved && connection.phase !== 'live')) {
    return (
      <div class="work-bar tone-attention" role="status" data-testid="unsaved">
        <p>{waitingWords(waiting, isSaved)}</p>
      </div>
    )
  }
  if (returned !== null) {
    return (
      <div
        class={`work-bar ${returned.isSure && returned.conflictId === null ? 'tone-success' : 'tone-attention'}`}
        role="status"
        data-testid="returned"
        data-met={returned.conflictId !== null}
      >
        <p>{returnWords(returned)}</p>
        {returned.conflictId !== null && (
          <a class="button" href={conflictHref(session.id, returned.conflictId)} data-testid="returned-show">
            Look at it
          </a>
        )}
        <button class="icon-button" aria-label="Dismiss" onClick={() => session.absence.dismiss()}>
          <Icon name="close" />
        </button>
      </div>
    )
  }
  if (!isReadOnly) return null
  return (
    <div class="work-bar" role="status" data-testid="read-only">
      <p>Read only: your token does not let you write this document. You see what others write as they do.</p>
    </div>
  )
}
