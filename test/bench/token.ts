import type { Permission } from '../../server/access/access.ts'
import { TokenIssuer } from '../../server/access/tokens.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { BENCH_SECRET } from './processes.ts'

/** A token that a bench server takes, for everything where nothing else is said. */
export async function benchToken(
  sub = 'bench',
  may: readonly Permission[] = ['read', 'write', 'resolve'],
  patterns: readonly string[] = ['*'],
): Promise<string> {
  const issuer = new TokenIssuer({ secret: Buffer.from(BENCH_SECRET), audience: null, environment: systemEnvironment })
  const issued = await issuer.issue({
    sub,
    access: Object.fromEntries(patterns.map((pattern) => [pattern, [...may]])),
    ttlSeconds: 3600,
  })
  return issued.token
}
