import { generateKeyPairSync } from 'node:crypto'
import { decodeJwt, SignJWT } from 'jose'
import { describe, expect, it, vi } from 'vitest'
import { can } from '../../server/access/access.ts'
import { tokenFromRequest } from '../../server/access/bearer.ts'
import { Jobs } from '../../server/foundation/jobs.ts'
import { Revocations } from '../../server/access/revocations.ts'
import { TokenVerifier } from '../../server/access/verifier.ts'
import { parseDocumentId, toPrincipalId } from '../../server/foundation/ids.ts'
import { ManualEnvironment } from '../support/manualEnvironment.ts'
import { authParts, NOW, NOW_MS, revocationStorage, SECRET, sign } from './authSupport.ts'

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Why the token is refused, or null where it counts. */
/** A known token is refused at once, another one later. */
const verifying = async (verifier: TokenVerifier, token: string): Promise<unknown> => verifier.verify(token)

async function refusal(token: string, audience: string | null = null): Promise<string | null> {
  const { verifier } = await authParts(audience)
  try {
    await verifier.verify(token)
    return null
  } catch (error) {
    expect(error).toMatchObject({
      code: 'unauthenticated',
      headers: { 'WWW-Authenticate': expect.stringContaining('error="invalid_token"') },
    })
    return error instanceof Error ? error.message : ''
  }
}

