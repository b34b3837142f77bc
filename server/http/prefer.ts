/** `name=value` or `name="value"` at the start of a preference; parameters after a semicolon are not used. */
const PREFERENCE = /^\s*return\s*=\s*(?:"([^"]*)"|([^\s;"]+))\s*(?:;|$)/i

/**
 * `Prefer: return=minimal` or `return=representation` (RFC 7240 §4.2); null where neither is asked for.
 * Of a preference sent twice the first counts (§2), and what is not understood is ignored.
 */
export function preferredReturn(header: string | string[] | undefined): 'minimal' | 'representation' | null {
  if (header === undefined) return null
  const preferences = (Array.isArray(header) ? header : [header]).join(',').split(',')
  for (const preference of preferences) {
    const match = PREFERENCE.exec(preference)
    if (!match) continue
    const value = (match[1] ?? match[2] ?? '').toLowerCase()
    return value === 'minimal' || value === 'representation' ? value : null
  }
  return null
}
