import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { Conflict, SideName } from '../parley/types.ts'
import { contentText } from '../state/contents.ts'
import { SideBySide, UnifiedDiff } from './diffEditor.tsx'
import { useMedia } from './hooks.ts'
import { jsonLook } from './jsonLook.ts'

const PAIRS = [
  { id: 'base-current', a: 'base', b: 'current', words: 'Base → current' },
  { id: 'base-incoming', a: 'base', b: 'incoming', words: 'Base → incoming' },
  { id: 'current-incoming', a: 'current', b: 'incoming', words: 'Current → incoming' },
] as const
/** After a live merge what matters is what became of each side. */
const LIVE_PAIRS = [
  ...PAIRS.slice(0, 2),
  { id: 'current-merged', a: 'current', b: 'merged', words: 'Current → merged' },
  { id: 'incoming-merged', a: 'incoming', b: 'merged', words: 'Incoming → merged' },
] as const

/** What broke the schema; base and current are one. */
const INVALID_PAIRS = [PAIRS[2]] as const
const PAIRS_OF = { 'stale-write': PAIRS, 'concurrent-edit': LIVE_PAIRS, 'invalid-merge': INVALID_PAIRS } as const

const ROOM_FOR_TWO = '(min-width: 64rem)'

/** The whole document, any two sides of it. */
export function Compare({ conflict }: { conflict: Conflict }): JSX.Element {
  const pairs = PAIRS_OF[conflict.kind]
  const [pairId, setPairId] = useState<string>(pairs[0].id)
  const hasRoom = useMedia(ROOM_FOR_TWO)
  const pair = pairs.find(({ id }) => id === pairId) ?? pairs[0]
  const look = conflict.document.kind === 'json' ? { look: jsonLook } : {}
  const text = (side: SideName | 'merged'): string => contentText(conflict[side].content ?? '')
  return (
    <section aria-labelledby="compare-title">
      <div class="section-head">
        <h3 id="compare-title">The whole document</h3>
        <fieldset class="segments">
          <legend class="visually-hidden">Compare</legend>
          {pairs.map(({ id, words }) => (
            <label key={id} class="segment">
              <input type="radio" name="compare" checked={id === pairId} onChange={() => setPairId(id)} />
              <span>{words}</span>
            </label>
          ))}
        </fieldset>
      </div>
      {hasRoom ? (
        <SideBySide key={pair.id} a={text(pair.a)} b={text(pair.b)} labels={[pair.a, pair.b]} {...look} />
      ) : (
        <UnifiedDiff
          key={pair.id}
          original={text(pair.a)}
          value={text(pair.b)}
          label={pair.words}
          testId="compare"
          {...look}
        />
      )}
    </section>
  )
}
