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
