import { object, string, UnexpectedShape } from '../parley/readers.ts'
import type { TokenSource } from '../parley/rest.ts'
import { readToken } from '../parley/token.ts'
import { Store } from './store.ts'

/** Who acts in this tab: a guest of the server, or whoever a pasted token names. */
export interface Identity {
  readonly token: string
  readonly name: string
  readonly sub: string
}

/** This server hands out no guest tokens (it is not a development server): a token has to be brought along. */
export class NoGuestsError extends Error {
  override readonly name = 'NoGuestsError'
}

/** A token that was brought along counts no more; this tab is nobody until another one is. */
export class SignedOutError extends Error {
  override readonly name = 'SignedOutError'
}

/** Whether somebody acts in this tab, and if not, why. */
export type Presence =
  | { readonly phase: 'asking' }
  | { readonly phase: 'in'; readonly self: Identity }
  | { readonly phase: 'out'; readonly why: 'no-guests' | 'expired' | 'refused' | 'left' }
  | { readonly phase: 'failed'; readonly error: unknown }

/** What is used of session storage. */
export interface KeyedTexts {
  getItem(key: string): string | null
  setItem(key: string, text: string): void
  removeItem(key: string): void
}

export interface IdentityOptions {
  readonly storage: KeyedTexts
  /** POST /demo/token; with the `sub` it was before, a guest stays who it was. */
  readonly fetchGuest: (guest: { readonly sub?: string }) => Promise<Response>
  readonly now: () => number
}

const GUEST = 'guest-'
const STORAGE_KEY = 'parley.identity'
/** Stands there once somebody signed out, so that a reload does not make them a guest. */
const LEFT = 'left'
/** A token this close to its end is not worth starting a session with. */
const RENEW_BEFORE_MS = 30_000

/** A guest of a development server, whose token is renewed without a word. */
export const isGuest = ({ sub }: Pick<Identity, 'sub'>): boolean => sub.startsWith(GUEST)

const identityShape = object({ token: string, name: string, sub: string })

/**
 * Keeps one identity for this tab. Session storage is not shared between tabs, so each tab is its own
 * person, and a reload keeps it. Concurrent callers share one request.
 */
export class IdentityKeeper implements TokenSource {
  readonly presence = new Store<Presence>({ phase: 'asking' })
  readonly #options: IdentityOptions
  #pending: Promise<Identity> | null = null
  /** Whose turn it is: what was asked for in an earlier one makes nobody somebody any more. */
  #turn = 0
  #takesGuests: boolean | null = null

  constructor(options: IdentityOptions) {
    this.#options = options
  }

  /** Finds out who acts in this tab. Where nobody does, `presence` says why. */
  async enter(): Promise<void> {
    this.presence.set({ phase: 'asking' })
    await this.identity().catch((error: unknown) => {
      if (this.presence.value.phase === 'asking') this.presence.set({ phase: 'failed', error })
    })
  }

