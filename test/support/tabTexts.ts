import type { KeyedTexts } from '../../client-demo/src/state/identity.ts'

/** The storage of a tab over `items`, which takes texts of so many characters and refuses longer ones, as browsers do. */
export const textsIn = (items: Map<string, string>, mostCharacters = Infinity): KeyedTexts => ({
  getItem: (key) => items.get(key) ?? null,
  setItem: (key, text) => {
    if (text.length > mostCharacters) throw new DOMException('full', 'QuotaExceededError')
    items.set(key, text)
  },
  removeItem: (key) => void items.delete(key),
})