describe('verifying a token', () => {
  it('[AUTH-1] reads who it is and what they may do', async () => {
    const { verifier } = await authParts()
    const access = { 'team:*': ['read', 'write'], 'team:notes': ['resolve'] }
    const principal = await verifier.verify(await sign({ name: 'Alice 🦊', jti: 't1', access }))
    expect(principal).toMatchObject({
      sub: 'alice',
      name: 'Alice 🦊',
      issuedAt: NOW,
      expiresAt: NOW + 60,
      tokenId: 't1',
    })
    const notes = parseDocumentId('team:notes')
    if (!notes) throw new Error('not an id')
    const held = (['read', 'write', 'resolve', 'overwrite', 'admin'] as const).filter((one) =>
      can(principal, one, notes),
    )
    expect(held).toEqual(['read', 'write', 'resolve'])
  })

  it('[AUTH-2] refuses a token without signature', async () => {
    const body = base64url({ sub: 'alice', access: { '*': ['admin'] }, exp: NOW + 60 })
    for (const alg of ['none', 'None', 'NONE', '', undefined]) {
      for (const signature of ['', 'AAAA']) {
        expect(await refusal(`${base64url({ alg, typ: 'JWT' })}.${body}.${signature}`), String(alg)).not.toBeNull()
      }
    }
  })

  it('[AUTH-2] refuses a token of another key or algorithm', async () => {
    expect(await refusal(await sign({}, { secret: Buffer.alloc(32, 7) }))).toContain('not signed')
    expect(await refusal(await sign({}, { alg: 'HS384', secret: Buffer.concat([SECRET, SECRET]) }))).toContain(
      'not signed',
    )
    const { privateKey } = generateKeyPairSync('ed25519')
    const foreign = await new SignJWT({ sub: 'alice', access: {}, exp: NOW + 60 })
      .setProtectedHeader({ alg: 'EdDSA' })
      .sign(privateKey)
    expect(await refusal(foreign)).toContain('not signed')
  })

  it('[AUTH-2] refuses a token whose claims were changed after signing', async () => {
    const [head, , signature] = (await sign()).split('.')
    const forged = base64url({ sub: 'root', access: { '*': ['admin'] }, exp: NOW + 60 })
    expect(await refusal(`${head}.${forged}.${signature}`)).toContain('not signed')
  })

  it.each(['', 'x', 'a.b', 'a.b.c', 'a.b.c.d', '..', 'eyJhbGciOiJIUzI1NiJ9.e30.'])(
    '[AUTH-2] refuses %j, which is no token',
    async (token) => {
      expect(await refusal(token)).not.toBeNull()
    },
  )

  it('[AUTH-1] allows nothing beyond exp, and 5 s before nbf', async () => {
    expect(await refusal(await sign({ exp: NOW + 0.001 }))).toBeNull()
    expect(await refusal(await sign({ exp: NOW }))).toContain('expired')
    expect(await refusal(await sign({ exp: NOW - 4 }))).toContain('expired')
    expect(await refusal(await sign({ exp: NOW - 3600 }))).toContain('expired')
    expect(await refusal(await sign({ nbf: NOW + 5 }))).toBeNull()
    expect(await refusal(await sign({ nbf: NOW + 6 }))).toContain('not valid yet')
  })

  it.each([
    ['no sub', { sub: undefined }],
    ['an empty sub', { sub: '' }],
    ['a sub that is no string', { sub: 7 }],
    ['a sub of 257 characters', { sub: 'x'.repeat(257) }],
    ['a sub with a line break', { sub: 'alice\nadmin' }],
    ['a sub with a NUL', { sub: 'a\u0000' }],
    ['a sub with a lone surrogate', { sub: 'a\ud800' }],
    ['no exp', { exp: undefined }],
    ['an exp that is no number', { exp: '9999999999' }],
    ['an exp beyond any date', { exp: 1e300 }],
    ['a negative iat', { iat: -1 }],
    ['a name that is no string', { name: {} }],
    ['no access', { access: undefined }],
    ['access null', { access: null }],
    ['access as a list', { access: [['team:*', 'read']] }],
    ['permissions as a string', { access: { 'team:*': 'read' } }],
    ['an unknown permission', { access: { 'team:*': ['read', 'fly'] } }],
    ['a pattern that is none', { access: { 'te*m': ['read'] } }],
    ['an empty pattern', { access: { '': ['read'] } }],
  ])('[AUTH-1] refuses %s', async (_what, claims) => {
    expect(await refusal(await sign(claims))).toContain('malformed')
  })

  it('[AUTH-1] takes a sub of 256 characters of any script, and an empty access', async () => {
    expect(await refusal(await sign({ sub: '🦊'.repeat(256), access: {} }))).toBeNull()
  })

  it('[AUTH-2] compares the audience where one is configured', async () => {
    expect(await refusal(await sign({ aud: 'parley' }), 'parley')).toBeNull()
    expect(await refusal(await sign({ aud: ['other', 'parley'] }), 'parley')).toBeNull()
    expect(await refusal(await sign({ aud: 'other' }), 'parley')).toContain('audience')
    expect(await refusal(await sign(), 'parley')).not.toBeNull()
    expect(await refusal(await sign({ aud: 'whoever' }))).toBeNull()
  })

  it('[AUTH-2] checks a signature once, but the time on every use', async () => {
    const { verifier, environment } = await authParts()
    const token = await sign({ exp: NOW + 10, nbf: NOW - 10 })
    const first = await verifier.verify(token)
    expect(await verifier.verify(token)).toBe(first)
    environment.nowMs = NOW_MS + 9_999
    expect(await verifier.verify(token)).toBe(first)
    environment.nowMs = NOW_MS + 10_000
    await expect(verifying(verifier, token)).rejects.toThrow('expired')
    environment.nowMs = NOW_MS - 15_001
    await expect(verifying(verifier, token)).rejects.toThrow('not valid yet')
  })

  it('says nothing about keys when checking itself fails, and never lets one pass', async () => {
    const { environment, revocations } = await authParts()
    const keyOf = () => Promise.reject(new Error('the key store is on fire'))
    const keys = [{ algorithms: ['HS256'], issuer: null, keyOf }]
    const verifier = new TokenVerifier({ keys, audience: null, environment, revocations })
    await expect(verifying(verifier, await sign())).rejects.toMatchObject({
      code: 'internal',
      message: expect.not.stringContaining('fire'),
    })
  })
})

describe('issuing a token', () => {
  it('[AUTH-3] issues what the server itself accepts', async () => {
    const { issuer, verifier } = await authParts('parley')
    const { token, expiresAt } = await issuer.issue({
      sub: 'bob',
      name: 'Bob',
      access: { '*': ['read'] },
      ttlSeconds: 90,
    })
    expect(expiresAt).toBe(NOW_MS + 90_000)
    expect(await verifier.verify(token)).toMatchObject({ sub: 'bob', name: 'Bob', issuedAt: NOW, expiresAt: NOW + 90 })
    expect(decodeJwt(token)).toMatchObject({ aud: 'parley', jti: expect.stringMatching(/^[\w-]{16}$/) })
  })
})

