import type { Rest } from '../parley/rest.ts'
import type { ListedVersion } from '../parley/types.ts'
import { coalesce } from './coalesce.ts'
import { Store } from './store.ts'

export interface Versions {
  readonly items: readonly ListedVersion[]
  readonly hasMore: boolean
  /** Why they could not be read the last time. */
  readonly problem: unknown
}

export interface VersionListOptions {
  readonly rest: Pick<Rest, 'listVersions'>
  readonly document: string
}

/** However fast somebody types, the list is read so often at most. */
const GATHER_MS = 300

/** The versions of a document, newest first, as far as they were asked for. */
export class VersionList {
  readonly store = new Store<Versions>({ items: [], hasMore: false, problem: null })
  readonly #options: VersionListOptions
  readonly #reread = coalesce(GATHER_MS, () => this.#read())
  #nextCursor: string | undefined = undefined

  constructor(options: VersionListOptions) {
    this.#options = options
  }

  /** There are newer ones. */
  refresh(): void {
    this.#reread.wish()
  }

  more(): void {
    if (this.#nextCursor !== undefined) void this.#readOlder(this.#nextCursor)
  }

  close(): void {
    this.#reread.close()
  }

  /** Older ones that were shown stay shown. */
  async #read(): Promise<void> {
    try {
      const { items, nextCursor } = await this.#options.rest.listVersions(this.#options.document)
      const oldest = items.at(-1)?.version ?? 0
      const older = nextCursor === undefined ? [] : this.store.value.items.filter(({ version }) => version < oldest)
      if (older.length === 0) this.#nextCursor = nextCursor
      this.#show([...items, ...older])
    } catch (problem) {
      this.store.update((known) => ({ ...known, problem }))
    }
  }

  async #readOlder(cursor: string): Promise<void> {
    try {
      const { items, nextCursor } = await this.#options.rest.listVersions(this.#options.document, { cursor })
      this.#nextCursor = nextCursor
      this.#show([...this.store.value.items, ...items])
    } catch (problem) {
      this.store.update((known) => ({ ...known, problem }))
    }
  }

  #show(items: readonly ListedVersion[]): void {
    this.store.set({ items, hasMore: this.#nextCursor !== undefined, problem: null })
  }
}
