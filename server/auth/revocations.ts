import { ParleyError } from '../foundation/problems.ts'
import type { Revocation, Storage } from '../storage/storage.ts'
import type { Principal } from './access.ts'

/**
 * Which tokens no longer count (SPEC AUTH-3): everything issued to a `sub`, or under a `jti`, until some moment.
 * All of them are kept in memory, one per subject, because every request asks. They are made by administrators only;
 * the bound keeps a broken script from filling the memory.
 */
export class Revocations {
  readonly #storage: Pick<Storage, 'revoke'>
  /** Whole seconds since the epoch by `sub:…` or `jti:…`. */
  readonly #until = new Map<string, number>()
  readonly #listeners = new Set<(revocation: Revocation) => void>()

  private constructor(storage: Pick<Storage, 'revoke'>) {
    this.#storage = storage
  }

  static async load(storage: Pick<Storage, 'revoke' | 'revocations'>): Promise<Revocations> {
    const revocations = new Revocations(storage)
    for (const revocation of await storage.revocations()) revocations.#remember(revocation)
    return revocations
  }

  isRevoked(principal: Pick<Principal, 'sub' | 'tokenId' | 'issuedAt'>): boolean {
    if (this.#until.size === 0) return false
    const bySub = this.#until.get(`sub:${principal.sub}`) ?? -1
    const byId = principal.tokenId === null ? -1 : (this.#until.get(`jti:${principal.tokenId}`) ?? -1)
    return principal.issuedAt <= Math.max(bySub, byId)
  }

  /** The first time of issue, in milliseconds, that no revocation of this `sub` covers; 0 where there is none. */
  firstValidIssueMs(sub: string): number {
    const until = this.#until.get(`sub:${sub}`)
    return until === undefined ? 0 : until * 1000 + 1
  }

  /** Resolves once it is on disk; from then on the tokens are refused, and sessions have been told. */
  async revoke(revocation: Revocation): Promise<void> {
    if (this.#until.size >= MAX_REVOCATIONS && !this.#until.has(keyOf(revocation))) {
      throw new ParleyError(
        'overloaded',
        `There are ${MAX_REVOCATIONS} revocations already; change the secret instead.`,
      )
    }
    await this.#storage.revoke(revocation)
    this.#remember(revocation)
    for (const listener of this.#listeners) listener(revocation)
  }

  /** Tells of each revocation from now on, so that live sessions end. Returns how to stop. */
  onRevoked(listener: (revocation: Revocation) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #remember(revocation: Revocation): void {
    const key = keyOf(revocation)
    this.#until.set(key, Math.max(revocation.until, this.#until.get(key) ?? 0))
  }
}

/** About 100 bytes each: 10 MB. */
const MAX_REVOCATIONS = 100_000

function keyOf({ subject }: Revocation): string {
  return 'sub' in subject ? `sub:${subject.sub}` : `jti:${subject.jti}`
}