describe('revocations', () => {
  it('[AUTH-3] void what was issued until then, and nothing that is issued after', async () => {
    const { issuer, verifier, revocations, environment } = await authParts()
    const request = { sub: 'bob', access: { '*': ['read'] as const }, ttlSeconds: 60 }
    environment.nowMs += 300
    const before = await issuer.issue(request)
    await verifier.verify(before.token)
    environment.nowMs += 300
    await revocations.revoke({
      subject: { sub: (await verifier.verify(before.token)).sub },
      until: Math.ceil(environment.nowMs / 1000),
    })
    await expect(verifying(verifier, before.token)).rejects.toThrow('revoked')
    const after = await issuer.issue(request, revocations.firstValidIssueMs('bob'))
    expect(await verifier.verify(after.token)).toMatchObject({ sub: 'bob' })
    expect(after.expiresAt).toBe(environment.nowMs + 60_000)
  })

  it('[AUTH-3] leave other principals and other tokens alone', async () => {
    const { verifier, revocations } = await authParts()
    await revocations.revoke({ subject: { jti: 'one' }, until: NOW })
    await expect(verifying(verifier, await sign({ jti: 'one' }))).rejects.toThrow('revoked')
    expect(await verifier.verify(await sign({ jti: 'two' }))).toMatchObject({ tokenId: 'two' })
    expect(await verifier.verify(await sign({ jti: undefined, sub: 'one' }))).toMatchObject({ sub: 'one' })
    await revocations.revoke({ subject: { sub: (await verifier.verify(await sign({ sub: 'one' }))).sub }, until: NOW })
    await expect(verifying(verifier, await sign({ sub: 'one' }))).rejects.toThrow('revoked')
    expect(await verifier.verify(await sign({ sub: 'jti:one' }))).toMatchObject({ sub: 'jti:one' })
  })

  it('[AUTH-3] take a token that does not say when it was issued for an old one', async () => {
    const { verifier, revocations } = await authParts()
    const token = await sign({ iat: undefined })
    const { sub } = await verifier.verify(token)
    await revocations.revoke({ subject: { sub }, until: 1 })
    await expect(verifying(verifier, token)).rejects.toThrow('revoked')
  })

  it('[AUTH-3] are always taken, however many there are', async () => {
    const revocations = await Revocations.load(revocationStorage())
    for (let n = 0; n <= 100_001; n++) await revocations.revoke({ subject: { jti: String(n) }, until: NOW })
    const sub = toPrincipalId('alice')
    expect(revocations.isRevoked({ sub, tokenId: '100001', issuedAt: NOW })).toBe(true)
    expect(revocations.isRevoked({ sub, tokenId: '100002', issuedAt: NOW })).toBe(false)
  })

  it('[AUTH-1] a life of over ten years is refused, with a time of issue or without', async () => {
    const { verifier } = await authParts()
    const decade = 10 * 366 * 24 * 3600
    for (const iat of [NOW - 60, undefined]) {
      const from = iat ?? NOW
      expect(await verifier.verify(await sign({ iat, exp: from + decade }))).toMatchObject({ expiresAt: from + decade })
      await expect(verifying(verifier, await sign({ iat, exp: from + decade + 60 }))).rejects.toThrow('decade')
    }
  })

  it('[AUTH-3] survive a restart', async () => {
    const { verifier, revocations, storage } = await authParts()
    const { sub } = await verifier.verify(await sign())
    await revocations.revoke({ subject: { sub }, until: NOW })
    const again = await Revocations.load(storage)
    expect(again.isRevoked({ sub, tokenId: null, issuedAt: NOW })).toBe(true)
    expect(again.isRevoked({ sub, tokenId: null, issuedAt: NOW + 0.001 })).toBe(false)
  })

  it('[AUTH-3] are on disk before anything acts on them, and an earlier one never shortens a later', async () => {
    const storage = revocationStorage()
    const revocations = await Revocations.load(storage)
    let heard = 0
    const stop = revocations.onRevoked(() => (heard += 1))
    const { sub } = await (await authParts()).verifier.verify(await sign())
    await revocations.revoke({ subject: { sub }, until: NOW })
    await revocations.revoke({ subject: { sub }, until: NOW - 100 })
    expect(revocations.isRevoked({ sub, tokenId: null, issuedAt: NOW })).toBe(true)
    stop()
    await revocations.revoke({ subject: { sub }, until: NOW + 1 })
    expect(heard, 'the earlier one is no news').toBe(1)
    expect(storage.rows).toHaveLength(3)

    vi.spyOn(storage, 'revoke').mockRejectedValueOnce(new Error('disk full'))
    await expect(revocations.revoke({ subject: { jti: 'x' }, until: NOW })).rejects.toThrow('disk full')
    expect(revocations.isRevoked({ sub, tokenId: 'x', issuedAt: NOW + 1.5 })).toBe(false)
  })
})

