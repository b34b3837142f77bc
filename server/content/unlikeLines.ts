/** Shorter texts are told apart by their lines themselves in a few milliseconds. */
const LONG_UNITS = 200_000
/** A bit for each hash: 140,000 lines set one in a hundred. */
const HASH_BITS = 24
/** A line in so many that seems to stand in both stands there by chance, or as the hash of another. */
const BY_CHANCE = 50

/**
 * Whether next to no line of a long text stands in the other. Costs some 5 ms for 1 MB, where to keep all lines of both in a
 * map takes 60 if they are short. Lines with the same hash are taken for the same: whoever makes such lines only loses this.
 */
export function areUnlike(from: string, to: string): boolean {
  if (Math.min(from.length, to.length) < LONG_UNITS) return false
  const seen = new Uint8Array(2 ** (HASH_BITS - 3))
  hashLines(from, (hash) => {
    seen[hash >>> 3] = (seen[hash >>> 3] ?? 0) | (1 << (hash & 7))
  })
  let [lines, known] = [0, 0]
  hashLines(to, (hash) => {
    lines += 1
    if (((seen[hash >>> 3] ?? 0) & (1 << (hash & 7))) !== 0) known += 1
  })
  return known * BY_CHANCE < lines
}

const NEWLINE = 0x0a

function hashLines(text: string, take: (hash: number) => void): void {
  let hash = 0
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at)
    if (unit === NEWLINE) {
      take(folded(hash))
      hash = 0
    } else hash = Math.imul(hash ^ unit, 0x9e37_79b1) + 1
  }
  take(folded(hash))
}

/** The upper bits, which depend on all units. */
const folded = (hash: number): number => hash >>> (32 - HASH_BITS)
