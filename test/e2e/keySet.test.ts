import { SignJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KeyProvider } from '../support/keyProvider.ts'
import { caller, startTestServer, TEST_SECRET, type Answer, type TestServer } from '../support/server.ts'

const OLD_SECRET = 'the secret before, 32 bytes or longer'

let provider: KeyProvider
let server: TestServer | null = null
beforeEach(async () => {
  provider = new KeyProvider()
  await provider.rotate('EdDSA')
  await provider.listen()
})
afterEach(async () => {
  await server?.stop()
  server = null
  await provider.leave()
})

async function start(variables: Record<string, string> = {}): Promise<void> {
  server = await startTestServer({ variables: { PARLEY_JWKS_URL: provider.url, ...variables } })
}

const asking = (token: string): Promise<Answer> => caller(() => server?.url ?? '', token).get('/documents')
const HMAC = { alg: 'HS256' }
const hmacToken = (secret: string): Promise<string> =>
  new SignJWT({ sub: 'mallory', access: { '*': ['admin'] } })
    .setProtectedHeader(HMAC)
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(secret))

describe('tokens of an identity provider', () => {
  it.each(['RS256', 'ES256', 'EdDSA'])('[AUTH-1] count where its key set has their key: %s', async (algorithm) => {
    await provider.rotate(algorithm)
    await start()
    expect((await asking(await provider.token('ann'))).status).toBe(200)
    expect((await asking((await server?.token('ben')) ?? '')).status).toBe(200)
  })

  it('[AUTH-1] [AUTH-2] count by their own kind of key only', async () => {
    await provider.rotate('RS256')
    await start()
    expect((await asking(await provider.token('ann'))).status).toBe(200)
    expect((await asking(await hmacToken(provider.publicText()))).status).toBe(401)
    await provider.rotate('PS256')
    expect((await asking(await provider.token('ann'))).status).toBe(401)
  })

  it('[AUTH-1] count by the issuer that is set only', async () => {
    await start({ PARLEY_ISSUER: 'https://id.test' })
    expect((await asking(await provider.token('ann'))).status).toBe(200)
    const other = await asking(await provider.token('ann', { issuer: 'https://other.test' }))
    expect([other.status, other.body.detail]).toEqual([401, 'The token is by another issuer.'])
  })

  it('[AUTH-1] go on counting while its keys are rotated and fifty write', async () => {
    await provider.rotate('ES256')
    await start()
    const statuses: number[] = []
    /** Each creates a document of its own, by a token of the newest key. */
    const all = (round: string): Promise<unknown> =>
      Promise.all(
        Array.from({ length: 50 }, async (_, n) => {
          const writing = caller(() => server?.url ?? '', await provider.token(`writer-${n}`))
          statuses.push((await writing.post('/documents', { id: `${round}-${n}`, kind: 'text' })).status)
        }),
      )
    await all('first')
    for (const algorithm of ['EdDSA', 'ES256']) {
      // Longer than two looks at the key set are apart.
      await new Promise((resolve) => setTimeout(resolve, 1_100))
      const before = all(`before-${algorithm}`)
      await provider.rotate(algorithm)
      await Promise.all([before, all(`after-${algorithm}`)])
    }
    expect([statuses.length, new Set(statuses)]).toEqual([250, new Set([201])])
  })

  it('[AUTH-1] with keys that nobody has do not flood the provider', async () => {
    await start()
    await asking(await provider.token('ann'))
    const before = provider.fetches
    const startedAt = performance.now()
    const refused = await Promise.all(
      Array.from({ length: 200 }, async (_, n) => asking(await provider.token('ann', { kid: `made-up-${n}` }))),
    )
    const seconds = (performance.now() - startedAt) / 1_000
    expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([401]))
    expect(provider.fetches - before).toBeLessThanOrEqual(2 + seconds)
  })

  it('[AUTH-1] wait for a provider that is away at the start, and others are served', async () => {
    await provider.leave()
    await start()
    expect((await asking((await server?.token('ben')) ?? '')).status).toBe(200)
    const away = await asking(await provider.token('ann'))
    expect([away.status, away.body.code, away.body.retryable]).toEqual([503, 'keys-unavailable', true])
    await provider.listen()
    await expect.poll(async () => (await asking(await provider.token('ann'))).status).toBe(200)
  })

  it('[AUTH-1] whose keys are known count while the provider is away', async () => {
    await start()
    expect((await asking(await provider.token('ann'))).status).toBe(200)
    await provider.leave()
    expect((await asking(await provider.token('ben'))).status).toBe(200)
  })
})

describe('the secret of a server', () => {
  it('[AUTH-1] can be changed: what the one before signed counts until it ends, and is signed no more', async () => {
    await start({ PARLEY_SECRET: TEST_SECRET, PARLEY_SECRET_PREVIOUS: OLD_SECRET })
    expect((await asking(await hmacToken(OLD_SECRET))).status).toBe(200)
    expect((await asking(await hmacToken('a secret that nobody has ever set'))).status).toBe(401)
    const admin = caller(() => server?.url ?? '', await hmacToken(OLD_SECRET))
    const { body } = await admin.post('/tokens', { sub: 'ann', access: { '*': ['read'] }, ttlSeconds: 60 })
    await server?.stop()
    await start({ PARLEY_SECRET: TEST_SECRET })
    expect((await asking(body.token)).status).toBe(200)
    expect((await asking(await hmacToken(OLD_SECRET))).status).toBe(401)
  })
})