describe('revocations of other nodes', () => {
  async function following() {
    const storage = revocationStorage()
    const environment = new ManualEnvironment(NOW_MS)
    const revocations = await Revocations.load(storage)
    let heard = 0
    revocations.onRevoked(() => (heard += 1))
    const job = new Jobs(environment, () => undefined).start(revocations.following(environment))
    const sub = toPrincipalId('alice')
    const isRevoked = (issuedAt = NOW): boolean => revocations.isRevoked({ sub, tokenId: null, issuedAt })
    return { storage, environment, revocations, sub, isRevoked, stop: () => job.stop(), heard: () => heard }
  }

  it('[SYNC-8] [NOTE-7] count here within 5 s, and are told once', async () => {
    const { storage, environment, sub, isRevoked, heard } = await following()
    await environment.advance(60_000)
    storage.rows.push({ subject: { sub }, until: NOW + 60 }, { subject: { jti: 'x' }, until: NOW + 60 })
    expect(isRevoked()).toBe(false)
    await environment.advance(5_000)
    expect(isRevoked()).toBe(true)
    await environment.advance(60_000)
    expect(heard()).toBe(1)
  })

  it('[SYNC-8] count although they became visible minutes after their time, or the database was away', async () => {
    const { storage, environment, sub, isRevoked, heard } = await following()
    const reading = vi.spyOn(storage, 'revocations')
    await environment.advance(60_000)
    storage.rows.push({ subject: { sub }, until: NOW - 300 })
    await environment.advance(5_000)
    expect(isRevoked(NOW - 301)).toBe(true)
    reading.mockRejectedValue(new Error('connection lost'))
    storage.rows.push({ subject: { sub }, until: NOW + 66 })
    await environment.advance(3_600_000)
    expect(isRevoked()).toBe(false)
    reading.mockRestore()
    await environment.advance(5_000)
    expect(isRevoked()).toBe(true)
    expect(heard()).toBe(2)
  })

  it('are read from where the last read left off, not all over again, and no more once it was stopped', async () => {
    const { storage, environment, stop } = await following()
    const reading = vi.spyOn(storage, 'revocations')
    await environment.advance(20_000)
    expect(reading.mock.calls.length).toBeLessThanOrEqual(20)
    expect(reading.mock.lastCall?.[0]).toBeGreaterThan(NOW - 3_600)
    await stop()
    reading.mockClear()
    await environment.advance(20_000)
    expect(reading).not.toHaveBeenCalled()
    expect(environment.pending).toBe(0)
  })
})

describe('the token of a request', () => {
  const from = (authorization: string | undefined, url = '/', query = false) =>
    tokenFromRequest({ headers: authorization === undefined ? {} : { authorization }, url }, { query })

  it('[AUTH-1] stands in the Authorization header', () => {
    expect(from('Bearer a.b-_~+/c==')).toEqual({ kind: 'token', token: 'a.b-_~+/c==' })
    expect(from('bEARER   x')).toEqual({ kind: 'token', token: 'x' })
    for (const header of ['Bearer', 'Bearer ', 'Bearer a b', 'Bearer a,b', 'Bearer =', 'Bearer "a"']) {
      expect(from(header), header).toEqual({ kind: 'malformed' })
    }
    for (const header of [undefined, '', 'Basic YTpi', 'Bearerx', 'Token x'])
      expect(from(header), header).toEqual({ kind: 'none' })
  })

  it('[AUTH-1] counts in the query only where the route says so, and the header wins', () => {
    expect(from(undefined, '/x?token=t')).toEqual({ kind: 'none' })
    expect(from(undefined, '/x?a=1&token=t%2e', true)).toEqual({ kind: 'token', token: 't.' })
    expect(from('Bearer h', '/x?token=q', true)).toEqual({ kind: 'token', token: 'h' })
    expect(from(undefined, '/x', true)).toEqual({ kind: 'none' })
    expect(from(undefined, '/token=t', true)).toEqual({ kind: 'none' })
    for (const query of ['token=', 'token=a&token=b'])
      expect(from(undefined, `/x?${query}`, true)).toEqual({ kind: 'malformed' })
  })
})
