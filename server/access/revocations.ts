import { answerUnder, type Terms } from '../foundation/answer.ts'
import type { Environment } from '../foundation/environment.ts'
import type { JobOptions } from '../foundation/jobs.ts'
import type { Revocation, RevocationReads, RevocationWrites } from '../storage/revocations.ts'
import type { Principal } from './access.ts'

/**
 * Which tokens no longer count (SPEC AUTH-3): everything issued to a `sub`, or under a `jti`, until some moment.
 * All of them are kept in memory, one per subject, because every request asks. They are made by administrators only,
 * each is an act on disk and some 100 bytes of memory, and none is ever refused: the token would go on counting. Storage
 * forgets those that are older than any token (`MAX_TTL_SECONDS`), so that a start does not load them.
 */
export class Revocations {
  readonly #storage: RevocationStorage
  /** Whole seconds since the epoch by `sub:…` or `jti:…`. */
  readonly #until = new Map<string, number>()
  readonly #listeners = new Set<() => void>()

  private constructor(storage: RevocationStorage) {
    this.#storage = storage
  }

  static async load(storage: RevocationStorage): Promise<Revocations> {
    const revocations = new Revocations(storage)
    for (const revocation of await storage.revocations(0)) revocations.#remember(revocation)
    return revocations
  }

  /**
   * The job that also takes up what other processes revoke in the same database: sessions end within 5 s on every
   * node (SPEC SYNC-8).
   */
  following(environment: Environment): JobOptions {
    let since = 0
    const run = async (): Promise<number> => {
      const startedAt = environment.now() / 1000
      this.#learn(await this.#storage.revocations(since))
      since = Math.max(0, startedAt - CLOCKS_DIFFER_SECONDS)
      return FOLLOWING_MS
    }
    return { name: 'revocations of other nodes', run, longestRetryMs: FOLLOWING_MS }
  }

  isRevoked(principal: Pick<Principal, 'sub' | 'tokenId' | 'issuedAt'>): boolean {
    if (this.#until.size === 0) return false
    if (principal.issuedAt <= (this.#until.get(`sub:${principal.sub}`) ?? -1)) return true
    // Nothing is issued under one id twice, whatever time its issuer's clock tells.
    return principal.tokenId !== null && this.#until.has(`jti:${principal.tokenId}`)
  }

  /** The first time of issue, in milliseconds, that no revocation of this `sub` covers; 0 where there is none. */
  firstValidIssueMs(sub: string): number {
    const until = this.#until.get(`sub:${sub}`)
    return until === undefined ? 0 : until * 1000 + 1
  }

  /** Resolves once it is on disk; from then on the tokens are refused, and sessions have been told. */
  async revoke(revocation: Revocation, terms: Terms<void> | null = null): Promise<void> {
    await this.#storage.revoke(revocation, await answerUnder(terms, undefined))
    this.#learn([revocation])
  }

  /**
   * Up to when tokens must have been issued to be void, where they are revoked now: whole seconds, rounded up, because of
   * those that were issued earlier in this very second; and some more, for issuers whose clocks are ahead.
   */
  untilOf(nowMs: number): number {
    return Math.ceil(nowMs / 1_000) + ISSUERS_DIFFER_SECONDS
  }

  /**
   * Resolves when every token that is issued from then on counts, although the clock of its issuer lags by up to 2 s: by
   * that clock, too, the second of the revocation is over then. Whoever revokes and then asks for a new token has one
   * that is not dead for its life; and no token from before is spared.
   */
  async issuersArePast({ until }: Revocation, environment: Environment): Promise<void> {
    const pastAtMs = (until + 1 + ISSUERS_DIFFER_SECONDS) * 1_000
    await new Promise<void>((resolve) => environment.after(Math.max(0, pastAtMs - environment.now()), resolve))
  }

  /** Calls after each change from now on, so that whoever holds principals looks at them anew. Returns how to stop. */
  onRevoked(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #learn(revocations: readonly Revocation[]): void {
    const fresh = revocations.filter((one) => this.#remember(one))
    if (fresh.length > 0) for (const listener of this.#listeners) listener()
  }

  /** Whether that was news. */
  #remember(revocation: Revocation): boolean {
    const key = keyOf(revocation)
    if (revocation.until <= (this.#until.get(key) ?? -1)) return false
    this.#until.set(key, revocation.until)
    return true
  }
}

type RevocationStorage = RevocationReads & RevocationWrites

/** Clocks of issuers that are looked after at all differ from ours by less, one way or the other. */
const ISSUERS_DIFFER_SECONDS = 2
/** With a slow answer of the database, what another node revoked still counts here within 5 s. */
const FOLLOWING_MS = 2_000
/** `until` is by the clock of the node that revoked, and may have been committed late: reads overlap by this much. */
const CLOCKS_DIFFER_SECONDS = 600

function keyOf({ subject }: Revocation): string {
  return 'sub' in subject ? `sub:${subject.sub}` : `jti:${subject.jti}`
}
