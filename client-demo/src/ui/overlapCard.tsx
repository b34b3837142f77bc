import type { JSX } from 'preact'
import { currentWords, peopleOf, place } from '../present/conflict.ts'
import { mergedStretches, sideStretches, sideText, type Stretch } from '../present/highlight.ts'
import { SIDES, type Conflict, type Overlap, type SideName } from '../parley/types.ts'
import type { OverlapPick } from '../state/choices.ts'
import { parseJson } from '../state/contents.ts'
import type { Chosen } from '../state/chosenIn.ts'
import { CHOSEN_WORDS } from './ending.tsx'
import { useNames } from './parts.ts'

interface CardProps {
  readonly conflict: Conflict
  readonly overlap: Overlap
  readonly pick: OverlapPick | null
  /** What was written for this place, whatever is picked now. */
  readonly ownText: string | null
  /** What was chosen, once the conflict is resolved. */
  readonly chosen: Chosen | null
  /** Nothing can be chosen any more: the conflict is closed. */
  readonly isClosed: boolean
  readonly isBusy: boolean
  readonly onPick: (pick: OverlapPick) => void
}

const NAMES: Readonly<Record<SideName, string>> = { base: 'Base', current: 'Current', incoming: 'Incoming' }

/** One place where the changes overlap: the three sides, and what should stand there. */
export function OverlapCard(props: CardProps): JSX.Element {
  const { conflict, overlap, pick, ownText, chosen, isClosed, isBusy, onPick } = props
  const names = useNames()
  const choices = { base: 'Back to base', current: currentWords(conflict.kind), incoming: 'Take incoming' }
  const others = 'authors' in overlap && overlap.authors.length > 0 ? overlap.authors : conflict.current.authors
  const writers = {
    base: null,
    current: `by ${peopleOf(others, names)}`,
    incoming: `by ${peopleOf(conflict.incoming.authors, names)}`,
  }
  return (
    <fieldset class="overlap" disabled={isBusy || isClosed} data-testid="overlap" data-id={overlap.id}>
      <legend class={'pointer' in overlap ? 'mono' : undefined}>
        {place(overlap)}
        {chosen !== null && (
          <span class="tag chosen" data-testid="chosen" data-chosen={chosen}>
            {CHOSEN_WORDS[chosen]}
          </span>
        )}
      </legend>
      {conflict.kind === 'concurrent-edit' && <Merged overlap={overlap} isClosed={isClosed} />}
      <div class="overlap-sides">
        {SIDES.map((side) => (
          <label key={side} class={`choice side-${side}${chosen === side ? ' is-chosen' : ''}`}>
            <span class="choice-head">
              {!isClosed && (
                <input
                  type="radio"
                  name={`pick-${overlap.id}`}
                  checked={pick?.from === side}
                  onChange={() => onPick({ from: side })}
                  data-testid={`pick-${side}`}
                  aria-label={`${choices[side]} at ${place(overlap)}`}
                />
              )}
              <span class="side-name">{NAMES[side]}</span>
              <span class="choice-words muted">{writers[side] ?? (!isClosed && choices[side])}</span>
            </span>
            <SideContent overlap={overlap} side={side} />
          </label>
        ))}
      </div>
      {!isClosed && <OwnWords overlap={overlap} pick={pick} ownText={ownText} onPick={onPick} />}
    </fieldset>
  )
}

/** What the merge made of the place: nobody chose it, so it stands above what can be chosen. */
function Merged({ overlap, isClosed }: Pick<CardProps, 'overlap' | 'isClosed'>): JSX.Element {
  return (
    <div class="merged" data-testid="merged">
      <p class="choice-head">
        <span class="side-name">Merged</span>
        <span class="choice-words muted">{isClosed ? 'what the merge made' : 'what stands in the document now'}</span>
      </p>
      <Written stretches={mergedStretches(overlap)} nothing={'pointer' in overlap ? 'not there' : 'no lines here'} />
    </div>
  )
}

function SideContent({ overlap, side }: { overlap: Overlap; side: SideName }): JSX.Element {
  const nothing = 'pointer' in overlap ? 'not there' : side === 'base' ? 'no lines here' : 'lines removed'
  return <Written stretches={sideStretches(overlap, side)} nothing={nothing} />
}

function Written({ stretches, nothing }: { stretches: readonly Stretch[] | null; nothing: string }): JSX.Element {
  if (stretches === null) return <em class="side-nothing">{nothing}</em>
  if (stretches.length === 0) return <em class="side-nothing">an empty line</em>
  return (
    <pre class="side-text">
      {stretches.map(({ text, changed }, index) => (changed ? <mark key={index}>{text}</mark> : text))}
    </pre>
  )
}

function OwnWords(props: Pick<CardProps, 'overlap' | 'pick' | 'ownText' | 'onPick'>): JSX.Element {
  const { overlap, pick, ownText, onPick } = props
  const isOwn = pick?.from === 'own'
  const start = ownText ?? sideText(overlap, pick !== null && pick.from !== 'own' ? pick.from : 'current') ?? ''
  const text = isOwn ? pick.text : start
  const parsed = isOwn && 'pointer' in overlap ? parseJson(pick.text) : null
  const problem = parsed !== null && 'error' in parsed ? parsed.error : null
  return (
    <div class="own">
      <label class="choice-head">
        <input
          type="radio"
          name={`pick-${overlap.id}`}
          checked={isOwn}
          onChange={() => onPick({ from: 'own', text: start })}
          data-testid="pick-own"
        />
        <span class="side-name">Something else</span>
        <span class="choice-words muted">{ownText === null ? 'write it yourself' : 'as you wrote it'}</span>
      </label>
      {isOwn && (
        <>
          <textarea
            class="input mono"
            rows={Math.min(12, Math.max(2, text.split('\n').length + 1))}
            value={text}
            spellcheck={false}
            aria-label={`What should stand at ${place(overlap)}`}
            aria-invalid={problem !== null}
            data-testid="own-text"
            onInput={(event) => onPick({ from: 'own', text: event.currentTarget.value })}
          />
          {problem !== null && (
            <p class="field-problem" role="alert">
              Not JSON yet: {problem}
            </p>
          )}
        </>
      )}
    </div>
  )
}
