import { createRemoteJWKSet, errors } from 'jose'
import { ParleyError } from '../foundation/problems.ts'
import type { JobOptions } from '../foundation/jobs.ts'
import type { TrustedKeys } from './verifier.ts'

/** What providers of identities sign with; an HMAC is none of them, so that no public key is ever taken for a secret. */
const ALGORITHMS = ['RS256', 'ES256', 'EdDSA']
/** How soon a key that the provider took back counts no more. */
const REFRESH_MS = 10 * 60_000
/** An unknown key is looked for at once, but not oftener: tokens with made-up keys shall not flood the provider. */
const COOLDOWN_MS = 1_000
/** Requests with an unknown key wait so long for a provider that does not answer. */
const TIMEOUT_MS = 5_000
/** While the provider is away it is asked this often; what it said last counts meanwhile. */
const LONGEST_RETRY_MS = 10_000

/** The keys of an identity provider (SPEC AUTH-1), fetched from its URL and kept while it is away. */
export class KeySet {
  readonly #keys: ReturnType<typeof createRemoteJWKSet>
  readonly #issuer: string | null

  constructor({ url, issuer }: { readonly url: string; readonly issuer: string | null }) {
    this.#issuer = issuer
    this.#keys = createRemoteJWKSet(new URL(url), {
      cooldownDuration: COOLDOWN_MS,
      // The job refreshes them, so that none is forgotten while the provider is away.
      cacheMaxAge: Infinity,
      timeoutDuration: TIMEOUT_MS,
    })
  }

  /** A token by a key that is not known while the provider is away gets `keys-unavailable`, which may be tried again. */
  trusted(): TrustedKeys {
    return {
      algorithms: ALGORITHMS,
      issuer: this.#issuer,
      keyOf: async (header, token) => {
        try {
          return await this.#keys(header, token)
        } catch (error) {
          throw isAnswer(error) ? error : unavailable(error)
        }
      },
    }
  }

  /** The job that follows the provider's changes. */
  following(): JobOptions {
    const run = async (): Promise<number> => {
      await this.#keys.reload()
      return REFRESH_MS
    }
    return { name: 'key set', run, longestRetryMs: LONGEST_RETRY_MS }
  }
}

/** Whether the provider's keys were at hand, and have none that fits. */
const isAnswer = (error: unknown): boolean =>
  error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys

const unavailable = (cause: unknown): ParleyError =>
  new ParleyError('keys-unavailable', 'The keys of the identity provider cannot be fetched just now.', { cause })
