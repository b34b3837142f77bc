import { Store } from './store.ts'

export interface Notice {
  readonly id: number
  readonly tone: 'info' | 'success' | 'attention' | 'problem'
  readonly text: string
  /** What it is about: a newer notice about the same takes its place. */
  readonly topic?: string
  readonly action?: { readonly label: string; readonly run: () => void }
}

/** More than these at once nobody reads; the oldest goes. */
const MOST_NOTICES = 4
/** How many keys are remembered, to tell the same news only once. */
const REMEMBERED_KEYS = 200
const SHORT_MS = 6_000
const LONG_MS = 12_000

/** What the person is told in passing. Problems stay until they are dismissed. */
export class Notices {
  readonly store = new Store<readonly Notice[]>([])
  readonly #told = new Set<string>()
  #nextId = 1

  /** `key` names the news: the same key is told once. */
  tell(notice: Omit<Notice, 'id'>, key?: string): void {
    if (key !== undefined && !this.#remember(key)) return
    const id = this.#nextId++
    const isOutdated = (other: Notice): boolean =>
      other.text === notice.text || (notice.topic !== undefined && other.topic === notice.topic)
    this.store.update((all) => [...all.filter((other) => !isOutdated(other)), { ...notice, id }].slice(-MOST_NOTICES))
    if (notice.tone !== 'problem') setTimeout(() => this.dismiss(id), notice.action ? LONG_MS : SHORT_MS)
  }

  dismiss(id: number): void {
    this.store.update((all) => all.filter((notice) => notice.id !== id))
  }

  /** Takes back the notices about something that is on the screen now. */
  settle(topic: string): void {
    this.store.update((all) => all.filter((notice) => notice.topic !== topic))
  }

  /** Takes back what has a topic: the screen it was about is left, or shows all of them. */
  leave(): void {
    this.store.update((all) => all.filter(({ topic }) => topic === undefined))
  }

  #remember(key: string): boolean {
    if (this.#told.has(key)) return false
    this.#told.add(key)
    for (const oldest of this.#told) {
      if (this.#told.size <= REMEMBERED_KEYS) break
      this.#told.delete(oldest)
    }
    return true
  }
}
