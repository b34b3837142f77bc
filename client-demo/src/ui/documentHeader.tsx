import type { JSX } from 'preact'
import { HOME } from '../present/route.ts'
import type { DocumentSession } from '../state/documentSession.ts'
import type { Editor } from '../state/editor.ts'
import type { Identity } from '../state/identity.ts'
import type { Connection, LiveText } from '../state/liveText.ts'
import type { FeedState } from '../parley/notifications.ts'
import { assertNever } from '../assertNever.ts'
import { DocumentTools } from './documentTools.tsx'
import { useStore } from './hooks.ts'
import { Icon } from './icon.tsx'
import { useRights } from './parts.ts'

interface HeaderProps {
  readonly session: DocumentSession
  readonly self: Identity
  readonly isNarrow: boolean
  readonly isOutsideOpen: boolean
  readonly isPanelOpen: boolean
  readonly onOutside: () => void
  readonly isHistoryOpen: boolean
  readonly onHistory: () => void
  readonly onPanel: () => void
}

export function DocumentHeader(props: HeaderProps): JSX.Element {
  const { session } = props
  const phase = useStore(session.phase)
  const version = useStore(session.version)
  const { items } = useStore(session.conflicts.open)
  const rights = useRights(session.id)
  const isDeleted = useStore(session.deleted) !== null
  const editor = phase.phase === 'open' ? phase.editor : null
  return (
    <header class="document-top">
      <div class="document-head">
        <div class="head-title">
          <a class="icon-button" href={HOME} aria-label="All documents">
            <Icon name="back" />
          </a>
          <h1 class="mono truncate" title={session.id}>
            {session.id}
          </h1>
          {editor !== null && <span class="tag">{editor.kind}</span>}
          {editor !== null && !rights.has('write') && (
            <span class="tag" data-testid="read-only-tag">
              read only
            </span>
          )}
          {version !== null && (
            <span class="number version" data-testid="version" data-version={version} title="Version of the document">
              <span class="visually-hidden">version </span>
              <span aria-hidden="true">v</span>
              {version}
            </span>
          )}
        </div>
        <Presence editor={editor} self={props.self} />
        <div class="head-status">
          {isDeleted && <span class="status status-refused">Deleted</span>}
          {!isDeleted && editor?.kind === 'text' && <LiveStatus session={session} live={editor.live} />}
          {!isDeleted && editor?.kind === 'json' && <FeedStatus session={session} />}
        </div>
        <div class="head-actions">
          {editor !== null && !isDeleted && rights.has('write') && (
            <button
              class="button"
              aria-pressed={props.isOutsideOpen}
              onClick={props.onOutside}
              data-testid="outside-open"
            >
              <Icon name="terminal" />
              <span class="wide-only">Write from outside</span>
              <span class="narrow-only">Outside</span>
            </button>
          )}
          {props.isNarrow && editor !== null && (
            <button class="button" aria-expanded={props.isPanelOpen} onClick={props.onPanel} data-testid="panel-open">
              Conflicts
              <span class={items.length > 0 ? 'count count-attention' : 'count'}>{items.length}</span>
            </button>
          )}
        </div>
      </div>
      {editor !== null && !isDeleted && (
        <DocumentTools
          session={session}
          editor={editor}
          isHistoryOpen={props.isHistoryOpen}
          onHistory={props.onHistory}
        />
      )}
    </header>
  )
}

function LiveStatus({ session, live }: { session: DocumentSession; live: LiveText }): JSX.Element {
  const connection = useStore(live.connection)
  const isSaved = useStore(session.saved)
  const lock = useStore(session.lock.held)
  const isBarred = lock !== null && !lock.isOwn
  return (
    <>
      <span
        class={`status status-${connection.phase}`}
        role="status"
        data-testid="connection"
        data-phase={connection.phase}
      >
        {connectionWords(connection)}
      </span>
      <span class="muted save" data-testid="save-state" data-state={isSaved ? 'saved' : 'saving'}>
        {saveWords(connection, isSaved, isBarred)}
      </span>
    </>
  )
}

function connectionWords(connection: Connection): string {
  switch (connection.phase) {
    case 'connecting':
      return 'Connecting…'
    case 'live':
      return 'Live'
    case 'reconnecting':
      return 'Reconnecting…'
    case 'offline':
      return 'Offline'
    case 'signed-out':
      return 'Signed out'
    case 'refused':
      return 'Refused'
    default:
      return assertNever(connection)
  }
}

function saveWords(connection: Connection, isSaved: boolean, isBarred: boolean): string {
  if (connection.phase === 'connecting') return ''
  if (!isSaved && isBarred) return 'Waiting for the lock'
  if (isSaved) return 'Saved'
  return connection.phase === 'live' ? 'Saving…' : 'Not saved'
}

/** A json document has no live session: what is live about it are its notifications. */
function FeedStatus({ session }: { session: DocumentSession }): JSX.Element {
  const feed = useStore(session.following)
  return (
    <span
      class={`status status-${FEED_LOOKS[feed.phase]}`}
      role="status"
      data-testid="connection"
      data-phase={FEED_LOOKS[feed.phase]}
    >
      {feedWords(feed)}
    </span>
  )
}

const FEED_LOOKS = { connecting: 'connecting', following: 'live', waiting: 'reconnecting', refused: 'refused' } as const

function feedWords(feed: FeedState): string {
  switch (feed.phase) {
    case 'connecting':
      return 'Connecting…'
    case 'following':
      return 'Live'
    case 'waiting':
      return 'Reconnecting…'
    case 'refused':
      return 'Refused'
    default:
      return assertNever(feed)
  }
}

/** More faces than these say less than a number. */
const MOST_FACES = 4

function Presence({ editor, self }: { editor: Editor | null; self: Identity }): JSX.Element {
  return editor?.kind === 'text' ? (
    <Faces live={editor.live} />
  ) : (
    <span class="muted self-name" data-testid="self">
      {self.name}
    </span>
  )
}

function Faces({ live }: { live: LiveText }): JSX.Element {
  const people = useStore(live.people)
  const hidden = people.length - MOST_FACES
  return (
    <ul class="faces" aria-label="Who has this document open" data-testid="presence">
      {people.slice(0, MOST_FACES).map(({ clientId, name, colour, isSelf }) => (
        <li key={clientId} class={`face person-${colour}`} title={isSelf ? `${name} (you)` : name} data-testid="person">
          <span aria-hidden="true">{initials(name)}</span>
          <span class="visually-hidden">{isSelf ? `${name} (you)` : name}</span>
        </li>
      ))}
      {hidden > 0 && <li class="face face-more">+{hidden}</li>}
    </ul>
  )
}

function initials(name: string): string {
  const [first = '', second = ''] = name.split(/[\s_-]+/)
  return [first, second]
    .map((word) => [...word][0] ?? '')
    .join('')
    .toUpperCase()
}
