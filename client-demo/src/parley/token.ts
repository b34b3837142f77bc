import { list, object, string, UnexpectedShape, type Reader } from './readers.ts'

export const PERMISSIONS = ['read', 'write', 'resolve', 'overwrite', 'admin'] as const
export type Permission = (typeof PERMISSIONS)[number]

/** What a token says of whom it names; the server judges it, this only reads it, to offer what will not be refused. */
export interface TokenClaims {
  readonly sub: string
  readonly name: string | null
  /** Milliseconds since the epoch; null where it does not say. */
  readonly expiresAtMs: number | null
  /** Permissions by pattern: an id, or a prefix followed by `*`. */
  readonly access: Readonly<Record<string, readonly string[]>>
}

const access: Reader<TokenClaims['access']> = (value, at) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {}
  return Object.fromEntries(
    Object.entries(value).map(([pattern, permissions]) => [pattern, list(string)(permissions, `${at}/${pattern}`)]),
  )
}
const exp: Reader<number | null> = (value) => (typeof value === 'number' ? value * 1_000 : null)
const name: Reader<string | null> = (value) => (typeof value === 'string' && value !== '' ? value : null)
const claims = object({ sub: string, exp, name, access })

/** The claims of a JWT (SPEC AUTH-1), unverified; null where it is none. */
export function readToken(token: string): TokenClaims | null {
  try {
    const read = claims(payloadOf(token), 'token')
    return read.sub === '' ? null : { sub: read.sub, name: read.name, expiresAtMs: read.exp, access: read.access }
  } catch (error) {
    if (error instanceof UnexpectedShape) return null
    throw error
  }
}

/** Permissions of all patterns that match add up; `admin` implies all, and without `read` there are none. */
export function permissionsOn(token: string, documentId: string): ReadonlySet<Permission> {
  const given = Object.entries(readToken(token)?.access ?? {})
    .filter(([pattern]) => matches(pattern, documentId))
    .flatMap(([, permissions]) => permissions)
  if (given.includes('admin')) return new Set(PERMISSIONS)
  return new Set(given.includes('read') ? PERMISSIONS.filter((permission) => given.includes(permission)) : [])
}

/** Whether the token may do this on some documents; which ones can only be told by their ids. */
export function maySomewhere(token: string, permission: Permission): boolean {
  return Object.keys(readToken(token)?.access ?? {}).some((pattern) =>
    permissionsOn(token, pattern.replace(/\*$/, '')).has(permission),
  )
}

const matches = (pattern: string, id: string): boolean =>
  pattern.endsWith('*') ? id.startsWith(pattern.slice(0, -1)) : id === pattern

function payloadOf(token: string): unknown {
  const part = token.split('.')[1]
  if (part === undefined) return null
  try {
    const bytes = Uint8Array.from(atob(part.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0))
    return JSON.parse(new TextDecoder().decode(bytes)) as unknown
  } catch {
    return null
  }
}
