import {
  intersectPatterns,
  matchesPattern,
  parsePattern,
  type DocumentId,
  type Pattern,
  type PrincipalId,
} from '../foundation/ids.ts'
import type { ParleyError } from '../foundation/problems.ts'

export const PERMISSIONS = ['read', 'write', 'resolve', 'overwrite', 'admin'] as const
export type Permission = (typeof PERMISSIONS)[number]

export interface Grant {
  readonly pattern: Pattern
  readonly permissions: ReadonlySet<Permission>
}

/** Who acts and what a verified token lets them do. Times are seconds since the epoch, as in the token. */
export interface Principal {
  readonly sub: PrincipalId
  readonly name: string | null
  readonly grants: readonly Grant[]
  readonly issuedAt: number
  readonly expiresAt: number
  readonly tokenId: string | null
}

/**
 * Verifies a token, at once where it was seen before; throws or rejects with `unauthenticated`. `first` runs before one is
 * looked at that was not, and may refuse that.
 */
export type Authenticate = (token: string, first?: () => void | Promise<void>) => Principal | Promise<Principal>

/** What became of tokens that were verified once (SPEC SYNC-8). */
export interface TokenWatch {
  /** Why the token that named this principal counts no more; null where it does. */
  problemOf(principal: Principal): ParleyError | null
  /** Calls `end` once, with why, as soon as the token counts no more, or a second later. Answers how to stop waiting. */
  whileWaiting(principal: Principal, end: (why: ParleyError) => void): () => void
}

/** SPEC AUTH-1: permissions of all matching patterns add up; `admin` implies all, otherwise none implies another. */
export function can(principal: Principal, permission: Permission, document: DocumentId): boolean {
  return principal.grants.some(
    (grant) =>
      matchesPattern(grant.pattern, document) && (grant.permissions.has(permission) || grant.permissions.has('admin')),
  )
}

/** Whether one grant covers every document (`*`), as creating without an id and issuing tokens need. */
export function canEverywhere(principal: Principal, permission: Permission): boolean {
  return principal.grants.some(
    (grant) =>
      'prefix' in grant.pattern &&
      grant.pattern.prefix === '' &&
      (grant.permissions.has(permission) || grant.permissions.has('admin')),
  )
}

/** The patterns over which the principal holds the permission; lists and feeds are filtered by them. */
export function patternsWith(principal: Principal, permission: Permission): readonly Pattern[] {
  return principal.grants
    .filter((grant) => grant.permissions.has(permission) || grant.permissions.has('admin'))
    .map((grant) => grant.pattern)
}

/** The part of `wanted` over which the principal holds the permission; lists are cut down to it. */
export function patternsWithin(principal: Principal, permission: Permission, wanted: Pattern): readonly Pattern[] {
  return patternsWith(principal, permission)
    .map((pattern) => intersectPatterns(pattern, wanted))
    .filter((pattern) => pattern !== null)
}

/** The `access` claim: `{pattern: permission[]}`; null when it is malformed. */
export function parseAccess(claim: unknown): readonly Grant[] | null {
  if (typeof claim !== 'object' || claim === null || Array.isArray(claim)) return null
  const grants: Grant[] = []
  for (const [text, list] of Object.entries(claim)) {
    const pattern = parsePattern(text)
    if (!pattern || !Array.isArray(list)) return null
    const permissions = new Set<Permission>()
    for (const item of list) {
      const permission = PERMISSIONS.find((known) => known === item)
      if (!permission) return null
      permissions.add(permission)
    }
    grants.push({ pattern, permissions })
  }
  return grants
}

/** SPEC AUTH-3, "No one issues more than they have": whether one grant with `admin` covers the whole pattern. */
export function mayIssueFor(principal: Principal, pattern: Pattern): boolean {
  return patternsWith(principal, 'admin').some((own) => covers(own, pattern))
}

/** Whether every id that `inner` matches is matched by `outer`. */
function covers(outer: Pattern, inner: Pattern): boolean {
  if ('exact' in outer) return 'exact' in inner && inner.exact === outer.exact
  return ('exact' in inner ? inner.exact : inner.prefix).startsWith(outer.prefix)
}
