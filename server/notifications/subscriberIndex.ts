import type { DocumentId, Pattern } from '../foundation/ids.ts'

/**
 * Who asks for which documents. Finding those who ask for one document costs a look-up for each character of
 * its id, however many subscribers and prefixes there are.
 */
export class SubscriberIndex<T> {
  readonly #exact = new Map<DocumentId, Set<T>>()
  readonly #prefixes = new Map<string, Set<T>>()
  readonly #subscribers = new Set<T>()

  /** How many there are. */
  get size(): number {
    return this.#subscribers.size
  }

  /** `patterns` must be disjoint (see `disjointPatterns`), so that no document finds the subscriber twice. */
  add(patterns: readonly Pattern[], subscriber: T): void {
    this.#subscribers.add(subscriber)
    for (const pattern of patterns) {
      if ('exact' in pattern) addTo(this.#exact, pattern.exact, subscriber)
      else addTo(this.#prefixes, pattern.prefix, subscriber)
    }
  }

  remove(patterns: readonly Pattern[], subscriber: T): void {
    this.#subscribers.delete(subscriber)
    for (const pattern of patterns) {
      if ('exact' in pattern) removeFrom(this.#exact, pattern.exact, subscriber)
      else removeFrom(this.#prefixes, pattern.prefix, subscriber)
    }
  }

  *matching(document: DocumentId): Generator<T> {
    yield* this.#exact.get(document) ?? []
    if (this.#prefixes.size === 0) return
    for (let length = 0; length <= document.length; length++) {
      yield* this.#prefixes.get(document.slice(0, length)) ?? []
    }
  }
}

/** The same documents by patterns of which no two match one document: those that another one covers are left out. */
export function disjointPatterns(patterns: readonly Pattern[]): readonly Pattern[] {
  const prefixes = new Set(patterns.flatMap((pattern) => ('prefix' in pattern ? [pattern.prefix] : [])))
  const exact = new Set(patterns.flatMap((pattern) => ('exact' in pattern ? [pattern.exact] : [])))
  const isCovered = (text: string, below: number): boolean => {
    for (let length = 0; length < below; length++) if (prefixes.has(text.slice(0, length))) return true
    return false
  }
  return [
    ...[...prefixes].filter((prefix) => !isCovered(prefix, prefix.length)).map((prefix) => ({ prefix })),
    ...[...exact].filter((id) => !isCovered(id, id.length + 1)).map((id) => ({ exact: id })),
  ]
}

function addTo<K, T>(sets: Map<K, Set<T>>, key: K, item: T): void {
  const set = sets.get(key)
  if (set) set.add(item)
  else sets.set(key, new Set([item]))
}

function removeFrom<K, T>(sets: Map<K, Set<T>>, key: K, item: T): void {
  const set = sets.get(key)
  set?.delete(item)
  if (set?.size === 0) sets.delete(key)
}
