import { describe, expect, it } from 'vitest'
import { PROBLEMS } from '../../server/foundation/problemTable.ts'
import { json, server } from './httpRoutes.ts'
import { bearer, PUBLIC_URL } from './httpServer.ts'

describe('problem documents', () => {
  it('[API-2] every error is application/problem+json with all members', async () => {
    const answer = await server().inject({ url: '/documents/doc:a?x=%41', headers: { ...bearer('reader') } })
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(answer.json()).toEqual({
      type: `${PUBLIC_URL}/problems/invalid-request`,
      title: PROBLEMS['invalid-request'].title,
      status: 400,
      detail: 'The query string holds the unknown parameter `x`.',
      instance: '/documents/doc:a',
      code: 'invalid-request',
      retryable: false,
    })
  })

  it('[API-2] `type` leads to a page of this server, for every code there is', async () => {
    const app = server()
    for (const code of Object.keys(PROBLEMS)) {
      const answer = await app.inject({ url: `/problems/${code}`, headers: { accept: 'text/html' } })
      expect(answer.statusCode, code).toBe(200)
      expect(answer.headers['content-type']).toBe('text/html; charset=utf-8')
      expect(answer.headers['content-security-policy']).toContain("default-src 'none'")
      expect(answer.body).toContain(`<code>${code}</code>`)
    }
    expect((await app.inject('/problems')).body).toContain('problems/version-conflict')
  })

  it('[API-2] the page is JSON for those who ask, and 404 for names that are none', async () => {
    const app = server()
    const page = await app.inject({ url: '/problems/weak-etag', headers: { accept: 'application/json' } })
    expect(page.json()).toMatchObject({ code: 'weak-etag', status: 409, type: `${PUBLIC_URL}/problems/weak-etag` })
    for (const name of ['nope', 'constructor', '__proto__', '<script>']) {
      const answer = await app.inject(`/problems/${encodeURIComponent(name)}`)
      expect(answer.json(), name).toMatchObject({ code: 'not-found' })
    }
  })

  it('[API-2] the page allows its own style by hash and nothing else', async () => {
    const { createHash } = await import('node:crypto')
    const answer = await server().inject('/problems/forbidden')
    const style = /<style>([^]*)<\/style>/.exec(answer.body)?.[1] ?? ''
    const hash = createHash('sha256').update(style).digest('base64')
    expect(answer.headers['content-security-policy']).toContain(`style-src 'sha256-${hash}'`)
    expect(answer.body).not.toMatch(/<script| style=| on[a-z]+=/)
  })

  it('[API-2] an unexpected error says nothing of the inside, and is logged with its request id', async () => {
    const lines: string[] = []
    const app = server({ logLevel: 'error', logStream: { write: (line) => lines.push(line) } })
    const answer = await app.inject('/broken')
    expect(answer.json()).toMatchObject({ code: 'internal', status: 500, retryable: true })
    expect(answer.body).not.toContain('secret of the house')
    const logged: unknown = JSON.parse(lines.join(''))
    expect(logged).toMatchObject({ err: { message: 'secret of the house' } })
    expect(answer.json<{ detail: string }>().detail).toContain((logged as { reqId: string }).reqId)
  })

  it('[API-2] extra members are kept but never replace one that every problem has', async () => {
    const answer = await server().inject('/damaged')
    expect(answer.statusCode).toBe(500)
    expect(answer.json()).toMatchObject({ status: 500, code: 'document-damaged', note: 'kept' })
  })

  it('says when to try again after a 503', async () => {
    const answer = await server().inject('/busy')
    expect(answer).toMatchObject({ statusCode: 503, headers: { 'retry-after': '1' } })
  })

  it('[API-2] a path unknown to every method is 404, in both prefixes, whatever the body', async () => {
    const app = server()
    for (const url of ['/nowhere', '/v1/nowhere', '/', '/documents/doc:a/']) {
      const answer = await app.inject({ method: 'POST', url, headers: json, payload: '{' })
      expect(answer.json(), url).toMatchObject({ code: 'not-found', status: 404 })
    }
  })

  it('[API-4] a known path with another method is 405 with Allow, without a look at the body', async () => {
    const app = server()
    const answer = await app.inject({ method: 'POST', url: '/documents/doc:a', headers: json, payload: '{' })
    expect(answer.json()).toMatchObject({ code: 'method-not-allowed', status: 405 })
    expect(answer.headers['allow']).toBe('GET, HEAD, PUT, DELETE, OPTIONS')
    const other = await app.inject({ method: 'TRACE' as 'GET', url: '/v1/actions' })
    expect(other).toMatchObject({ statusCode: 405, headers: { allow: 'POST, OPTIONS' } })
  })

  it('answers OPTIONS with what the path takes', async () => {
    const app = server()
    const known = await app.inject({ method: 'OPTIONS', url: '/documents/doc:a/content' })
    expect(known).toMatchObject({ statusCode: 204, body: '', headers: { allow: 'PUT, PATCH, OPTIONS' } })
    expect((await app.inject({ method: 'OPTIONS', url: '/nowhere' })).statusCode).toBe(404)
  })
})
