import type { JSX } from 'preact'
import { sentence } from '../present/conflict.ts'
import { personOf } from '../present/names.ts'
import { HOME } from '../present/route.ts'
import { ago } from '../present/time.ts'
import { mayRevive, type Deletion } from '../state/deletion.ts'
import type { DocumentSession } from '../state/documentSession.ts'
import { useNow, useStore } from './hooks.ts'
import { useNames, useRights, useRun } from './parts.ts'

interface DeletedProps {
  readonly session: DocumentSession
  readonly deletion: Deletion
}

/** Over the text that was open when it was deleted. */
export function DeletedBanner({ session, deletion }: DeletedProps): JSX.Element {
  const isSaved = useStore(session.saved) && !session.hasUnsavedEdits
  const isRevived = useStore(session.revived)
  return (
    <div class="banner tone-problem" role="alert" data-testid="deleted">
      <p>
        <Words deletion={deletion} />{' '}
        {!isSaved && 'Your last edits had not been saved: they are in this window only, so copy what you need.'}
      </p>
      <p class="row">
        {isRevived ? (
          <button class="button" onClick={() => void session.reopen()} data-testid="reopen">
            It is back: open it
          </button>
        ) : (
          <Revive session={session} deletion={deletion} />
        )}
        <a class="button quiet" href={HOME}>
          All documents
        </a>
      </p>
    </div>
  )
}

/** In place of a document that was deleted before it was opened. */
export function DeletedPage({ session, deletion }: DeletedProps): JSX.Element {
  return (
    <div class="work-note" data-testid="deleted">
      <h1>
        <span class="mono">{session.id}</span> was deleted
      </h1>
      <p class="muted">
        <Words deletion={deletion} />
      </p>
      <p class="row">
        <Revive session={session} deletion={deletion} />
        <a class="button quiet" href={HOME}>
          All documents
        </a>
      </p>
    </div>
  )
}

/** Who, when, and what is truly kept. */
function Words({ deletion }: { deletion: Deletion }): JSX.Element {
  const names = useNames()
  const now = useNow()
  const who = deletion.by === null ? 'Somebody' : sentence(personOf(deletion.by, names))
  return (
    <>
      {who} deleted it{deletion.at !== null && <> {<time dateTime={deletion.at}>{ago(deletion.at, now)}</time>}</>}
      {deletion.isPurged
        ? ' for good: nothing of it is kept.'
        : `. All of it is kept, up to version ${deletion.lastVersion}: it can be brought back.`}
    </>
  )
}

function Revive({ session, deletion }: DeletedProps): JSX.Element | null {
  const { self } = useNames()
  const rights = useRights(session.id)
  const run = useRun()
  if (deletion.isPurged) return null
  if (!mayRevive(deletion, self, rights)) {
    return <span class="muted">Whoever deleted it can do that, and whoever may administer it.</span>
  }
  return (
    <button class="button primary" onClick={() => run(() => session.revive(deletion))} data-testid="revive">
      Bring it back
    </button>
  )
}
