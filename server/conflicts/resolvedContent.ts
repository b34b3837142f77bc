/**
 * What a resolution wants the document to be, worked out afresh from the conflict and the content the
 * resolver looked at (SPEC RES-1, RES-5). Pure.
 */
import type { Comparing } from '../content/comparing.ts'
import type { Content } from '../content/content.ts'
import type { Choice, ChoiceError } from '../content/merge.ts'
import { assertNever } from '../foundation/assert.ts'
import { ParleyError } from '../foundation/problems.ts'

/** Ids of overlaps named in one refusal. */
const MAX_ERROR_CHARACTERS = 1024 * 1024

/** How a conflict shall be resolved. */
export type Way =
  | { readonly use: 'current' | 'incoming' | 'merged' }
  | { readonly use: 'content'; readonly content: Content }
  | { readonly use: 'choices'; readonly choices: ReadonlyMap<string, Choice> }

export type ResolvedContent =
  | { readonly ok: true; readonly content: Content }
  | { readonly ok: false; readonly errors: readonly ChoiceError[] }

/** `lookedAt` is the content at the version the resolver looked at. */
export async function resolvedContentOf(
  conflict: { readonly base: Content; readonly incoming: Content },
  lookedAt: Content,
  way: Way,
  comparing: Pick<Comparing, 'merge' | 'mergeWith'>,
): Promise<ResolvedContent> {
  const { base, incoming } = conflict
  const sides = { base, current: lookedAt, incoming }
  switch (way.use) {
    case 'current':
      return { ok: true, content: lookedAt }
    case 'incoming':
      return { ok: true, content: incoming }
    case 'content':
      return { ok: true, content: way.content }
    case 'merged': {
      const merged = await comparing.merge(sides)
      if (merged.clean) return { ok: true, content: merged.content }
      const message = 'both sides changed this place; choose one'
      return { ok: false, errors: merged.overlaps.map((overlap) => ({ overlap, message })) }
    }
    case 'choices': {
      const chosen = await comparing.mergeWith(sides, way.choices)
      return chosen.errors.length === 0 ? { ok: true, content: chosen.content } : { ok: false, errors: chosen.errors }
    }
    default:
      return assertNever(way)
  }
}

/** The refusal that names each of these (SPEC RES-5). */
export function invalidResolution(errors: readonly ChoiceError[]): ParleyError {
  const detail = `The resolution cannot be applied; \`errors\` names ${errors.length} overlap(s), choice(s) or proposal(s).`
  return new ParleyError('invalid-resolution', detail, { extras: { errors: withinCharacters(errors) } })
}

/** The first of the errors, as far as the ids in them fit: a key in a pointer may be as long as a content. */
function withinCharacters(errors: readonly ChoiceError[]): readonly ChoiceError[] {
  let roomCharacters = MAX_ERROR_CHARACTERS
  const end = errors.findIndex(({ overlap }) => (roomCharacters -= overlap.length) < 0)
  return end === -1 ? errors : errors.slice(0, end)
}
