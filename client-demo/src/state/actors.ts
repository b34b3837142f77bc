import type { Rest } from '../parley/rest.ts'
import type { ParleyEvent } from '../parley/types.ts'
import { coalesce } from './coalesce.ts'
import type { NameBook } from './names.ts'

export interface ActorsOptions {
  readonly id: string
  readonly rest: Pick<Rest, 'listPeople'>
  readonly nameBook: NameBook
}

/** The news of one moment are read with one request. */
const GATHER_MS = 100

/** What those are called who act on a document. */
export class Actors {
  readonly #options: ActorsOptions
  readonly #reread = coalesce(GATHER_MS, () => this.#read())

  constructor(options: ActorsOptions) {
    this.#options = options
  }

  /** Somebody may be new. */
  refresh(): void {
    this.#reread.wish()
  }

  /** Events name people by `sub`; what somebody new is called is asked for. */
  receive({ data }: ParleyEvent): void {
    const sub = data['by'] ?? data['author']
    if (typeof sub === 'string' && !this.#options.nameBook.isKnown(sub)) this.refresh()
  }

  close(): void {
    this.#reread.close()
  }

  async #read(): Promise<void> {
    const { id, rest, nameBook } = this.#options
    const people = await rest.listPeople(id).catch(() => null)
    if (people !== null) nameBook.learn(people.items)
  }
}
