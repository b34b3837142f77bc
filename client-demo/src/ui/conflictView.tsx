import type { JSX } from 'preact'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import { documentHref } from '../present/route.ts'
import { peopleOf, sentence, story } from '../present/conflict.ts'
import { ago } from '../present/time.ts'
import type { Conflict } from '../parley/types.ts'
import type { ConflictEnding, Ending } from '../state/conflictEnding.ts'
import { ConflictDesk, unsentWords, type Desk } from '../state/conflictDesk.ts'
import type { DocumentSession } from '../state/documentSession.ts'
import { Store } from '../state/store.ts'
import { useAllowed, type Allowed } from './allowed.ts'
import { Compare } from './compare.tsx'
import { CommandBlock } from './commandBlock.tsx'
import { ConflictActions } from './conflictActions.tsx'
import { DeletedBanner } from './deleted.tsx'
import { EndingSection, useEnding } from './ending.tsx'
import { useNow, useStore } from './hooks.ts'
import './conflict.css'
import { Icon } from './icon.tsx'
import { OverlapCard } from './overlapCard.tsx'
import { useNames, useParts, useRun } from './parts.ts'
import { Proposals } from './proposals.tsx'
import { RemarkBox } from './remarkBox.tsx'
import { Result } from './result.tsx'

interface ViewProps {
  readonly session: DocumentSession
  readonly conflictId: string
}

const NO_ENDING = new Store<Pick<Ending, 'chosen'>>({ chosen: new Map() })

const TITLES = {
  'stale-write': 'Refused write',
  'concurrent-edit': 'Edits made offline met others’ edits here',
  'invalid-merge': 'Content that breaks the schema',
} as const

const titleOf = ({ kind, waited }: Conflict): string =>
  waited === true ? 'Edits that had to wait met others’ edits here' : TITLES[kind]

/** One conflict: what happened, the three sides, the choices, and what the document would become. */
export function ConflictView({ session, conflictId }: ViewProps): JSX.Element {
  const { rest, drafts } = useParts()
  const { self } = useNames()
  const run = useRun()
  const desk = useMemo(
    () => new ConflictDesk(conflictId, rest, drafts.of(self, conflictId), () => session.lock.token),
    [conflictId, rest, drafts, self, session],
  )
  const state = useStore(desk.desk)
  const ending = useEnding(state.conflict, session)
  const allowed = useAllowed(session)
  const deletion = useStore(session.deleted)
  const heading = useRef<HTMLHeadingElement>(null)
  const isThere = state.conflict !== null || state.failure !== null

  useEffect(() => {
    run(() => desk.load())
    return session.conflicts.watch((changed) => {
      if (changed === null || changed === conflictId) run(() => desk.load())
    })
  }, [desk, session, conflictId])
  const isClosed = ending !== null
  // Also when it was just closed: the outcome stands at the top.
  useEffect(() => {
    if (isThere) heading.current?.focus()
  }, [isThere, isClosed])

  return (
    <section
      class="conflict"
      aria-labelledby="conflict-title"
      aria-busy={!isThere}
      data-testid="conflict-view"
      data-id={conflictId}
      data-status={state.conflict?.status}
    >
      <div class="conflict-scroll">
        <a class="back-link" href={documentHref(session.id)} data-testid="back">
          <Icon name="back" /> Back to the document
        </a>
        <h2 id="conflict-title" ref={heading} tabIndex={-1}>
          {state.conflict === null ? 'Conflict' : titleOf(state.conflict)}
        </h2>
        {deletion !== null && <DeletedBanner session={session} deletion={deletion} />}
        {state.failure !== null && <p role="alert">{state.failure}</p>}
        {state.conflict !== null && (
          <Sheet
            desk={desk}
            state={state}
            conflict={state.conflict}
            session={session}
            ending={ending}
            allowed={allowed}
          />
        )}
      </div>
      {state.conflict?.status === 'open' && (
        <ConflictActions desk={desk} state={state} conflict={state.conflict} allowed={allowed} onChoose={showResult} />
      )}
    </section>
  )
}

/** Drawn after the way was picked. */
function showResult(): void {
  requestAnimationFrame(() => document.querySelector('#result')?.scrollIntoView({ block: 'nearest' }))
}

interface SheetProps {
  readonly desk: ConflictDesk
  readonly state: Desk
  readonly conflict: Conflict
  readonly session: DocumentSession
  readonly ending: ConflictEnding | null
  readonly allowed: Allowed
}

