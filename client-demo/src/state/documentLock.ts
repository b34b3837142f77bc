import { nullable, object, string } from '../parley/readers.ts'
import { ProblemError, type Rest } from '../parley/rest.ts'
import type { Lock, OwnLock, ParleyEvent } from '../parley/types.ts'
import { coalesce } from './coalesce.ts'
import type { KeyedTexts } from './identity.ts'
import { Store } from './store.ts'

/** The lock of a document as this page sees it. */
export interface LockView extends Lock {
  /** Whether it is the person's own: what they write is not barred. */
  readonly isOwn: boolean
  /** Known to the tab that took it. */
  readonly token: string | null
}

export interface DocumentLockOptions {
  readonly document: string
  readonly rest: Rest
  readonly storage: KeyedTexts
  /** The `sub` of whoever sits here. */
  readonly self: () => string
}

/** Long enough to write a passage, short enough that a closed tab bars nobody for long. */
const TTL_SECONDS = 300
const GATHER_MS = 50
/** The end of a lock is told; should that get lost, it is looked for this long after. */
const AFTER_END_MS = 1_500
const kept = object({ fence: string, token: string })

/** The lock of one document: who holds it, and what the person may do about it. */
export class DocumentLock {
  readonly held = new Store<LockView | null>(null)
  readonly #options: DocumentLockOptions
  readonly #reread = coalesce(GATHER_MS, () => this.#read())
  #atEnd: ReturnType<typeof setTimeout> | undefined

  constructor(options: DocumentLockOptions) {
    this.#options = options
  }

  /** The token that goes with writes; null where the person holds no lock in this tab. */
  get token(): string | null {
    return this.held.value?.token ?? null
  }

  refresh(): void {
    this.#reread.wish()
  }

  receive({ type }: ParleyEvent): void {
    if (type === 'parley.document.locked' || type === 'parley.document.unlocked') this.refresh()
  }

  async acquire(): Promise<void> {
    const { rest, document } = this.#options
    try {
      this.#hold(await rest.acquireLock(document, TTL_SECONDS))
    } catch (error) {
      this.refresh()
      throw error
    }
  }

  async renew(): Promise<void> {
    const { rest, document } = this.#options
    if (this.token === null) return
    try {
      this.#hold(await rest.renewLock(document, this.token))
    } catch (error) {
      this.refresh()
      throw error
    }
  }

  async release(): Promise<void> {
    const { rest, document } = this.#options
    const { token } = this
    if (token === null) return
    try {
      await rest.releaseLock(document, token)
      this.#options.storage.removeItem(this.#key)
      this.#show(null)
    } catch (error) {
      this.refresh()
      // It ended by itself meanwhile.
      if (!(error instanceof ProblemError && error.problem.code === 'lock-lost')) throw error
    }
  }

  close(): void {
    this.#reread.close()
    clearTimeout(this.#atEnd)
  }

  async #read(): Promise<void> {
    const { rest, document, self } = this.#options
    const lock = await rest.getLock(document).catch(() => undefined)
    if (lock === undefined) return
    const isOwn = lock?.owner === self()
    this.#show(lock === null ? null : { ...lock, isOwn, token: isOwn ? this.#tokenOf(lock) : null })
  }

  #hold({ token, ...lock }: OwnLock): void {
    // Shown first: a lock that is held and not shown would bar others without a word.
    this.#show({ ...lock, isOwn: true, token })
    this.#options.storage.setItem(this.#key, JSON.stringify({ fence: String(lock.fence), token }))
  }

  #show(view: LockView | null): void {
    clearTimeout(this.#atEnd)
    if (view !== null) {
      const leftMs = Math.max(0, Date.parse(view.expiresAt) - Date.now())
      this.#atEnd = setTimeout(() => this.refresh(), leftMs + AFTER_END_MS)
    }
    this.held.set(view)
  }

  get #key(): string {
    return `parley.lock.${this.#options.document}`
  }

  /** The token survives a reload of the tab that took the lock. */
  #tokenOf({ fence }: Lock): string | null {
    try {
      const read = nullable(kept)(JSON.parse(this.#options.storage.getItem(this.#key) ?? 'null'), this.#key)
      return read !== null && read.fence === String(fence) ? read.token : null
    } catch {
      return null
    }
  }
}
