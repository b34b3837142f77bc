import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { readCommand, tokenCommand, writeCommand, type CurlTarget } from '../present/curl.ts'
import type { Document } from '../parley/types.ts'
import type { DocumentSession } from '../state/documentSession.ts'
import type { Identity } from '../state/identity.ts'
import { sendFromOutside, type OutsideAnswer } from '../state/outside.ts'
import { CommandBlock } from './commandBlock.tsx'
import { useStore } from './hooks.ts'
import { Icon } from './icon.tsx'
import { useParts, useRun } from './parts.ts'
import './outside.css'

interface DrawerProps {
  readonly session: DocumentSession
  readonly self: Identity
  readonly onClose: () => void
}

/** How a program writes this document, ready to paste: on the version of the moment the drawer was opened. */
export function OutsideDrawer({ session, self, onClose }: DrawerProps): JSX.Element {
  const { origin, keeper } = useParts()
  const run = useRun()
  const [document, setDocument] = useState<Document | null>(null)
  const [answer, setAnswer] = useState<OutsideAnswer | null>(null)
  const heading = useRef<HTMLHeadingElement>(null)
  const version = useStore(session.version)
  const isLocked = useStore(session.lock.held) !== null
  const isStale = document !== null && version !== null && version > document.version

  const takeVersion = (): void =>
    run(async () => {
      setAnswer(null)
      setDocument(await session.readNow())
    })
  useEffect(takeVersion, [session])
  useEffect(() => heading.current?.focus(), [])

  const target: CurlTarget | null = document && { ...document, origin, token: self.token }
  const send = (): void =>
    run(async () => {
      if (target === null) return
      const program = await keeper.stranger()
      setAnswer(await sendFromOutside({ ...target, token: program.token }))
    })

  return (
    <section
      class="outside"
      aria-labelledby="outside-title"
      data-testid="outside-drawer"
      onKeyDown={(event) => {
        if (event.key === 'Escape') onClose()
      }}
    >
      <div class="outside-head">
        <h2 id="outside-title" ref={heading} tabIndex={-1}>
          Write from outside
        </h2>
        <button class="icon-button push" aria-label="Close" onClick={onClose} data-testid="outside-close">
          <Icon name="close" />
        </button>
      </div>
      {target !== null && document !== null && (
        <ol class="steps">
          <li>
            <p>
              <strong>Read.</strong> The answer’s <code>ETag</code> names the version: <code>{document.etag}</code>.
            </p>
            <CommandBlock
              label="Read the document"
              text={`${tokenCommand(target.token)}\n${readCommand(target)}`}
              testId="outside-read"
            />
          </li>
          <li>
            <p>
              <strong>Change it here</strong>, in the first line.{' '}
              <span data-testid="outside-state" data-stale={isStale} role="status">
                {isStale
                  ? `Done: version ${document.version} is history, the document is at ${version}.`
                  : `It is still at version ${document.version}.`}
              </span>
            </p>
          </li>
          <li>
            <p>
              <strong>Write on version {document.version}.</strong> {fate(isLocked, isStale)}
            </p>
            <p class="row send">
              <button class="button primary" onClick={send} data-testid="outside-send">
                Send it from here
              </button>
              <button class="button quiet" onClick={takeVersion} data-testid="outside-renew">
                Start over on version {version ?? document.version}
              </button>
              <span role="status" data-testid="outside-answer" data-status={answer?.status}>
                {answer !== null && (
                  <>
                    <strong class="number">{answer.status}</strong> {answer.text}
                  </>
                )}
              </span>
            </p>
            <CommandBlock label="Write on that version" text={writeCommand(target)} testId="outside-write" />
          </li>
        </ol>
      )}
    </section>
  )
}

/** What the server says to the write as things are. */
function fate(isLocked: boolean, isStale: boolean): string {
  if (isLocked) return 'As long as the document is locked, it is refused with 423.'
  return isStale ? 'It is refused with 409 and opens a conflict.' : 'As long as nobody changes it, this succeeds.'
}
