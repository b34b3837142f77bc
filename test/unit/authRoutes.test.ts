import { decodeJwt } from 'jose'
import { afterEach, describe, expect, it } from 'vitest'
import type { FastifyInstance } from 'fastify'
import { authRoutes } from '../../server/api/tokens.ts'
import { guestRoutes } from '../../server/api/guest.ts'
import { yieldTurn } from '../../server/foundation/turns.ts'
import { authParts, NOW, NOW_MS, sign } from './authSupport.ts'
import { bearer, serverWith } from './httpServer.ts'
import { eventually } from '../support/waitFor.ts'

const started: FastifyInstance[] = []
afterEach(async () => {
  await Promise.all(started.splice(0).map((app) => app.close()))
})

async function authServer() {
  const parts = await authParts()
  const app = serverWith(
    async (instance) => {
      await instance.register(authRoutes(parts))
      await instance.register(guestRoutes(parts))
      instance.get('/me', { config: { access: 'authenticated' } }, (request) => ({
        sub: request.principal.sub,
        name: request.principal.name,
      }))
      instance.get(
        '/events',
        { config: { access: 'authenticated', queryToken: true, openQuery: true } },
        (request) => ({
          sub: request.principal.sub,
        }),
      )
    },
    { authenticate: (token) => parts.verifier.verify(token) },
  )
  started.push(app)
  const post = async (url: string, token: string | null, payload: object, headers: Record<string, string> = {}) => {
    const answer = await app.inject({
      method: 'POST',
      url,
      headers: { ...(token ? bearer(token) : {}), ...headers },
      payload,
    })
    return { status: answer.statusCode, headers: answer.headers, body: answer.json<Record<string, string>>() }
  }
  const me = async (token: string) => app.inject({ url: '/me', headers: bearer(token) })
  return { ...parts, app, post, me }
}

const admin = (access: object = { '*': ['admin'] }): Promise<string> => sign({ sub: 'root', access })

describe('401', () => {
  it('[AUTH-2] carries a challenge, and says why only when a token was sent', async () => {
    const { app, me } = await authServer()
    const none = await app.inject('/me')
    expect(none).toMatchObject({ statusCode: 401, headers: { 'www-authenticate': 'Bearer realm="parley"' } })
    const other = await app.inject({ url: '/me', headers: { authorization: 'Basic YTpi' } })
    expect(other.headers['www-authenticate']).toBe('Bearer realm="parley"')
    const expired = await me(await sign({ exp: NOW }))
    expect(expired.json()).toMatchObject({ code: 'unauthenticated', status: 401, detail: 'The token has expired.' })
    expect(expired.headers['www-authenticate']).toBe(
      'Bearer realm="parley", error="invalid_token", error_description="The token has expired"',
    )
    const broken = await app.inject({ url: '/me', headers: { authorization: 'Bearer a b' } })
    expect(broken.headers['www-authenticate']).toContain('invalid_token')
  })

  it('[AUTH-1] ?token= counts on the routes that say so, and nowhere else', async () => {
    const { app } = await authServer()
    const token = await sign()
    expect((await app.inject(`/events?token=${token}`)).json()).toEqual({ sub: 'alice' })
    expect((await app.inject(`/me?token=${token}`)).statusCode).toBe(401)
    const both = await app.inject({ url: `/me?token=${token}`, headers: bearer(token) })
    expect(both.json()).toMatchObject({ status: 400, detail: expect.stringContaining('`token`') })
  })
})

