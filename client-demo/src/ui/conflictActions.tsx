import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { Conflict } from '../parley/types.ts'
import { currentWords } from '../present/conflict.ts'
import { chosen, isContent, parseJson } from '../state/choices.ts'
import type { Act, ConflictDesk, Desk } from '../state/conflictDesk.ts'
import { useRun } from './parts.ts'

interface ActionsProps {
  readonly desk: ConflictDesk
  readonly state: Desk
  readonly conflict: Conflict
}

/** The ways to close the conflict, always at hand below it. */
export function ConflictActions({ desk, state, conflict }: ActionsProps): JSX.Element {
  const [comment, setComment] = useState('')
  const run = useRun()
  const act = (what: Act) => (): void => run(() => desk.act(what, comment))
  const isClean = conflict.merged.clean && conflict.kind === 'stale-write'
  // What breaks the schema cannot be kept, and is not there to be chosen.
  const isInvalid = conflict.kind === 'invalid-merge'
  return (
    <div class="actions" role="group" aria-label="Resolve this conflict">
      <input
        class="input comment-input"
        value={comment}
        maxLength={1_000}
        placeholder="Comment (optional)"
        aria-label="Comment for everyone concerned (optional)"
        data-testid="comment"
        onInput={(event) => setComment(event.currentTarget.value)}
      />
      <div class="action-buttons">
        <button class="button quiet" disabled={state.busy} onClick={act({ dismiss: true })} data-testid="dismiss">
          Dismiss
        </button>
        <button
          class={isInvalid && state.ownResult === null ? 'button primary' : 'button'}
          disabled={state.busy}
          onClick={act({ use: 'current' })}
          data-testid="keep-current"
        >
          {currentWords(conflict.kind)}
        </button>
        {!isInvalid && (
          <button class="button" disabled={state.busy} onClick={act({ use: 'incoming' })} data-testid="take-incoming">
            Take incoming
          </button>
        )}
        <Primary state={state} conflict={conflict} isClean={isClean} act={act} />
      </div>
    </div>
  )
}

interface PrimaryProps {
  readonly state: Desk
  readonly conflict: Conflict
  readonly isClean: boolean
  readonly act: (what: Act) => () => void
}

/** The one that uses what was prepared above: the hand-made result, the merge, or the choices once there are some. */
function Primary({ state, conflict, isClean, act }: PrimaryProps): JSX.Element | null {
  if (state.ownResult !== null) {
    const parsed = conflict.document.kind === 'json' ? parseJson(state.ownResult) : { value: state.ownResult }
    const content = 'value' in parsed && isContent(parsed.value) ? parsed.value : null
    return (
      <button
        class="button primary"
        disabled={state.busy || content === null}
        onClick={content === null ? undefined : act({ use: 'content', content })}
        data-testid="apply-result"
      >
        Use this result
      </button>
    )
  }
  if (isClean) {
    return (
      <button class="button primary" disabled={state.busy} onClick={act({ use: 'merged' })} data-testid="use-merge">
        Use merge
      </button>
    )
  }
  if (conflict.overlaps.length === 0) return null
  const { missing, invalid } = chosen(conflict.overlaps, state.picks)
  if (conflict.kind === 'concurrent-edit' && missing === conflict.overlaps.length) {
    return (
      <button class="button primary" disabled={state.busy} onClick={act({ use: 'merged' })} data-testid="keep-merge">
        Keep the merge
      </button>
    )
  }
  const isReady = missing === 0 && Object.keys(invalid).length === 0
  return (
    <button
      class="button primary"
      disabled={state.busy || !isReady}
      onClick={act({ use: 'choices' })}
      title={isReady ? undefined : 'Choose at every place first'}
      data-testid="apply-choices"
    >
      Apply choices
    </button>
  )
}
