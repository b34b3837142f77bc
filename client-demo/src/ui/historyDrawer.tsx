import type { JSX } from 'preact'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { peopleOf, sentence } from '../present/conflict.ts'
import { originWords, versionWords } from '../present/history.ts'
import { explain } from '../present/problem.ts'
import { ago } from '../present/time.ts'
import type { Kind, ListedVersion } from '../parley/types.ts'
import { contentText } from '../state/contents.ts'
import type { DocumentSession } from '../state/documentSession.ts'
import { VersionList } from '../state/versionList.ts'
import { UnifiedDiff } from './diffEditor.tsx'
import { useNow, useStore } from './hooks.ts'
import { Icon } from './icon.tsx'
import { jsonLook } from './jsonLook.ts'
import { useNames, useParts, useRights, useRun } from './parts.ts'
import './outside.css'
import './history.css'

interface DrawerProps {
  readonly session: DocumentSession
  readonly kind: Kind
  readonly onClose: () => void
}

/** What a version would change if it stood again: the document as it is now, and as it was then. */
interface Comparison {
  readonly version: number
  readonly now: string
  readonly past: string
}

/** The versions of the document, newest first, each of which can stand again. */
export function HistoryDrawer({ session, kind, onClose }: DrawerProps): JSX.Element {
  const { rest, notices } = useParts()
  const run = useRun()
  const list = useMemo(() => new VersionList({ rest, document: session.id }), [rest, session])
  const { items, hasMore, problem } = useStore(list.store)
  const version = useStore(session.version)
  const mayWrite = useRights(session.id).has('write')
  const isDeleted = useStore(session.deleted) !== null
  const lock = useStore(session.lock.held)
  const mayChange = mayWrite && !isDeleted && (lock === null || lock.token !== null)
  const [compared, setCompared] = useState<Comparison | null>(null)
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => heading.current?.focus(), [])
  useEffect(() => list.refresh(), [list, version])
  useEffect(() => () => list.close(), [list])

  const restore = (wanted: number, base?: number): void =>
    run(async () => {
      const answer = await session.restore(wanted, base)
      setCompared(null)
      if (answer.outcome === 'unchanged') {
        notices.tell({ tone: 'info', text: `Version ${wanted} says what the document says now.` })
        return
      }
      // What others wrote after it is not taken back with it.
      const undo = { label: 'Undo', run: () => restore(answer.version - 1, answer.version) }
      notices.tell({
        tone: 'success',
        text: `What version ${wanted} held is version ${answer.version} now.`,
        action: undo,
      })
    })
  const compare = (wanted: number): void =>
    run(async () => {
      if (compared?.version === wanted) return setCompared(null)
      const [now, past] = await Promise.all([session.readNow(), rest.getVersion(session.id, wanted)])
      setCompared({ version: wanted, now: contentText(now.content), past: contentText(past.content) })
    })

  return (
    <section
      class="outside history"
      aria-labelledby="history-title"
      data-testid="history-drawer"
      onKeyDown={(event) => {
        if (event.key === 'Escape') onClose()
      }}
    >
      <div class="outside-head">
        <h2 id="history-title" ref={heading} tabIndex={-1}>
          History
        </h2>
        <button class="icon-button push" aria-label="Close" onClick={onClose} data-testid="history-close">
          <Icon name="close" />
        </button>
      </div>
      {problem !== null && (
        <p class="field-problem" role="alert">
          {explain(problem)}
        </p>
      )}
      <ol class="versions" data-testid="versions">
        {items.map((item, index) => (
          <li key={item.version} class="version-row" data-testid="version-row" data-version={item.version}>
            <Facts item={item} isNewest={index === 0} />
            {index > 0 && (
              <span class="version-actions">
                <button
                  class="button quiet"
                  aria-expanded={compared?.version === item.version}
                  aria-label={`Compare version ${item.version} with now`}
                  onClick={() => compare(item.version)}
                  data-testid="version-compare"
                >
                  Compare
                </button>
                {mayChange && (
                  <button
                    class="button"
                    aria-label={`Restore version ${item.version}`}
                    onClick={() => restore(item.version)}
                    data-testid="version-restore"
                  >
                    Restore
                  </button>
                )}
              </span>
            )}
            {compared?.version === item.version && <Changes comparison={compared} kind={kind} />}
          </li>
        ))}
      </ol>
      <p class="row">
        {hasMore && (
          <button class="button" onClick={() => list.more()}>
            Show older versions
          </button>
        )}
        {mayChange && (
          <button class="button quiet push" onClick={() => run(() => session.delete())} data-testid="delete-document">
            Delete this document
          </button>
        )}
      </p>
    </section>
  )
}

function Facts({ item, isNewest }: { item: ListedVersion; isNewest: boolean }): JSX.Element {
  const names = useNames()
  const now = useNow()
  return (
    <span class="version-facts">
      <span class="number version-number">{versionWords(item)}</span>
      <span>
        {sentence(peopleOf(item.authors, names))} {originWords(item.origin)}
        {item.label !== null && <span class="tag">{item.label}</span>}
        {isNewest && <span class="tag">now</span>}
      </span>
      <time class="muted" dateTime={item.at}>
        {ago(item.at, now)}
      </time>
    </span>
  )
}

/** What restoring it would do. */
function Changes({ comparison, kind }: { comparison: Comparison; kind: Kind }): JSX.Element {
  const { version, now, past } = comparison
  if (now === past) return <p class="muted version-changes">It says what the document says now.</p>
  return (
    <div class="version-changes">
      <UnifiedDiff
        original={now}
        value={past}
        label={`The document, if version ${version} stood again`}
        testId="version-changes"
        {...(kind === 'json' ? { look: jsonLook } : {})}
      />
    </div>
  )
}
