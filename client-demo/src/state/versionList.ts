import type { Rest } from '../parley/rest.ts'
import type { ListedVersion } from '../parley/types.ts'
import { coalesce } from './coalesce.ts'
import { PagedList } from './pagedList.ts'

export interface VersionListOptions {
  readonly rest: Pick<Rest, 'listVersions'>
  readonly document: string
}

/** However fast somebody types, the list is read so often at most. */
const GATHER_MS = 300

/** The versions of a document, newest first, as far as they were asked for. */
export class VersionList {
  readonly #pages: PagedList<ListedVersion>
  readonly #reread = coalesce(GATHER_MS, () => this.#pages.refresh())

  constructor({ rest, document }: VersionListOptions) {
    this.#pages = new PagedList({
      read: (cursor) => rest.listVersions(document, cursor === undefined ? {} : { cursor }),
      // One row may stand for several that were joined.
      isAtOrBehind: (row, last) => (row.firstVersion ?? row.version) <= last.version,
    })
  }

  get store(): PagedList<ListedVersion>['store'] {
    return this.#pages.store
  }

  /** There are newer ones. */
  refresh(): void {
    this.#reread.wish()
  }

  more(): void {
    void this.#pages.more()
  }

  close(): void {
    this.#reread.close()
  }
}
