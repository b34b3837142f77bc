import type { Names } from '../present/names.ts'
import { Store } from './store.ts'

const GUEST = 'guest-'
/** Guests come and go; those met last are the ones that are spoken of. */
const MOST_GUESTS = 500

/**
 * The friendly names of guests, as presence announces them. Presence is anyone's word, so this holds for
 * guests alone, whose ids prove nothing either; every other principal is shown by its `sub`.
 */
export class NameBook {
  readonly store = new Store<Names>({ self: '', guests: new Map() })

  introduce(self: string): void {
    this.store.update((names) => ({ ...names, self }))
  }

  meet(sub: string, name: string): void {
    if (!sub.startsWith(GUEST) || this.store.value.guests.get(sub) === name) return
    this.store.update(({ self, guests }) => ({
      self,
      guests: new Map([...guests, [sub, name] as const].slice(-MOST_GUESTS)),
    }))
  }
}
