/** Yjs client ids and the next clock expected of each. */
export type StateVector = ReadonlyMap<number, number>

/** A set of Yjs clocks by client: ranges in order, none touching the next. */
export type ClockSet = ReadonlyMap<number, readonly ClockSpan[]>

/** `[clock, clock + len)`, as Yjs' delete sets have them. */
export interface ClockSpan {
  readonly clock: number
  readonly len: number
}

/** The set of these ranges, which may come in any order and overlap. */
export function clockSet(ranges: Iterable<readonly [client: number, spans: readonly ClockSpan[]]>): ClockSet {
  const set = new Map<number, ClockSpan[]>()
  for (const [client, spans] of ranges) {
    const joined: ClockSpan[] = []
    for (const span of [...spans].sort((a, b) => a.clock - b.clock)) {
      const last = joined.at(-1)
      if (last && span.clock <= last.clock + last.len) {
        joined[joined.length - 1] = { clock: last.clock, len: Math.max(last.len, span.clock + span.len - last.clock) }
      } else joined.push(span)
    }
    if (joined.length > 0) set.set(client, joined)
  }
  return set
}

/** What is in either. */
export function union(one: ClockSet, other: ClockSet): ClockSet {
  const clients = new Set([...one.keys(), ...other.keys()])
  return clockSet([...clients].map((client) => [client, [...(one.get(client) ?? []), ...(other.get(client) ?? [])]]))
}

/** Whether the set holds the whole range. */
export function holds(set: ClockSet, client: number, { clock, len }: ClockSpan): boolean {
  const spans = set.get(client) ?? []
  const span = spans[firstEndingAfter(spans, clock)]
  return span !== undefined && span.clock <= clock && clock + len <= span.clock + span.len
}

/** What of `spans` is also in `others`, both in order. */
export function common(spans: readonly ClockSpan[], others: readonly ClockSpan[]): ClockSpan[] {
  const shared: ClockSpan[] = []
  for (const span of spans) {
    const end = span.clock + span.len
    for (let i = firstEndingAfter(others, span.clock); i < others.length; i += 1) {
      const other = others[i]
      if (other === undefined || other.clock >= end) break
      const clock = Math.max(span.clock, other.clock)
      shared.push({ clock, len: Math.min(end, other.clock + other.len) - clock })
    }
  }
  return shared
}

/** What of `spans`, below `limit`, is not in `others`, both in order. */
export function without(
  spans: readonly ClockSpan[],
  others: readonly ClockSpan[],
  limit = Number.POSITIVE_INFINITY,
): ClockSpan[] {
  const left: ClockSpan[] = []
  for (const span of spans) {
    const end = Math.min(span.clock + span.len, limit)
    let { clock } = span
    for (let i = firstEndingAfter(others, clock); i < others.length && clock < end; i += 1) {
      const other = others[i]
      if (other === undefined || other.clock >= end) break
      if (other.clock > clock) left.push({ clock, len: other.clock - clock })
      clock = other.clock + other.len
    }
    if (clock < end) left.push({ clock, len: end - clock })
  }
  return left
}

/** Index of the first range that ends after the clock. */
function firstEndingAfter(spans: readonly ClockSpan[], clock: number): number {
  let low = 0
  let high = spans.length
  while (low < high) {
    const middle = (low + high) >> 1
    const span = spans[middle]
    if (span !== undefined && span.clock + span.len > clock) high = middle
    else low = middle + 1
  }
  return low
}
