import { fork, type ChildProcess } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { childUrl } from './children.ts'
import type { Kind, PageOptions, Place } from './linePage.ts'

/** What a page does when its process goes on: at once, or once it has read what others wrote. */
export interface Waking {
  readonly kind: Kind
  readonly place: Place
  readonly first: 'edits' | 'reads'
  readonly isWrittenTo: boolean
}

/** What the process of the pages is told. */
export type PagesOrder =
  | { readonly do: 'open'; readonly page: number; readonly options: PageOptions; readonly waking: Waking }
  | { readonly do: 'tell'; readonly page: number }
  | { readonly do: 'suspend' }
  | { readonly do: 'close'; readonly page: number }

/** What it tells of a page; `page` is -1 when all of them are about to be suspended. */
export interface Told {
  readonly page: number
  readonly isSynced: boolean
  readonly hasEdited: boolean
  readonly snapshot: Uint8Array
}

/** Pages with stock clients in a process of their own, which the system suspends. */
export class SuspendedPages {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, ((told: Told) => void)[]>()
  #count = 0

  constructor() {
    this.#child = fork(childUrl('pagesChild'), { serialization: 'advanced' })
    this.#child.on('message', (told: Told) => {
      const waiting = this.#waiting.get(told.page) ?? []
      this.#waiting.delete(told.page)
      for (const one of waiting) one(told)
    })
  }

  open(options: PageOptions, waking: Waking): SuspendedPage {
    const page = this.#count++
    this.#order({ do: 'open', page, options, waking })
    return {
      isSynced: async () => (await this.#ask(page, { do: 'tell', page })).isSynced,
      hasEdited: async () => (await this.#ask(page, { do: 'tell', page })).hasEdited,
      snapshot: async () => (await this.#ask(page, { do: 'tell', page })).snapshot,
      destroy: () => this.#order({ do: 'close', page }),
    }
  }

  /** Resolves when none of them does anything any more: it tells so before it stops, and on a busy machine long before. */
  async suspend(): Promise<void> {
    await this.#ask(-1, { do: 'suspend' })
    while (!this.#isStopped()) await pause(5)
  }

  /** Linux says so behind the name of the command; elsewhere it is taken for granted. */
  #isStopped(): boolean {
    const file = `/proc/${this.#child.pid}/stat`
    return !existsSync(file) || /\) T /.test(readFileSync(file, 'utf8'))
  }

  /** Each edits in the very turn in which it was suspended, or once it has read. */
  async goOn(): Promise<void> {
    this.#child.kill('SIGCONT')
  }

  async end(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGKILL')
    await gone
  }

  #order(order: PagesOrder): void {
    if (this.#child.connected) this.#child.send(order)
  }

  #ask(page: number, order: PagesOrder): Promise<Told> {
    return new Promise((resolve) => {
      this.#waiting.set(page, [...(this.#waiting.get(page) ?? []), resolve])
      this.#order(order)
    })
  }
}

export interface SuspendedPage {
  isSynced(): Promise<boolean>
  hasEdited(): Promise<boolean>
  snapshot(): Promise<Uint8Array>
  destroy(): void
}