describe('POST /tokens', () => {
  const request = { sub: 'bob', access: { 'team:notes': ['read', 'write'] }, ttlSeconds: 60 }

  it('[AUTH-3] issues a token that is valid at once', async () => {
    const { post, me } = await authServer()
    const { status, headers, body } = await post('/tokens', await admin(), { ...request, name: 'Bob' })
    expect(status).toBe(201)
    expect(headers['cache-control']).toBe('no-store')
    expect(body['expiresAt']).toBe(new Date(NOW_MS + 60_000).toISOString())
    expect(Object.keys(body)).toEqual(['token', 'expiresAt'])
    expect((await me(body['token'] ?? '')).json()).toEqual({ sub: 'bob', name: 'Bob' })
    expect(decodeJwt(body['token'] ?? '')['access']).toEqual(request.access)
  })

  it.each([
    ['the same pattern', { 'team:*': ['admin'] }, { 'team:*': ['write'] }, 201],
    ['a narrower pattern', { 'team:*': ['admin'] }, { 'team:a*': ['admin'] }, 201],
    ['an id under the pattern', { 'team:*': ['admin'] }, { 'team:a': ['read'] }, 201],
    ['an id of its own', { 'team:a': ['admin'] }, { 'team:a': ['resolve'] }, 201],
    ['two grants that cover one each', { 'a*': ['admin'], 'b*': ['admin'] }, { a1: ['read'], 'b*': ['read'] }, 201],
    ['nothing at all', { 'team:*': ['admin'] }, {}, 201],
    ['a wider pattern', { 'team:*': ['admin'] }, { 'team*': ['read'] }, 403],
    ['everything', { 'team:*': ['admin'] }, { '*': ['read'] }, 403],
    ['an id elsewhere', { 'team:*': ['admin'] }, { other: ['read'] }, 403],
    ['another id', { 'team:a': ['admin'] }, { 'team:b': ['read'] }, 403],
    ['a pattern from an id', { 'team:a': ['admin'] }, { 'team:a*': ['read'] }, 403],
    ['one of two', { 'a*': ['admin'] }, { a1: ['read'], b1: ['read'] }, 403],
    ['what one may only read', { 'a*': ['admin'], '*': ['read', 'write'] }, { b: ['read'] }, 403],
    ['anything without admin', { '*': ['read', 'write', 'resolve', 'overwrite'] }, { a: ['read'] }, 403],
  ])('[AUTH-3] no one issues more than they have: %s', async (_what, own, access, status) => {
    const { post } = await authServer()
    expect((await post('/tokens', await admin(own), { ...request, sub: 'root', access })).status).toBe(status)
  })

  it.each([
    ['another, with admin on everything', { '*': ['admin'] }, 'bob', 201],
    ['another, with admin on some documents', { 'team:*': ['admin'] }, 'bob', 403],
    ['oneself, with admin on some documents', { 'team:*': ['admin'] }, 'root', 201],
  ])('[AUTH-3] no one issues for whom they are not: %s', async (_what, own, sub, status) => {
    const { post } = await authServer()
    const access = { 'team:notes': ['write'] }
    expect((await post('/tokens', await admin(own), { ...request, sub, access })).status).toBe(status)
  })

  it('[AUTH-3] no token outlives the one that made it, unless that is admin on everything', async () => {
    const { post } = await authServer()
    const access = { 'team:notes': ['write'] }
    const maker = (own: object) => sign({ sub: 'root', access: own, exp: NOW + 100 })
    const issue = async (own: object, ttlSeconds: number) =>
      post('/tokens', await maker(own), { sub: 'root', access, ttlSeconds })
    expect((await issue({ 'team:*': ['admin'] }, 100)).status).toBe(201)
    const { status, body } = await issue({ 'team:*': ['admin'] }, 101)
    expect([status, body['detail']]).toEqual([403, expect.stringContaining(new Date(NOW_MS + 100_000).toISOString())])
    expect((await issue({ '*': ['admin'] }, 10_000)).status).toBe(201)
  })

  it.each([
    ['no ttl', { sub: 'bob', access: {} }],
    ['a ttl of 0', { ...request, ttlSeconds: 0 }],
    ['a ttl that is no integer', { ...request, ttlSeconds: 1.5 }],
    ['a ttl as a string', { ...request, ttlSeconds: '60' }],
    ['an endless ttl', { ...request, ttlSeconds: 1e12 }],
    ['an empty sub', { ...request, sub: '' }],
    ['an unknown permission', { ...request, access: { a: ['fly'] } }],
    ['a pattern that is none', { ...request, access: { 'a*b': ['read'] } }],
    ['an unknown member', { ...request, admin: true }],
  ])('[AUTH-3] refuses %s', async (_what, body) => {
    const { post } = await authServer()
    const answer = await post('/tokens', await admin(), body)
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid-request' } })
  })

  it('[API-4] needs a token, then admin, before it looks at the body', async () => {
    const { post } = await authServer()
    expect((await post('/tokens', null, { nonsense: 1 })).status).toBe(401)
    expect((await post('/tokens', await sign(), { nonsense: 1 })).status).toBe(403)
    expect((await post('/tokens', await admin(), { nonsense: 1 })).status).toBe(400)
  })

  it('takes no Idempotency-Key: a token is not kept to be sent again', async () => {
    const { post } = await authServer()
    expect((await post('/tokens', await admin(), request, { 'idempotency-key': 'x' })).status).toBe(400)
  })
})

