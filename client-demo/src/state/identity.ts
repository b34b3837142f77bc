import { object, string, UnexpectedShape } from '../parley/readers.ts'
import type { TokenSource } from '../parley/rest.ts'

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

/** What is used of session storage. */
export interface KeyedTexts {
  getItem(key: string): string | null
  setItem(key: string, text: string): void
}

export interface IdentityOptions {
  readonly storage: KeyedTexts
  /** POST /demo/token; with the `sub` it was before, a guest stays who it was. */
  readonly fetchGuest: (guest: { readonly sub?: string }) => Promise<Response>
  readonly now: () => number
}

const GUEST = 'guest-'
const STORAGE_KEY = 'parley.identity'
/** A token this close to its end is not worth starting a session with. */
const RENEW_BEFORE_MS = 30_000

const identityShape = object({ token: string, name: string, sub: string })
const claimsShape = object({ sub: string }, { name: string })

/**
 * Keeps one identity for this tab. Session storage is not shared between tabs, so each tab is its own
 * person, and a reload keeps it. Concurrent callers share one request.
 */
export class IdentityKeeper implements TokenSource {
  readonly #options: IdentityOptions
  #pending: Promise<Identity> | null = null

  constructor(options: IdentityOptions) {
    this.#options = options
  }

  /** The identity of this tab; rejects with NoGuestsError when there is none and the server gives none. */
  async identity(): Promise<Identity> {
    const kept = this.#kept()
    if (kept !== null && !this.#isEnding(kept.token)) return kept
    return this.#fetchGuest()
  }

  async current(): Promise<string> {
    return (await this.identity()).token
  }

  async renew(refused: string): Promise<string> {
    const kept = this.#kept()
    return kept !== null && kept.token !== refused ? kept.token : (await this.#fetchGuest()).token
  }

  /** Takes a pasted token as this tab's identity; false if it is no token at all. */
  adopt(token: string): boolean {
    const claims = claimsOf(token)
    if (claims === null) return false
    this.#keep({ token, name: claims.name ?? claims.sub, sub: claims.sub })
    return true
  }

  /** A second guest, not kept: the program that writes from outside. */
  async stranger(): Promise<Identity> {
    return this.#ask({})
  }

  #fetchGuest(): Promise<Identity> {
    const sub = this.#kept()?.sub
    this.#pending ??= this.#ask(sub?.startsWith(GUEST) === true ? { sub } : {})
      .then((identity) => this.#keep(identity))
      .finally(() => {
        this.#pending = null
      })
    return this.#pending
  }

  async #ask(guest: { readonly sub?: string }): Promise<Identity> {
    const response = await this.#options.fetchGuest(guest)
    if (response.status === 401 || response.status === 403 || response.status === 404) {
      throw new NoGuestsError('This server hands out no guest tokens. Sign in with a token of your own.')
    }
    if (!response.ok) throw new Error(`The server answered ${response.status} instead of a guest token.`)
    return identityShape(await response.json(), 'guest')
  }

  #keep(identity: Identity): Identity {
    this.#options.storage.setItem(STORAGE_KEY, JSON.stringify(identity))
    return identity
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

  #isEnding(token: string): boolean {
    const expiresAtMs = expiryMs(token)
    return expiresAtMs !== null && expiresAtMs - this.#options.now() < RENEW_BEFORE_MS
  }
}

/** The payload of a JWT, unverified: the server judges it, this only reads whom it names. */
function payloadOf(token: string): unknown {
  const part = token.split('.')[1]
  if (part === undefined) return null
  try {
    const bytes = Uint8Array.from(atob(part.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0))
    return JSON.parse(new TextDecoder().decode(bytes)) as unknown
  } catch {
    return null
  }
}

function claimsOf(token: string): { readonly sub: string; readonly name?: string } | null {
  try {
    return claimsShape(payloadOf(token), 'token')
  } catch {
    return null
  }
}

/** When the token ends (RFC 7519 `exp`), in milliseconds since the epoch; null if it does not say. */
export function expiryMs(token: string): number | null {
  const payload = payloadOf(token)
  if (typeof payload !== 'object' || payload === null || !('exp' in payload)) return null
  return typeof payload.exp === 'number' ? payload.exp * 1000 : null
}
