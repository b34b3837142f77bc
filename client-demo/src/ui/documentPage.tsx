import type { JSX } from 'preact'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { conflictHref, HOME } from '../present/route.ts'
import type { Identity } from '../state/identity.ts'
import { DocumentSession } from '../state/documentSession.ts'
import type { Phase } from '../state/editor.ts'
import { explain } from '../present/problem.ts'
import { ConflictPanel } from './conflictPanel.tsx'
import { conflictView, historyDrawer, jsonEditor, outsideDrawer } from './chunks.ts'
import { DeletedBanner, DeletedPage } from './deleted.tsx'
import { DocumentHeader } from './documentHeader.tsx'
import { useMedia, useStore, useTitle } from './hooks.ts'
import { LeftText } from './leftText.tsx'
import { NoticeStack } from './noticeStack.tsx'
import { useParts, useRights } from './parts.ts'
import { TextEditor } from './textEditor.tsx'

export const NARROW = '(max-width: 52rem)'

export interface DocumentPageProps {
  readonly id: string
  readonly conflictId: string | null
  readonly self: Identity
}

export function DocumentPage(props: DocumentPageProps): JSX.Element {
  const { id, conflictId, self } = props
  const session = useSession(id, self)
  const phase = useStore(session.phase)
  const { items } = useStore(session.conflicts.open)
  const isNarrow = useMedia(NARROW)
  const deletion = useStore(session.deleted)
  const { notices } = useParts()
  const [isPanelOpen, setPanelOpen] = useState(false)
  const [drawer, setDrawer] = useState<'outside' | 'history' | null>(null)
  useTitle(items.length === 0 ? `${id} – Parley` : `(${items.length}) ${id} – Parley`)
  const shownBefore = useRef(conflictId)
  useEffect(() => {
    setPanelOpen(false)
    session.conflicts.look(conflictId)
    if (conflictId === null && shownBefore.current !== null) focusOn('#work')
    shownBefore.current = conflictId
  }, [session, conflictId])

  const toggle = (name: 'outside' | 'history') => (): void => setDrawer((open) => (open === name ? null : name))
  const closeDrawer = (): void => {
    setDrawer(null)
    if (drawer !== null) focusOn(`[data-testid=${drawer}-open]`)
  }
  const togglePanel = (): void => {
    // The list says all that they said, and they would lie upon it.
    if (!isPanelOpen) notices.leave()
    setPanelOpen(!isPanelOpen)
  }
  const closePanel = (): void => {
    setPanelOpen(false)
    focusOn('[data-testid=panel-open]')
  }
  const isPanelShown = !isNarrow || isPanelOpen
  return (
    <div class="document">
      <a class="skip" href="#work" onClick={focusWork}>
        Skip to the document
      </a>
      <DocumentHeader
        session={session}
        self={self}
        isNarrow={isNarrow}
        isOutsideOpen={drawer === 'outside'}
        onOutside={toggle('outside')}
        isHistoryOpen={drawer === 'history'}
        onHistory={toggle('history')}
        onPanel={togglePanel}
        isPanelOpen={isPanelOpen}
      />
      <div class="document-body">
        <main id="work" class="work" tabIndex={-1}>
          <div class="work-sheet" hidden={conflictId !== null}>
            <LeftText id={id} />
            <Work session={session} phase={phase} />
          </div>
          {conflictId !== null && <conflictView.Component key={conflictId} session={session} conflictId={conflictId} />}
          {drawer === 'outside' && phase.phase === 'open' && deletion === null && (
            <outsideDrawer.Component session={session} self={self} onClose={closeDrawer} />
          )}
          {drawer === 'history' && phase.phase === 'open' && deletion === null && (
            <historyDrawer.Component session={session} kind={phase.editor.kind} onClose={closeDrawer} />
          )}
        </main>
        {isPanelShown && phase.phase === 'open' && (
          <ConflictPanel
            session={session}
            selected={conflictId}
            onClose={isNarrow ? closePanel : null}
            onOutside={() => {
              setPanelOpen(false)
              setDrawer('outside')
            }}
          />
        )}
        <NoticeStack />
      </div>
    </div>
  )
}

/** The hash names the screen, so a plain anchor would leave it. */
function focusWork(event: Event): void {
  event.preventDefault()
  focusOn('#work')
}

/** What had the focus is gone: whoever works by keyboard goes on from where it was opened. */
function focusOn(selector: string): void {
  document.querySelector<HTMLElement>(selector)?.focus()
}

/**
 * The one on the screen. A page is taken away after the one in its place was made, which is to find what was left: somebody
 * else may have signed in.
 */
const shown: { session: DocumentSession | null } = { session: null }

function useSession(id: string, self: Identity): DocumentSession {
  const { rest, headStart, keeper, notices, nameBook, shelf, storage, socketBase } = useParts()
  const session = useMemo(() => {
    shown.session?.close()
    shown.session = new DocumentSession({
      id,
      self,
      rest,
      headStart,
      keeper,
      notices,
      nameBook,
      shelf,
      storage,
      socketBase,
      show: (conflictId) => {
        location.hash = conflictHref(id, conflictId)
      },
    })
    return shown.session
    // A renewed token is no other person.
  }, [id, self.sub, rest, headStart, keeper, notices, nameBook, shelf, storage, socketBase])
  useEffect(() => () => session.close(), [session])
  return session
}

function Work({ session, phase }: { session: DocumentSession; phase: Phase }): JSX.Element {
  const deletion = useStore(session.deleted)
  const rights = useRights(session.id)
  const mayWrite = rights.has('write')
  if (phase.phase === 'loading') return <div class="work-note" aria-busy="true" />
  if (phase.phase === 'failed') {
    return (
      <div class="work-note">
        <h1>The document could not be opened</h1>
        <p class="muted">{phase.reason}</p>
        <button class="button primary" onClick={() => void session.open()}>
          Try again
        </button>
      </div>
    )
  }
  if (phase.phase === 'absent') return <Absent session={session} />
  if (phase.phase === 'deleted') return <DeletedPage session={session} deletion={phase.deletion} />
  return (
    <>
      {deletion !== null && <DeletedBanner session={session} deletion={deletion} />}
      {phase.editor.kind === 'text' ? (
        <TextEditor session={session} live={phase.editor.live} isReadOnly={deletion !== null || !mayWrite} />
      ) : (
        <jsonEditor.Component
          session={session}
          draftStore={phase.editor.draft}
          isReadOnly={deletion !== null || !mayWrite}
        />
      )}
    </>
  )
}

function Absent({ session }: { session: DocumentSession }): JSX.Element {
  const [problem, setProblem] = useState<string | null>(null)
  const mayCreate = useRights(session.id).has('write')
  const create = (kind: 'text' | 'json') => (): void => {
    session.create(kind).catch((error: unknown) => setProblem(explain(error)))
  }
  return (
    <div class="work-note" data-testid="document-absent">
      <h1>
        No document <span class="mono">{session.id}</span>
      </h1>
      <p class="muted">It does not exist, or is not yours to read. {mayCreate && 'You can create it now.'}</p>
      <p class="row">
        {mayCreate && (
          <>
            <button class="button primary" onClick={create('text')}>
              Create as text
            </button>
            <button class="button" onClick={create('json')}>
              Create as JSON
            </button>
          </>
        )}
        <a class="button quiet" href={HOME}>
          All documents
        </a>
      </p>
      <p class="field-problem" role="alert">
        {problem}
      </p>
    </div>
  )
}
