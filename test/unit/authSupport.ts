import { type JWTPayload, SignJWT } from 'jose'
import { Revocations } from '../../server/access/revocations.ts'
import { TokenIssuer } from '../../server/access/tokens.ts'
import { secretKeys, TokenVerifier } from '../../server/access/verifier.ts'
import type { StoredAnswer } from '../../server/foundation/answer.ts'
import type { Environment } from '../../server/foundation/environment.ts'
import { type AnswerStore, Idempotency } from '../../server/http/idempotency.ts'
import type { Revocation } from '../../server/storage/revocations.ts'

export const SECRET = Buffer.from('a secret of more than thirty-two bytes')
/** 2026-11-22T00:00:00Z, in milliseconds and in seconds. */
export const NOW_MS = 1_795_305_600_000
export const NOW = NOW_MS / 1000

/** A clock that stands still until it is moved, and randomness that only counts. Timers fire when it is moved by `advance`. */
export function testEnvironment(): Environment & { nowMs: number; advance(ms: number): void } {
  let drawn = 0
  const timers = new Set<{ readonly atMs: number; readonly task: () => void }>()
  const environment = {
    nowMs: NOW_MS,
    now: () => environment.nowMs,
    monotonicMs: () => environment.nowMs,
    after: (delayMs: number, task: () => void) => {
      const timer = { atMs: environment.nowMs + delayMs, task }
      timers.add(timer)
      return { cancel: () => void timers.delete(timer) }
    },
    advance: (ms: number) => {
      environment.nowMs += ms
      for (const timer of timers) if (timer.atMs <= environment.nowMs && timers.delete(timer)) timer.task()
    },
    randomBytes: (length: number) => new Uint8Array(length).fill((drawn += 1)),
  }
  return environment
}

/** The revocations of a storage, as they would survive a restart. */
export function revocationStorage(): {
  rows: Revocation[]
  revoke(row: Revocation): Promise<void>
  revocations(since: number): Promise<Revocation[]>
} {
  const rows: Revocation[] = []
  return {
    rows,
    revoke: async (row) => {
      rows.push(row)
    },
    revocations: async (since) => rows.filter((row) => row.until >= since),
  }
}

function answersInMemory(): AnswerStore {
  const answers = new Map<string, StoredAnswer>()
  return {
    answer: async (principal, key) => answers.get(`${principal} ${key}`) ?? null,
    keep: async (answer) => void answers.set(`${answer.principal} ${answer.key}`, answer),
  }
}

export async function authParts(audience: string | null = null) {
  const environment = testEnvironment()
  const storage = revocationStorage()
  const revocations = await Revocations.load(storage)
  const issuer = new TokenIssuer({ secret: SECRET, audience, environment })
  const verifier = new TokenVerifier({ keys: [secretKeys(SECRET)], audience, environment, revocations })
  const idempotency = new Idempotency({
    store: answersInMemory(),
    contentOf: () => Promise.reject(new Error('these routes show no content')),
    environment,
    publicUrl: () => 'https://parley.test',
  })
  return { environment, storage, revocations, issuer, verifier, idempotency }
}

export const CLAIMS: JWTPayload = { sub: 'alice', access: { 'team:*': ['read'] }, iat: NOW, exp: NOW + 60 }

/** A token with exactly these claims; undefined leaves one of the usual ones out. */
export async function sign(
  claims: Record<string, unknown> = {},
  options: { secret?: Uint8Array; alg?: string } = {},
): Promise<string> {
  const all = Object.entries({ ...CLAIMS, ...claims }).filter(([, value]) => value !== undefined)
  return new SignJWT(Object.fromEntries(all))
    .setProtectedHeader({ alg: options.alg ?? 'HS256' })
    .sign(options.secret ?? SECRET)
}
