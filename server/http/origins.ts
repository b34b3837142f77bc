/** From where pages in browsers may call (SPEC AUTH-4). Pure. */

/** `PARLEY_ORIGINS`: each as browsers send it, or every one. */
export type OriginList = '*' | readonly string[]

/** What a page of another origin may read of an answer, besides what every page may. */
export const EXPOSED_HEADERS =
  'ETag, Location, Link, Retry-After, RateLimit, RateLimit-Policy, Idempotency-Replayed, Accept-Patch, Allow, WWW-Authenticate, Parley-Version'

/** An origin in the one form that browsers send: scheme and host in small letters, no default port. Null for what is none. */
export function canonicalOrigin(text: string): string | null {
  if (!URL.canParse(text)) return null
  const { protocol, host, origin, pathname, search, hash, username, password } = new URL(text)
  const isBare = pathname.replace('/', '') + search + hash + username + password === '' && !text.includes('?')
  if (!isBare || host === '' || host.includes('*')) return null
  // Pages of apps have schemes of their own (`capacitor://localhost`), for which a URL tells no origin.
  return origin === 'null' ? `${protocol}//${host.toLowerCase()}` : origin
}

/** A comma list, in which spaces and a final slash do not matter; undefined where it is malformed. */
export function parseOrigins(text: string): OriginList | undefined {
  const parts = text.split(',').map((part) => part.trim())
  const origins = parts.filter((part) => part !== '*').map(canonicalOrigin)
  const known = origins.filter((origin) => origin !== null)
  if (known.length < origins.length) return undefined
  return parts.includes('*') ? '*' : known
}

export class Origins {
  readonly #listed: OriginList
  readonly #own: URL | null

  constructor(listed: OriginList, publicUrl: string | null) {
    this.#listed = listed
    this.#own = publicUrl === null ? null : new URL(publicUrl)
  }

  /** Whether a page of this origin may call; `host` is what the request was sent to. */
  allows(sent: string, host: string): boolean {
    const origin = canonicalOrigin(sent)
    if (origin === null) return false
    return this.#listed === '*' || this.#listed.includes(origin) || this.#isOwn(origin, host)
  }

  /** The headers of any answer to a request of this origin; undefined where no page of another asked. */
  headersFor(origin: string | undefined, host: string): Readonly<Record<string, string>> {
    if (origin === undefined || !this.allows(origin, host)) return { Vary: 'Origin' }
    return { Vary: 'Origin', 'Access-Control-Allow-Origin': origin, 'Access-Control-Expose-Headers': EXPOSED_HEADERS }
  }

  /**
   * Our own page: that of the public URL, whatever `Host` a proxy sends on, and that of whatever name the request was
   * sent to. Under the public name only the public scheme counts; else a proxy that speaks TLS may stand in front.
   */
  #isOwn(origin: string, host: string): boolean {
    if (origin === this.#own?.origin) return true
    const schemes = this.#own === null ? ['http', 'https'] : this.#own.host === host ? [] : ['http']
    return schemes.some((scheme) => canonicalOrigin(`${scheme}://${host}`) === origin)
  }
}
