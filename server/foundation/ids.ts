/**
 * Branded identifiers. A plain string becomes one only through the parser beside it,
 * so an unchecked value cannot travel as an id.
 */
declare const brand: unique symbol
type Branded<T, B extends string> = T & { readonly [brand]: B }

export type DocumentId = Branded<string, 'DocumentId'>
/** `sub` of the token of whoever acts. */
export type PrincipalId = Branded<string, 'PrincipalId'>
/** A position in a document's log; the first creation is 1. */
export type Version = Branded<number, 'Version'>
/** The random tag a document gets at creation. */
export type Incarnation = Branded<string, 'Incarnation'>
/** `cfl_<ulid>` */
export type ConflictId = Branded<string, 'ConflictId'>
/** `prp_<ulid>` */
export type ProposalId = Branded<string, 'ProposalId'>
/** Position of a stored event in the feed: a strictly growing integer, starting at 1. */
export type Sequence = Branded<number, 'Sequence'>
/** SHA-256 of a lock's token in base64url: what is kept and compared in its place. */
export type LockHash = Branded<string, 'LockHash'>

/** SPEC API-6. */
export const DOCUMENT_ID_PATTERN = '^[A-Za-z0-9][A-Za-z0-9._:~-]{0,127}$'
const documentIdRegExp = new RegExp(DOCUMENT_ID_PATTERN)
/** SPEC API-6: an id, or a prefix (may be empty) followed by `*`. */
export const PATTERN_PATTERN = '^([A-Za-z0-9][A-Za-z0-9._:~-]{0,127}|([A-Za-z0-9][A-Za-z0-9._:~-]{0,127})?\\*)$'
const patternRegExp = new RegExp(PATTERN_PATTERN)

export function parseDocumentId(text: string): DocumentId | null {
  return documentIdRegExp.test(text) ? (text as DocumentId) : null
}

/** A pattern over document ids: one id, or every id that starts with a prefix. */
export type Pattern = { readonly exact: DocumentId } | { readonly prefix: string }

export function parsePattern(text: string): Pattern | null {
  if (!patternRegExp.test(text)) return null
  return text.endsWith('*') ? { prefix: text.slice(0, -1) } : { exact: text as DocumentId }
}

export function matchesPattern(pattern: Pattern, id: DocumentId): boolean {
  return 'exact' in pattern ? pattern.exact === id : id.startsWith(pattern.prefix)
}

export function toVersion(n: number): Version {
  if (!Number.isSafeInteger(n) || n < 0) throw new RangeError(`Not a version: ${n}`)
  return n as Version
}
/** The version of a document that does not exist yet. */
export const NO_VERSION = 0 as Version

export const previousVersion = (version: Version): Version => toVersion(version - 1)
export const nextVersion = (version: Version): Version => (version + 1) as Version
export const toPrincipalId = (sub: string): PrincipalId => sub as PrincipalId
export const toIncarnation = (text: string): Incarnation => text as Incarnation
export const toConflictId = (text: string): ConflictId => text as ConflictId
export const toProposalId = (text: string): ProposalId => text as ProposalId
export const toLockHash = (digest: string): LockHash => digest as LockHash
export const toSequence = (n: number): Sequence => n as Sequence
export const trustedDocumentId = (text: string): DocumentId => text as DocumentId

/** The ids that both patterns match, as one pattern; null where there can be none. */
export function intersectPatterns(a: Pattern, b: Pattern): Pattern | null {
  if ('exact' in a) return matchesPattern(b, a.exact) ? a : null
  if ('exact' in b) return matchesPattern(a, b.exact) ? b : null
  if (a.prefix.startsWith(b.prefix)) return a
  return b.prefix.startsWith(a.prefix) ? b : null
}
