import type { KeyedTexts } from './identity.ts'

/**
 * The storage of a tab, which takes whatever it is given: what the browser has no room for is kept for as long as the page
 * lives. So nothing that goes on because something was stored stops there.
 */
export class TabTexts implements KeyedTexts {
  readonly #storage: KeyedTexts
  readonly #homeless = new Map<string, string>()

  constructor(storage: KeyedTexts) {
    this.#storage = storage
  }

  getItem(key: string): string | null {
    return this.#homeless.get(key) ?? this.#storage.getItem(key)
  }

  setItem(key: string, text: string): void {
    this.removeItem(key)
    try {
      this.#storage.setItem(key, text)
    } catch {
      this.#homeless.set(key, text)
    }
  }

  removeItem(key: string): void {
    this.#homeless.delete(key)
    this.#storage.removeItem(key)
  }
}
