/**
 * What a resolution wants the document to be where the merge already stands in it (SPEC RES-1): only the places
 * in question are rewritten. Pure.
 */
import type { Comparing } from '../content/comparing.ts'
import type { Content } from '../content/content.ts'
import type { Granularities } from '../content/granularity.ts'
import type { LiveSides } from '../content/liveMerge.ts'
import { assertNever } from '../foundation/assert.ts'
import type { ResolvedContent, Way } from './resolvedContent.ts'

/** The places are not what they were when they were last looked for. */
type MovedPlace = { readonly ok: false; readonly errors: null }
export type ResolvedLiveContent = ResolvedContent | MovedPlace

const MOVED: MovedPlace = { ok: false, errors: null }

/** Of a `concurrent-edit`; `lookedAt` is the content at the version the resolver looked at. */
export async function resolvedLiveContentOf(
  sides: LiveSides,
  granularities: Granularities,
  lookedAt: Content,
  way: Way,
  comparing: Pick<Comparing, 'merge' | 'rewriteLive'>,
): Promise<ResolvedLiveContent> {
  switch (way.use) {
    case 'merged':
      return { ok: true, content: lookedAt }
    case 'content':
      return { ok: true, content: way.content }
    case 'current':
    case 'incoming':
    case 'choices': {
      const choices = way.use === 'choices' ? way.choices : way.use
      const rewritten = await comparing.rewriteLive(sides, granularities, choices)
      if (rewritten.errors.length > 0) return { ok: false, errors: rewritten.errors }
      return moved({ from: sides.seen, to: rewritten.content }, lookedAt, comparing)
    }
    default:
      return assertNever(way)
  }
}

/** Of an `invalid-merge`: `current` takes the entry back that broke the schema, all else keeps what stands. */
export async function invalidTargetOf(
  sides: { readonly current: Content; readonly incoming: Content },
  lookedAt: Content,
  way: Way,
  comparing: Pick<Comparing, 'merge'>,
): Promise<ResolvedLiveContent> {
  switch (way.use) {
    case 'merged':
    case 'incoming':
      return { ok: true, content: lookedAt }
    case 'content':
      return { ok: true, content: way.content }
    case 'current':
      return moved({ from: sides.incoming, to: sides.current }, lookedAt, comparing)
    case 'choices':
      return { ok: false, errors: [...way.choices.keys()].map((overlap) => ({ overlap, message: NO_OVERLAPS })) }
    default:
      return assertNever(way)
  }
}

const NO_OVERLAPS = 'Where the schema is broken nothing overlaps.'

/** The same rewriting in a content that went on from `from`; never over what others wrote at those places. */
async function moved(
  rewriting: { readonly from: Content; readonly to: Content },
  lookedAt: Content,
  comparing: Pick<Comparing, 'merge'>,
): Promise<ResolvedLiveContent> {
  const merged = await comparing.merge({ base: rewriting.from, current: lookedAt, incoming: rewriting.to })
  return merged.clean ? { ok: true, content: merged.content } : MOVED
}