describe('POST /revocations', () => {
  it('[AUTH-3] is answered when a token counts that is issued by a clock two seconds behind', async () => {
    const { post, me, environment } = await authServer()
    let isAnswered = false
    const revoking = post('/revocations', await admin(), { sub: 'bob' }).then(() => (isAnswered = true))
    await eventually(async () => expect((await me(await sign({ sub: 'bob', iat: NOW - 60 }))).statusCode).toBe(401))
    environment.advance(4_000)
    await yieldTurn()
    expect(isAnswered).toBe(false)
    environment.advance(2_000)
    await revoking
    const nowSeconds = Math.floor(environment.now() / 1_000)
    const bob = { sub: 'bob', exp: nowSeconds + 60 }
    expect((await me(await sign({ ...bob, iat: nowSeconds - 2 }))).statusCode).toBe(200)
    // What was issued in the second of the revocation or before it never counts again, also by a clock two seconds ahead.
    for (const iat of [NOW + 2, NOW + 1, NOW, NOW - 1, NOW - 2])
      expect((await me(await sign({ ...bob, iat }))).statusCode).toBe(401)
  })

  it('[AUTH-3] ends every token of a sub, and lets new ones be issued in the same moment', async () => {
    const { post, me, environment } = await authServer()
    const root = await admin()
    const request = { sub: 'bob', access: { '*': ['read'] }, ttlSeconds: 60 }
    const before = (await post('/tokens', root, request)).body['token'] ?? ''
    expect((await me(before)).statusCode).toBe(200)
    const revoking = post('/revocations', root, { sub: 'bob' })
    await eventually(async () =>
      expect((await me(before)).json()).toMatchObject({ code: 'unauthenticated', detail: 'The token was revoked.' }),
    )
    const after = (await post('/tokens', root, request)).body['token'] ?? ''
    expect((await me(after)).statusCode).toBe(200)
    expect((await me(root)).statusCode).toBe(200)
    environment.advance(6_000)
    expect(await revoking).toMatchObject({ status: 201, body: { sub: 'bob' } })
  })

  it('[AUTH-3] ends one token by its id', async () => {
    const { post, me } = await authServer()
    // Its issuer's clock is a minute ahead.
    const [one, two] = [await sign({ jti: 'one', iat: NOW + 60 }), await sign({ jti: 'two' })]
    expect(await post('/revocations', await admin(), { jti: 'one' })).toMatchObject({
      status: 201,
      body: { jti: 'one' },
    })
    expect([(await me(one)).statusCode, (await me(two)).statusCode]).toEqual([401, 200])
  })

  it('[AUTH-3] needs admin on everything', async () => {
    const { post, storage } = await authServer()
    expect((await post('/revocations', null, { sub: 'bob' })).status).toBe(401)
    expect((await post('/revocations', await admin({ 'team:*': ['admin'] }), { sub: 'bob' })).status).toBe(403)
    expect((await post('/revocations', await sign(), {})).status).toBe(403)
    expect(storage.rows).toEqual([])
  })

  it.each([[{}], [{ sub: 'a', jti: 'b' }], [{ sub: '' }], [{ jti: 5 }], [{ sub: 'a', until: 1 }]])(
    'refuses %j',
    async (body) => {
      const { post, storage } = await authServer()
      expect((await post('/revocations', await admin(), body)).status).toBe(400)
      expect(storage.rows).toEqual([])
    },
  )
})

describe('POST /demo/token', () => {
  const page = { host: 'localhost:4090', 'sec-fetch-site': 'same-origin', origin: 'http://localhost:4090' }

  it('[AUTH-5] hands the page a token that reads, writes and resolves, but governs nothing', async () => {
    const { app, post, me } = await authServer()
    const answer = await app.inject({ method: 'POST', url: '/demo/token', headers: page })
    expect(answer).toMatchObject({ statusCode: 201, headers: { 'cache-control': 'no-store' } })
    const { token, sub, name } = answer.json<Record<string, string>>()
    expect(sub).toMatch(/^guest-[a-z2-7]{10}$/)
    expect(name).toMatch(/^[A-Z][a-z]+ [A-Z][a-z]+$/)
    expect((await me(token ?? '')).json()).toEqual({ sub, name })
    expect(decodeJwt(token ?? '')['access']).toEqual({ '*': ['read', 'write', 'resolve'] })
    expect((await post('/tokens', token ?? '', {})).status).toBe(403)
  })

  it('[AUTH-5] lets a page stay who it was, and makes others someone else', async () => {
    const { post } = await authServer()
    const first = await post('/demo/token', null, {}, page)
    const again = await post('/demo/token', null, { sub: first.body['sub'] }, page)
    const other = await post('/demo/token', null, {}, page)
    expect(again.body).toMatchObject({ sub: first.body['sub'], name: first.body['name'] })
    expect(other.body['sub']).not.toBe(first.body['sub'])
  })

  it.each(['root', 'guest-', 'guest-ABCDEFGHIJ', 'guest-abcdefghijk', 'xguest-abcdefghij', 5])(
    '[AUTH-5] makes nobody %j',
    async (sub) => {
      const { post } = await authServer()
      expect((await post('/demo/token', null, { sub }, page)).status).toBe(400)
    },
  )

  it.each([
    ['a rebound name', { host: 'evil.example:4090' }],
    ['a name that only begins so', { host: 'localhost.evil.example' }],
    ['an address of the network', { host: '192.168.1.5:4090' }],
    ["another site's page", { ...page, 'sec-fetch-site': 'cross-site' }],
    ['another port of this machine', { ...page, 'sec-fetch-site': 'same-site', origin: 'http://localhost:3000' }],
    ['another origin in an old browser', { host: 'localhost:4090', origin: 'https://evil.example' }],
    ['an opaque origin', { host: 'localhost:4090', origin: 'null' }],
    ['a link or bookmark', { ...page, 'sec-fetch-site': 'none' }],
  ])('[AUTH-5] refuses %s', async (_what, headers) => {
    const { post } = await authServer()
    expect(await post('/demo/token', null, {}, headers)).toMatchObject({ status: 403, body: { code: 'forbidden' } })
  })

  it.each(['localhost', '127.0.0.1:4090', '127.8.9.1', '[::1]:4090', 'LOCALHOST:1', 'demo.localhost:4090'])(
    '[AUTH-5] knows %s for this machine',
    async (host) => {
      const { post } = await authServer()
      expect((await post('/demo/token', null, {}, { host })).status).toBe(201)
    },
  )
})
