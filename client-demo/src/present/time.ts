const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** Below this a clock that differs a little from the server's would show more than it knows. */
const JUST_NOW_MS = 45_000

/** How long ago an RFC 3339 time was, in words: `just now`, `4 min ago`, `3 h ago`, then the date. */
export function ago(at: string, now: number): string {
  const passedMs = now - Date.parse(at)
  if (Number.isNaN(passedMs)) return at
  if (passedMs < JUST_NOW_MS) return 'just now'
  if (passedMs < HOUR_MS) return `${Math.max(1, Math.round(passedMs / MINUTE_MS))} min ago`
  if (passedMs < DAY_MS) return `${Math.round(passedMs / HOUR_MS)} h ago`
  return new Date(at).toLocaleDateString(undefined, { year: 'numeric', month: 'short', day: 'numeric' })
}
