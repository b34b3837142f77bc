/** Who made a change, and as which entry of the log. `at` is milliseconds since the epoch. */
export interface Mark {
  readonly version: number
  readonly author: string
  readonly at: number
}

/** An author's part in a place: their newest entry there, and the version of their first. */
export interface Hand {
  readonly by: Mark
  readonly since: number
}

/** Hands in a place, one on top of those before it: so adding one costs nothing, however many there are. */
export interface Trail {
  readonly top: Hand
  readonly under: readonly Trail[]
}

/** `by` on top of trails; who was on top already is there once. */
export function onTop(by: Mark, under: readonly Trail[]): Trail {
  const [only, ...others] = under
  if (only === undefined || others.length > 0 || only.top.by.author !== by.author) return { top: handOf(by), under }
  return { top: { by, since: only.top.since }, under: only.under }
}

/** All hands in trails. */
export function handsIn(trails: readonly Trail[]): Hand[] {
  const hands: Hand[] = []
  const left = [...trails]
  for (let trail = left.pop(); trail; trail = left.pop()) {
    hands.push(trail.top)
    for (const one of trail.under) left.push(one)
  }
  return hands
}

/** One hand an author: their newest entry, and the version of their first. */
export function joined(hands: readonly Hand[]): Hand[] {
  const byAuthor = new Map<string, Hand>()
  for (const hand of hands) {
    const known = byAuthor.get(hand.by.author)
    const by = newer(known?.by ?? null, hand.by) ?? hand.by
    byAuthor.set(hand.by.author, { by, since: Math.min(hand.since, known?.since ?? hand.since) })
  }
  return [...byAuthor.values()]
}

export const handOf = (by: Mark): Hand => ({ by, since: by.version })

/** The authors of hands, in the order of their first entries. */
export function authorsOf(hands: readonly Hand[]): string[] {
  const first = new Map<string, number>()
  for (const { by, since } of hands) first.set(by.author, Math.min(since, first.get(by.author) ?? since))
  return [...first].sort(([, a], [, b]) => a - b).map(([author]) => author)
}

/** The newest entry of all hands. */
export const newestOf = (hands: readonly Hand[]): Mark | null =>
  hands.reduce<Mark | null>((newest, { by }) => newer(newest, by), null)

/** Null is before the first. */
export const newer = (a: Mark | null, b: Mark | null): Mark | null => ((b?.version ?? 0) > (a?.version ?? 0) ? b : a)
