import type { IncomingHttpHeaders } from 'node:http'

/** The `Lock-Token` of a request as it was sent; null where there is none (SPEC LOCK-2). */
export function lockTokenOf(headers: IncomingHttpHeaders): string | null {
  const header = headers['lock-token']
  return header === undefined ? null : String(header)
}
