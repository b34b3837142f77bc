import type { JSX } from 'preact'
import type { Conflict } from '../parley/types.ts'
import { applyWords, isUrged, proposeWords, wayWords, waysOf, type Way } from '../present/ways.ts'
import { chosen } from '../state/choices.ts'
import { isContent, parseJson } from '../state/contents.ts'
import { wayOf, type Act, type ConflictDesk, type Desk } from '../state/conflictDesk.ts'
import type { Allowed } from './allowed.ts'
import { LockedWords } from './lockedWords.tsx'
import { useRun } from './parts.ts'

interface ActionsProps {
  readonly desk: ConflictDesk
  readonly state: Desk
  readonly conflict: Conflict
  readonly allowed: Allowed
  /** A way was picked: what it comes to is shown. */
  readonly onChoose: () => void
}

/** The ways to close the conflict, always at hand below it. Picking one shows what it comes to; the button does it. */
export function ConflictActions({ desk, state, conflict, allowed, onChoose }: ActionsProps): JSX.Element {
  const ways = allowedWays(conflict, allowed)
  const picked = wayOf(state)
  const way = picked !== null && ways.includes(picked) ? picked : (ways[0] ?? null)
  if (way === null) {
    return (
      <p class="actions muted" data-testid="no-rights">
        You may read this. Someone who may resolve decides.
      </p>
    )
  }
  const choose = (name: Way) => (): void => {
    desk.choose(name)
    onChoose()
  }
  return (
    <div class="actions" role="group" aria-label="Resolve this conflict">
      <fieldset class="ways" disabled={state.busy} data-testid="ways">
        <legend class="visually-hidden">What should become of it</legend>
        {ways.map((name) => (
          <label key={name} class="way">
            <input type="radio" name="way" checked={name === way} onChange={choose(name)} data-testid={`way-${name}`} />
            <span>{wayWords(name, conflict.kind)}</span>
          </label>
        ))}
      </fieldset>
      <div class="action-row">
        <input
          class="input comment-input"
          value={state.comment}
          maxLength={1_000}
          placeholder="Comment (optional)"
          aria-label="Comment for everyone concerned (optional)"
          data-testid="comment"
          onInput={(event) => desk.writeComment(event.currentTarget.value)}
        />
        <Apply desk={desk} state={state} conflict={conflict} way={way} allowed={allowed} />
      </div>
      {isBarred(way, allowed) && allowed.barredBy !== null && (
        <p class="muted">
          <LockedWords lock={allowed.barredBy} what="It can be resolved when the lock ends." />
        </p>
      )}
    </div>
  )
}

/** Those that the server takes of whoever sits here; who wrote what was refused may take it back. */
function allowedWays(conflict: Conflict, { self, mayResolve, mayWrite }: Allowed): readonly Way[] {
  const isAuthor = conflict.incoming.authors.includes(self)
  return waysOf(conflict).filter((way) => (way === 'dismiss' ? mayResolve || isAuthor : mayResolve || mayWrite))
}

/** Dismissing writes nothing, nor does a proposal. */
const isBarred = (way: Way, { barredBy, mayResolve }: Allowed): boolean =>
  barredBy !== null && mayResolve && way !== 'dismiss'

interface ApplyProps {
  readonly desk: ConflictDesk
  readonly state: Desk
  readonly conflict: Conflict
  readonly way: Way
  readonly allowed: Allowed
}

function Apply({ desk, state, conflict, way, allowed }: ApplyProps): JSX.Element {
  const run = useRun()
  const act = actOf(way, state, conflict)
  const missing = way === 'choices' ? chosen(conflict.overlaps, state.picks).missing : 0
  const words =
    missing === 0
      ? (allowed.mayResolve ? applyWords : proposeWords)(way, conflict.kind)
      : `${missing} place${missing === 1 ? '' : 's'} to choose`
  return (
    <button
      class={isUrged(way, conflict.kind) ? 'button primary' : 'button'}
      disabled={state.busy || act === null || isBarred(way, allowed)}
      onClick={act === null ? undefined : () => run(() => desk.act(act, state.comment))}
      data-testid="apply"
      data-way={way}
    >
      {words}
    </button>
  )
}

/** What the button sends; null while that is not complete. */
function actOf(way: Way, { picks, ownResult }: Desk, { overlaps, document }: Conflict): Act | null {
  if (way === 'dismiss') return { dismiss: true }
  if (way === 'choices') {
    const { missing, invalid } = chosen(overlaps, picks)
    return missing === 0 && Object.keys(invalid).length === 0 ? { use: 'choices' } : null
  }
  if (way !== 'hand') return { use: way }
  if (ownResult === null) return null
  const parsed = document.kind === 'json' ? parseJson(ownResult) : { value: ownResult }
  return 'value' in parsed && isContent(parsed.value) ? { use: 'content', content: parsed.value } : null
}
