import { merge, mergeWith } from '../../../server/content/merge.ts'
import { rewritten } from './rewrite.ts'
import { contentText, isContent, parseJson } from './contents.ts'
import type { Choice, Conflict, Content, Overlap, SideName } from '../parley/types.ts'

/** What the person picked at one overlap: a side, or words of their own (JSON text where the document is json). */
export type OverlapPick = { readonly from: SideName } | { readonly from: 'own'; readonly text: string }
/** By overlap id. */
export type Picks = Readonly<Record<string, OverlapPick>>

export interface Chosen {
  readonly choices: Readonly<Record<string, Choice>>
  /** Overlaps without a pick. */
  readonly missing: number
  /** Overlaps whose own words are no JSON, with the reason. */
  readonly invalid: Readonly<Record<string, string>>
}

/** The picks as the API takes them. */
export function chosen(overlaps: readonly Overlap[], picks: Picks): Chosen {
  const choices: Record<string, Choice> = {}
  const invalid: Record<string, string> = {}
  let missing = 0
  for (const overlap of overlaps) {
    const pick = picks[overlap.id]
    if (pick === undefined) missing += 1
    else if (pick.from !== 'own') choices[overlap.id] = pick.from
    else if (!('pointer' in overlap)) choices[overlap.id] = { text: pick.text }
    else {
      const parsed = parseJson(pick.text)
      if ('error' in parsed) invalid[overlap.id] = parsed.error
      else choices[overlap.id] = { value: parsed.value }
    }
  }
  return { choices, missing, invalid }
}

/** After the conflict was worked out anew: the picks whose place and sides are still what they were. */
export const carryOver = (before: Conflict, after: Conflict, picks: Picks): Picks =>
  stillFit(after, picks, new Map(before.overlaps.map((overlap) => [overlap.id, fingerprint(overlap)])))

/** `known`: by overlap id what the place was when it was picked. */
export function stillFit({ overlaps }: Conflict, picks: Picks, known: ReadonlyMap<string, string>): Picks {
  return Object.fromEntries(
    overlaps.flatMap((overlap): [string, OverlapPick][] => {
      const pick = picks[overlap.id]
      return pick !== undefined && known.get(overlap.id) === fingerprint(overlap) ? [[overlap.id, pick]] : []
    }),
  )
}

/** The same place with the same sides has the same. */
export const fingerprint = ({ base, current, incoming, merged }: Overlap): string =>
  JSON.stringify([base, current, incoming, merged])

/** `problem`: choices that do not fit their place, in words. */
export type Preview = { readonly content: Content } | { readonly problem: string }

/**
 * What the document as it was `seen` becomes by these choices, worked out by the very rules the server uses, from
 * the three sides the conflict holds; null where one was too large to be sent along. An overlap without a choice
 * stays as in current, or where the merge stands in the document as the merge made it. Of content that breaks its
 * schema, where there is nothing to choose: what it becomes when that is taken back.
 */
export function preview(conflict: Conflict, choices: Chosen['choices'], seen: Content | undefined): Preview | null {
  const { base, current, incoming, merged } = conflict
  if (base.content === undefined || current.content === undefined || incoming.content === undefined) return null
  if (merged.content === undefined || seen === undefined) return null
  if (conflict.kind === 'concurrent-edit') {
    return goneOn(merged.content, rewritten(merged.content, conflict.overlaps, choices), seen)
  }
  if (conflict.kind === 'invalid-merge') return goneOn(incoming.content, current.content, seen)
  const all = new Map<string, Choice>(conflict.overlaps.map(({ id }) => [id, choices[id] ?? 'current']))
  const { content, errors } = mergeWith(base.content, current.content, incoming.content, all)
  return errors.length === 0 ? { content } : { problem: errors.map(({ message }) => message).join(' ') }
}

/** The same rewriting of a document that went on; never over what others wrote at those places. */
function goneOn(from: Content, to: Content, seen: Content): Preview {
  const merged = merge(from, seen, to)
  return merged.clean ? { content: merged.content } : { problem: 'Someone wrote in the same place since.' }
}

/**
 * A result made by hand from a content that went on: with all that others wrote elsewhere, and as it was written where
 * both wrote. One that is no JSON stays as it is.
 */
export function carriedOn(own: string, from: Content, to: Content): string {
  const parsed = typeof from === 'string' ? { value: own } : parseJson(own)
  if ('error' in parsed || !isContent(parsed.value)) return own
  const { overlaps } = merge(from, to, parsed.value)
  const { content } = mergeWith(from, to, parsed.value, new Map(overlaps.map(({ id }) => [id, 'incoming'])))
  return contentText(content)
}
