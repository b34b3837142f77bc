import type { Names } from '../present/names.ts'
import { Store } from './store.ts'

const GUEST = 'guest-'
/** People come and go; those met last are the ones that are spoken of. */
const MOST_NAMES = 2_000

/** What people are called on this page, the same everywhere. */
export class NameBook {
  readonly store = new Store<Names>({ self: '', known: new Map() })

  introduce(self: string): void {
    this.store.update((names) => ({ ...names, self }))
  }

  /** As the server keeps it with their acts: from a token that it verified. */
  learn(people: readonly { readonly sub: string; readonly name: string | null }[]): void {
    const news = people.flatMap(({ sub, name }) =>
      name === null || this.store.value.known.get(sub) === name ? [] : [[sub, name] as const],
    )
    if (news.length === 0) return
    this.store.update(({ self, known }) => ({ self, known: new Map([...known, ...news].slice(-MOST_NAMES)) }))
  }

  /**
   * As presence announces it. That is anyone's word, so it holds for guests alone, whose ids prove nothing either.
   */
  meet(sub: string, name: string): void {
    if (sub.startsWith(GUEST) && !this.store.value.known.has(sub)) this.learn([{ sub, name }])
  }

  isKnown(sub: string): boolean {
    const { self, known } = this.store.value
    return sub === self || known.has(sub)
  }
}
