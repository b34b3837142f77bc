/** Finds the items of a list that are so, beside any place in it. */
export interface Nearest {
  /** The last one before a place; -1 where there is none. */
  before(place: number): number
  /** The first one from a place on; the length of the list where there is none. */
  from(place: number): number
}

/** Goes through the list once, so that each question costs nothing. */
export function nearest<T>(items: readonly T[], isSo: (item: T) => boolean): Nearest {
  const before = new Int32Array(items.length + 1).fill(-1)
  const from = new Int32Array(items.length + 1).fill(items.length)
  items.forEach((item, i) => {
    before[i + 1] = isSo(item) ? i : (before[i] ?? -1)
  })
  for (let i = items.length - 1; i >= 0; i -= 1) from[i] = before[i + 1] === i ? i : (from[i + 1] ?? items.length)
  return {
    before: (place) => before[place] ?? -1,
    from: (place) => from[place] ?? items.length,
  }
}
