/** Places that are taken for a while, by whom they are for: so many of one owner, and so many of all. */
export class OwnedPlaces {
  readonly #most: { readonly ofOne: number; readonly inAll: number }
  readonly #taken = new Map<string, number>()
  #total = 0

  constructor(most: { readonly ofOne: number; readonly inAll: number }) {
    this.#most = most
  }

  /** Those of one owner. */
  takenBy(owner: string): number {
    return this.#taken.get(owner) ?? 0
  }

  /** Takes one; null where none is left. What comes back gives it up again, and is to be called once. */
  take(owner: string): (() => void) | null {
    const own = this.takenBy(owner)
    if (own >= this.#most.ofOne || this.#total >= this.#most.inAll) return null
    this.#total += 1
    this.#taken.set(owner, own + 1)
    return () => {
      this.#total -= 1
      const left = this.takenBy(owner) - 1
      if (left > 0) this.#taken.set(owner, left)
      else this.#taken.delete(owner)
    }
  }
}
