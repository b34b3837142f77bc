import type { Page } from '../parley/types.ts'
import { Store } from './store.ts'

export interface Paged<T> {
  readonly items: readonly T[]
  readonly hasMore: boolean
  readonly isLoaded: boolean
  /** Why it could not be read the last time; what is shown may be old. */
  readonly problem: unknown
}

export interface PagedListOptions<T> {
  readonly read: (cursor?: string) => Promise<Page<T>>
  /** Whether `item` stands at or behind `last`, in the order in which the server lists them. */
  readonly isAtOrBehind: (item: T, last: T) => boolean
}

/**
 * A list of the server as far as it was asked for. Reading it anew reads all that is shown, and nothing is read beside
 * something else: so no row is shown twice and none is missed, whenever the list changes.
 */
export class PagedList<T> {
  readonly store = new Store<Paged<T>>({ items: [], hasMore: false, isLoaded: false, problem: null })
  readonly #options: PagedListOptions<T>
  #reading: Promise<void> = Promise.resolve()
  #nextCursor: string | undefined = undefined
  /** The last one that was read, also where it is not shown. */
  #last: T | undefined = undefined
  #isMoreWanted = false

  constructor(options: PagedListOptions<T>) {
    this.#options = options
  }

  /** Reads anew what is shown. It settles, whatever comes of it, when what was under way before is done too. */
  refresh(): Promise<void> {
    return this.#inTurn(() => this.#readShown())
  }

  /** Reads the next page; a second wish for it, before it is there, is the same one. */
  async more(): Promise<void> {
    if (this.#isMoreWanted) return
    this.#isMoreWanted = true
    await this.#inTurn(async () => {
      this.#isMoreWanted = false
      if (this.#nextCursor === undefined) return
      const page = await this.#options.read(this.#nextCursor)
      this.#show([...this.store.value.items, ...page.items], page)
    })
  }

  #inTurn(read: () => Promise<void>): Promise<void> {
    this.#reading = this.#reading.then(read).catch((problem: unknown) => {
      this.store.update((known) => ({ ...known, problem }))
    })
    return this.#reading
  }

  async #readShown(): Promise<void> {
    let page = await this.#options.read()
    let { items } = page
    while (page.nextCursor !== undefined && !this.#reachesLast(items)) {
      page = await this.#options.read(page.nextCursor)
      items = [...items, ...page.items]
    }
    this.#show(items, page)
  }

  /** Whether all is there that was shown before. */
  #reachesLast(items: readonly T[]): boolean {
    const item = items.at(-1)
    return this.#last === undefined || (item !== undefined && this.#options.isAtOrBehind(item, this.#last))
  }

  #show(items: readonly T[], { nextCursor }: Page<T>): void {
    this.#nextCursor = nextCursor
    this.#last = items.at(-1)
    this.store.set({ items, hasMore: nextCursor !== undefined, isLoaded: true, problem: null })
  }
}
