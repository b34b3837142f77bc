import { Type } from '@fastify/type-provider-typebox'
import { describe, expect, it } from 'vitest'
import { CLOSED, server } from './httpRoutes.ts'
import { bearer, serverWith } from './httpServer.ts'

describe('routes', () => {
  it('[API-1] serves every route under /v1 and without prefix', async () => {
    const app = server()
    for (const prefix of ['', '/v1']) {
      const answer = await app.inject({ url: `${prefix}/documents/doc:a`, headers: bearer('reader') })
      expect(answer.json()).toEqual({ id: 'doc:a', by: 'reader' })
    }
    expect((await app.inject({ url: '/v2/documents/doc:a', headers: bearer('reader') })).statusCode).toBe(404)
  })

  it('does not start with a route that declares no access', async () => {
    const app = serverWith(async (instance) => {
      instance.get('/open', () => 'oops')
    })
    await expect(app.ready()).rejects.toThrow('/open declares no access')
  })

  it.each([
    ['body', { body: Type.Object({ a: Type.String() }) }],
    ['body', { body: Type.Union([Type.Object({ a: Type.String() }, CLOSED), Type.Object({ b: Type.String() })]) }],
    ['querystring', { querystring: Type.Object({ a: Type.String() }) }],
  ])('does not start with a route whose %s lets unknown members pass', async (part, schema) => {
    const app = serverWith(async (instance) => {
      instance.post('/loose', { config: { access: 'public' }, schema }, () => 'oops')
    })
    await expect(app.ready()).rejects.toThrow(`unknown members of its ${part}`)
  })

  it('answers HEAD as GET without the body, and tells browsers not to guess types', async () => {
    const answer = await server().inject({ method: 'HEAD', url: '/documents/doc:a', headers: bearer('reader') })
    expect(answer).toMatchObject({ statusCode: 200, body: '' })
    expect(answer.headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'content-length': '28' })
  })
})

describe('logging', () => {
  it('[AUTH-1] logs requests at debug, and never a token', async () => {
    const lines: string[] = []
    const app = server({ logLevel: 'trace', logStream: { write: (line) => lines.push(line) } })
    await app.inject({ url: '/documents/doc:a', headers: bearer('reader') })
    await app.inject({ method: 'POST', url: '/stream?token=reader-token-in-query', headers: {} })
    await app.inject({ url: '/nowhere?%74oken=reader-token-in-query', headers: bearer('reader-token-in-header') })
    await app.inject({ url: '/documents/doc:a', headers: bearer('reader-token-in-header') })
    const log = lines.join('')
    expect(log).toContain('"path":"/documents/doc:a","status":200')
    expect(log).toContain('"path":"/stream","status":401')
    expect(log).not.toContain('token-in')
    expect(log).not.toMatch(/bearer/i)
  })
})