function Sheet({ desk, state, conflict, session, ending, allowed }: SheetProps): JSX.Element {
  const names = useNames()
  const isOpen = conflict.status === 'open'
  return (
    <>
      <p class="story">{story(conflict, names)}</p>
      {state.remark !== null && <RemarkBox remark={state.remark} />}
      {ending !== null && <EndingSection conflict={conflict} work={ending} allowed={allowed} />}
      {!isOpen && <Unsent state={state} />}
      <Sides conflict={conflict} />
      {conflict.violations !== undefined && conflict.violations.length > 0 && (
        <section aria-labelledby="violations-title">
          <h3 id="violations-title">What breaks the schema</h3>
          <ul class="violations" data-testid="violations">
            {conflict.violations.map(({ pointer, message }) => (
              <li key={`${pointer} ${message}`}>
                <code>{pointer === '' ? '(whole document)' : pointer}</code> {message}
              </li>
            ))}
          </ul>
        </section>
      )}
      <Proposals desk={desk} state={state} conflict={conflict} session={session} allowed={allowed} />
      {conflict.truncated && <Truncated conflict={conflict} />}
      {conflict.whitespaceOnly && (
        <p class="banner tone-info" data-testid="whitespace-only">
          Only line ends or spaces at the ends of lines differ. The words are the same on both sides.
        </p>
      )}
      {conflict.overlaps.length > 0 && (
        <Overlaps desk={desk} state={state} conflict={conflict} ending={ending} allowed={allowed} />
      )}
      {conflict.overlaps.length === 0 && conflict.kind === 'stale-write' && isOpen && (
        <p class="banner tone-info" data-testid="clean">
          No place overlaps: both changes fit together. “Use the merge” keeps all of both.
        </p>
      )}
      {isOpen && !conflict.truncated && (allowed.mayResolve || allowed.mayWrite) && (
        <Result desk={desk} state={state} conflict={conflict} session={session} />
      )}
      {!conflict.truncated && <Compare conflict={conflict} />}
    </>
  )
}

/** The places, each with what can be chosen there, or what was. */
function Overlaps({ desk, state, conflict, ending, allowed }: Omit<SheetProps, 'session'>): JSX.Element {
  const isOpen = conflict.status === 'open' && (allowed.mayResolve || allowed.mayWrite)
  const chosen = useStore(ending?.ending ?? NO_ENDING).chosen
  return (
    <section aria-labelledby="overlaps-title">
      <h3 id="overlaps-title">
        {conflict.overlaps.length === 1 ? 'One place overlaps' : `${conflict.overlaps.length} places overlap`}
        {isOpen && <span class="muted"> – choose what should stand there</span>}
      </h3>
      {conflict.overlaps.map((overlap) => (
        <OverlapCard
          key={overlap.id}
          overlap={overlap}
          conflict={conflict}
          pick={state.picks[overlap.id] ?? null}
          ownText={state.ownTexts[overlap.id] ?? null}
          chosen={chosen.get(overlap.id) ?? null}
          isClosed={!isOpen}
          isBusy={state.busy}
          onPick={(pick) => desk.pick(overlap.id, pick)}
        />
      ))}
    </section>
  )
}

/** What somebody had prepared when another was faster: nothing that was typed is thrown away. */
function Unsent({ state }: { state: Desk }): JSX.Element | null {
  const words = unsentWords(state)
  if (words.length === 0) return null
  return (
    <section aria-labelledby="unsent-title" data-testid="unsent">
      <h3 id="unsent-title">What you had written and did not send</h3>
      {words.map(({ label, text }) => (
        <CommandBlock key={`${label} ${text}`} label={label} text={text} />
      ))}
    </section>
  )
}

/** Who stands behind each side, and on which version. */
function Sides({ conflict }: { conflict: Conflict }): JSX.Element {
  const names = useNames()
  const now = useNow()
  const { base, current, incoming } = conflict
  const isInvalid = conflict.kind === 'invalid-merge'
  return (
    <dl class="sides">
      {!isInvalid && (
        <div class="side side-base">
          <dt>Base</dt>
          <dd>
            {base.version === null ? 'what both sides had' : `version ${base.version}`}
            <span class="muted">where both started</span>
          </dd>
        </div>
      )}
      <div class="side side-current">
        <dt>Current</dt>
        <dd>
          {current.version === null ? 'the document' : `version ${current.version}`}
          <span class="muted">{isInvalid ? 'the last valid content' : `by ${peopleOf(current.authors, names)}`}</span>
        </dd>
      </div>
      <div class="side side-incoming">
        <dt>Incoming</dt>
        <dd>
          {conflict.kind === 'concurrent-edit' ? editsOf(conflict) : sentence(peopleOf(incoming.authors, names))}
          <span class="muted">
            {conflict.kind === 'concurrent-edit' &&
              `by ${peopleOf(incoming.authors, names)}, ${conflict.waited === true ? 'in' : 'back'} `}
            <time dateTime={conflict.detectedAt}>{ago(conflict.detectedAt, now)}</time>
          </span>
        </dd>
      </div>
    </dl>
  )
}

const editsOf = ({ waited }: Conflict): string => (waited === true ? 'edits that had to wait' : 'edits made offline')

function Truncated({ conflict }: { conflict: Conflict }): JSX.Element {
  return (
    <p class="banner tone-attention">
      The contents are too large to show here. You can still {ways(conflict)} or dismiss; each side can be read in full
      at <code>{conflict.incoming.href}</code> and its neighbours.
    </p>
  )
}

function ways({ kind, merged }: Conflict): string {
  if (kind === 'invalid-merge') return 'take back what broke the schema'
  return merged.clean ? 'keep current, take incoming, use the merge' : 'keep current, take incoming'
}
