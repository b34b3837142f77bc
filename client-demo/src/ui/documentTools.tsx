import type { JSX } from 'preact'
import type { DocumentSession } from '../state/documentSession.ts'
import type { Editor } from '../state/editor.ts'
import { useStore } from './hooks.ts'
import { Icon } from './icon.tsx'
import { Countdown, LockedWords } from './lockedWords.tsx'
import { useRights, useRun } from './parts.ts'

interface ToolsProps {
  readonly session: DocumentSession
  readonly editor: Editor
  readonly isHistoryOpen: boolean
  readonly onHistory: () => void
}

/** What can be done with the document as a whole. */
export function DocumentTools({ session, editor, isHistoryOpen, onHistory }: ToolsProps): JSX.Element {
  return (
    <div class="tools" role="toolbar" aria-label="The document">
      <LockTool session={session} />
      <button class="button quiet" aria-pressed={isHistoryOpen} onClick={onHistory} data-testid="history-open">
        <Icon name="history" />
        History
      </button>
      {editor.kind === 'text' && <OfflineSwitch session={session} />}
    </div>
  )
}

/** Who holds the lock, and a way to take or release it for those who may write. */
function LockTool({ session }: { session: DocumentSession }): JSX.Element | null {
  const lock = useStore(session.lock.held)
  const mayWrite = useRights(session.id).has('write')
  const run = useRun()
  if (lock === null) {
    return mayWrite ? (
      <button class="button quiet" onClick={() => run(() => session.lock.acquire())} data-testid="lock-acquire">
        <Icon name="lock" />
        Lock
      </button>
    ) : null
  }
  if (!lock.isOwn) {
    return (
      <p class="tool-state" role="status" data-testid="lock-state" data-own="false">
        <Icon name="lock" />
        <LockedWords lock={lock} />
      </p>
    )
  }
  return (
    <p class="tool-state" data-testid="lock-state" data-own="true">
      <Icon name="lock" />
      <span role="status">Locked by you: others wait</span>
      <Countdown until={lock.expiresAt} />
      {lock.token === null ? (
        <span class="muted">taken in another window</span>
      ) : (
        <>
          <button class="button quiet" onClick={() => run(() => session.lock.release())} data-testid="lock-release">
            Release
          </button>
          <button class="button quiet" onClick={() => run(() => session.lock.renew())} data-testid="lock-renew">
            5 more minutes
          </button>
        </>
      )}
    </p>
  )
}

/** Hangs up on purpose, so that anybody can see what becomes of edits that two made without knowing of each other. */
function OfflineSwitch({ session }: { session: DocumentSession }): JSX.Element {
  const isOffline = useStore(session.offline)
  return (
    <label class="switch">
      <input
        type="checkbox"
        role="switch"
        checked={isOffline}
        onChange={(event) => session.stayOffline(event.currentTarget.checked)}
        data-testid="offline-switch"
      />
      <span>Work offline</span>
    </label>
  )
}
