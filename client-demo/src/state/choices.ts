import { mergeWith } from '../../../server/content/merge.ts'
import { rewritten } from './rewrite.ts'
import { jsonValue } from '../parley/shapes.ts'
import type { Choice, Conflict, Content, JsonValue, Overlap, SideName } from '../parley/types.ts'

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

export function parseJson(text: string): { readonly value: JsonValue } | { readonly error: string } {
  try {
    return { value: jsonValue(JSON.parse(text), 'json') }
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) }
  }
}

/** After the conflict was worked out anew: the picks whose place and sides are still what they were. */
export function carryOver(before: Conflict, after: Conflict, picks: Picks): Picks {
  const known = new Map(before.overlaps.map((overlap) => [overlap.id, fingerprint(overlap)]))
  return Object.fromEntries(
    after.overlaps.flatMap((overlap): [string, OverlapPick][] => {
      const pick = picks[overlap.id]
      return pick !== undefined && known.get(overlap.id) === fingerprint(overlap) ? [[overlap.id, pick]] : []
    }),
  )
}

const fingerprint = ({ base, current, incoming, merged }: Overlap): string =>
  JSON.stringify([base, current, incoming, merged])

/** `problem`: choices that do not fit their place, in words. */
export type Preview = { readonly content: Content } | { readonly problem: string }

/**
 * What the document becomes by these choices, worked out by the very rules the server uses, from the three
 * sides the conflict holds; null where a side was too large to be sent along. An overlap without a choice
 * stays as in current, or where the merge stands in the document as the merge made it.
 */
export function preview(conflict: Conflict, choices: Chosen['choices']): Preview | null {
  if (conflict.kind === 'concurrent-edit') {
    const { content } = conflict.merged
    return content === undefined ? null : { content: rewritten(content, conflict.overlaps, choices) }
  }
  const { base, current, incoming } = conflict
  if (base.content === undefined || current.content === undefined || incoming.content === undefined) return null
  const all = new Map<string, Choice>(conflict.overlaps.map(({ id }) => [id, choices[id] ?? 'current']))
  const { content, errors } = mergeWith(base.content, current.content, incoming.content, all)
  return errors.length === 0 ? { content } : { problem: errors.map(({ message }) => message).join(' ') }
}

/** What stands in the document while the conflict is open: after a live merge, the merge. */
export const standing = (conflict: Conflict): Content | undefined =>
  conflict.kind === 'stale-write' ? conflict.current.content : conflict.merged.content

export const contentText = (content: Content): string =>
  typeof content === 'string' ? content : JSON.stringify(content, null, 2)