  /** The identity of this tab; rejects with NoGuestsError or SignedOutError where there is none. */
  async identity(): Promise<Identity> {
    this.#assertNotOut()
    const kept = this.#kept()
    if (kept !== null && !this.#isEnding(kept)) return this.#show(kept)
    if (kept !== null && !isGuest(kept)) return this.#signOut('expired')
    if (this.#options.storage.getItem(STORAGE_KEY) === LEFT) return this.#signOut('left')
    return this.#fetchGuest()
  }

  async current(): Promise<string> {
    return (await this.identity()).token
  }

  async renew(refused: string): Promise<string> {
    this.#assertNotOut()
    const kept = this.#kept()
    if (kept !== null && kept.token !== refused) return kept.token
    if (kept !== null && !isGuest(kept)) return this.#signOut('refused')
    return (await this.#fetchGuest()).token
  }

  /** Takes a pasted token as this tab's identity; false if it is no token at all. */
  adopt(token: string): boolean {
    const claims = readToken(token)
    if (claims === null) return false
    this.#nextTurn()
    this.#keep({ token, name: claims.name ?? claims.sub, sub: claims.sub })
    return true
  }

  /** From now on this tab is nobody. */
  leave(): void {
    const kept = this.#kept()
    // A guest is remembered, so that going on as one is going on as the same one.
    if (kept === null || !isGuest(kept)) this.#options.storage.setItem(STORAGE_KEY, LEFT)
    this.#nextTurn()
    this.presence.set({ phase: 'out', why: 'left' })
  }

  /** This tab becomes a guest, where the server takes any. */
  async becomeGuest(): Promise<void> {
    this.#nextTurn()
    await this.#fetchGuest()
  }

  /** Whether the server takes guests; it is asked where that is not known yet. False also where it cannot be asked. */
  async takesGuests(): Promise<boolean> {
    if (this.#takesGuests === null) await this.#ask({}).catch(() => null)
    return this.#takesGuests ?? false
  }

  /** Who writes from outside: a second guest, not kept; where the server takes none, whoever sits here. */
  async stranger(): Promise<Identity> {
    return this.#ask({}).catch((error: unknown) => {
      if (error instanceof NoGuestsError) return this.identity()
      throw error
    })
  }

  #nextTurn(): void {
    this.#turn += 1
    this.#pending = null
  }

  #fetchGuest(): Promise<Identity> {
    this.#pending ??= this.#askInTurn(this.#turn)
    return this.#pending
  }

  async #askInTurn(turn: number): Promise<Identity> {
    const kept = this.#kept()
    try {
      const identity = await this.#ask(kept !== null && isGuest(kept) ? { sub: kept.sub } : {})
      // They signed out, or in as somebody else, while the server was asked.
      if (turn !== this.#turn) return await this.identity()
      return this.#keep(identity)
    } catch (error) {
      if (error instanceof NoGuestsError && turn === this.#turn) this.presence.set({ phase: 'out', why: 'no-guests' })
      throw error
    } finally {
      if (turn === this.#turn) this.#pending = null
    }
  }

  async #ask(guest: { readonly sub?: string }): Promise<Identity> {
    const response = await this.#options.fetchGuest(guest)
    if (response.status === 401 || response.status === 403 || response.status === 404) {
      this.#takesGuests = false
      throw new NoGuestsError('This server hands out no guest tokens. Sign in with a token of your own.')
    }
    if (!response.ok) throw new Error(`The server answered ${response.status} instead of a guest token.`)
    this.#takesGuests = true
    return identityShape(await response.json(), 'guest')
  }

  #keep(identity: Identity): Identity {
    this.#options.storage.setItem(STORAGE_KEY, JSON.stringify(identity))
    return this.#show(identity)
  }

  #show(self: Identity): Identity {
    const { value } = this.presence
    if (value.phase !== 'in' || value.self.token !== self.token) this.presence.set({ phase: 'in', self })
    return self
  }

  /** Who is out stays so until they sign in: no request that is still under way brings them back. */
  #assertNotOut(): void {
    const { value } = this.presence
    if (value.phase === 'out') this.#signOut(value.why)
  }

  #signOut(why: 'no-guests' | 'expired' | 'refused' | 'left'): never {
    if (this.presence.value.phase !== 'out') this.presence.set({ phase: 'out', why })
    throw new SignedOutError('Nobody is signed in: the token counts no more.')
  }

  #kept(): Identity | null {
    const text = this.#options.storage.getItem(STORAGE_KEY)
    if (text === null) return null
    try {
      return identityShape(JSON.parse(text), STORAGE_KEY)
    } catch (error) {
      if (error instanceof UnexpectedShape || error instanceof SyntaxError) return null
      throw error
    }
  }

  /** A guest gets another token before theirs ends; any other is as long as it lasts. */
  #isEnding(identity: Identity): boolean {
    const expiresAtMs = expiryMs(identity.token)
    const beforeMs = isGuest(identity) ? RENEW_BEFORE_MS : 0
    return expiresAtMs !== null && expiresAtMs - this.#options.now() < beforeMs
  }
}

/** When the token ends (RFC 7519 `exp`), in milliseconds since the epoch; null if it does not say. */
export const expiryMs = (token: string): number | null => readToken(token)?.expiresAtMs ?? null
