import type { Principal } from '../../server/access/access.ts'
import { invariant } from '../../server/foundation/assert.ts'
import { parsePattern, toPrincipalId } from '../../server/foundation/ids.ts'

interface Reader {
  readonly sub?: string
  /** Joined by commas. */
  readonly patterns?: string
  /** Seconds since the epoch. */
  readonly expiresAt?: number
}

/** Someone who may read, as a verified token tells; everything and for ever by default. */
export const readerOf = ({ sub = 'alice', patterns = '*', expiresAt = 9_999_999_999 }: Reader = {}): Principal => ({
  sub: toPrincipalId(sub),
  name: null,
  grants: patterns.split(',').map((text) => {
    const pattern = parsePattern(text)
    invariant(pattern !== null, `${text} is a pattern`)
    return { pattern, permissions: new Set(['read'] as const) }
  }),
  issuedAt: 0,
  expiresAt,
  tokenId: null,
})
