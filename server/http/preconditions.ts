import { withoutCoding } from './compression.ts'

/** One entity tag of a conditional header, without its quotes (RFC 9110 §8.8.3), as it was before somebody compressed. */
export interface EntityTag {
  readonly weak: boolean
  readonly tag: string
}

/** `If-Match` or `If-None-Match` as sent. `detail` of a malformed one is for the 400 it deserves. */
export type HeaderPrecondition =
  | { readonly kind: 'any' }
  | { readonly kind: 'tags'; readonly tags: readonly EntityTag[] }
  | { readonly kind: 'malformed'; readonly detail: string }

/**
 * `If-Match` (RFC 9110 §13.1.1): `*` or a list of entity tags. Repeated header lines arrive joined by commas
 * (§5.3), which is how Node hands them over. Which tags count is the caller's to judge: a weak one never matches.
 */
export const parseIfMatch = (header: string): HeaderPrecondition => parseTags('If-Match', header)

/** `If-None-Match` (RFC 9110 §13.1.2), which is of the same form. */
export const parseIfNoneMatch = (header: string): HeaderPrecondition => parseTags('If-None-Match', header)

/** Whether the current tag is named, by weak comparison as §13.1.2 demands for `If-None-Match`. */
export function namesTag(precondition: HeaderPrecondition, current: string): boolean {
  switch (precondition.kind) {
    case 'any':
      return true
    case 'tags':
      return precondition.tags.some(({ tag }) => tag === current)
    case 'malformed':
      return false
  }
}

/** An etag as headers carry it: quoted and strong. */
export const quote = (etag: string): string => `"${etag}"`

/** `W/` is case-sensitive; etagc is any visible ASCII but the quote, and obs-text. */
const ENTITY_TAG = /^(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"/

function parseTags(name: string, header: string): HeaderPrecondition {
  const trimmed = header.trim()
  if (trimmed === '*') return { kind: 'any' }
  const tags: EntityTag[] = []
  let rest = trimmed
  while (rest !== '') {
    const match = ENTITY_TAG.exec(rest)
    // Empty list elements are to be ignored (§5.6.1.2).
    const after = match ? rest.slice(match[0].length).trimStart() : rest
    if (match) tags.push({ weak: match[1] !== undefined, tag: withoutCoding(match[2] ?? '') })
    if (after !== '' && !after.startsWith(',')) return malformed(name)
    rest = after.slice(1).trimStart()
  }
  return tags.length > 0 ? { kind: 'tags', tags } : malformed(name)
}

const malformed = (name: string): HeaderPrecondition => ({
  kind: 'malformed',
  detail: `${name} is \`*\` or a list of entity tags in double quotes, like "abc-7".`,
})
