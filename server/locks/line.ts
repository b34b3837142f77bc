/** Those who wait for one lock, in the order in which they came. */
export class Line<W> {
  readonly #waiters: W[] = []

  get length(): number {
    return this.#waiters.length
  }

  get first(): W | null {
    return this.#waiters[0] ?? null
  }

  join(waiter: W): void {
    this.#waiters.push(waiter)
  }

  /** Whether it stood in the line. */
  leave(waiter: W): boolean {
    const place = this.#waiters.indexOf(waiter)
    if (place === -1) return false
    this.#waiters.splice(place, 1)
    return true
  }

  /** Those for whom `isOver` holds leave; answers each with the place it had, 1 being the first. */
  dismiss(isOver: (waiter: W) => boolean): readonly { readonly waiter: W; readonly place: number }[] {
    const places = this.#waiters.map((waiter, index) => ({ waiter, place: index + 1 }))
    const over = places.filter(({ waiter }) => isOver(waiter))
    for (const { waiter } of over) this.leave(waiter)
    return over
  }
}
