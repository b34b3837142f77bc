import { describe, expect, it } from 'vitest'
import { JSON_PATCH, MERGE_PATCH } from '../../server/http/bodies.ts'
import { exchange, json, listening, request, server } from './httpRoutes.ts'
import { bearer } from './httpServer.ts'

describe('bodies and queries', () => {
  const put = (payload: string | Buffer, headers: Record<string, string> = json) =>
    server().inject({ method: 'PUT', url: '/documents/doc:a', headers: { ...bearer('writer'), ...headers }, payload })

  it('refuses unknown members and names them', async () => {
    const answer = await put('{"content":"x","colour":1}')
    expect(answer.json()).toMatchObject({
      code: 'invalid-request',
      detail: 'The body holds the unknown member `colour`.',
    })
  })

  it('coerces nothing, drops nothing, adds nothing', async () => {
    const wrong = await put('{"content":"x","baseVersion":"5"}')
    expect(wrong.json()).toMatchObject({ code: 'invalid-request', detail: expect.stringContaining('/baseVersion') })
    const content = { a: null, constructor: { prototype: 1 }, n: 1.5 }
    expect((await put(JSON.stringify({ content }))).json()).toEqual({ got: content, by: 'writer' })
  })

  it('names what is missing, also where a body is', async () => {
    expect((await put('{}')).json()).toMatchObject({ detail: 'The body lacks `content`.' })
    expect((await put('')).json()).toMatchObject({ code: 'invalid-request', detail: 'The body must be object.' })
    expect((await put('[]')).json()).toMatchObject({ code: 'invalid-request' })
    expect((await put('null')).json()).toMatchObject({ code: 'invalid-request' })
  })

  it('of a union tells about the branch that was meant', async () => {
    const post = async (payload: object) =>
      (await server().inject({ method: 'POST', url: '/actions', headers: bearer('reader'), payload })).json<{
        detail: string
      }>()
    expect((await post({ action: 'put', content: 5 })).detail).toContain('/content')
    expect((await post({ action: 'delete', baseVersion: 1, force: true })).detail).toContain('force')
  })

  it('is strict about JSON', async () => {
    for (const payload of [
      '{',
      '{"content":"a","content":"b"}',
      '{"content":"\\ud800"}',
      '{"content":{"__proto__":1}}',
    ]) {
      expect((await put(payload)).json(), payload).toMatchObject({ code: 'invalid-json', status: 400 })
    }
    expect((await put(Buffer.from([0x22, 0xff, 0x22]))).json()).toMatchObject({ code: 'invalid-json' })
  })

  it('takes UTF-8 only', async () => {
    expect((await put('{"content":"x"}', { 'content-type': 'application/json; charset="UTF-8"' })).statusCode).toBe(200)
    for (const charset of ['utf-16', 'iso-8859-1', '"latin1"', '']) {
      const answer = await put('{"content":"x"}', { 'content-type': `application/json;charset=${charset}` })
      expect(answer.json(), charset).toMatchObject({ code: 'unsupported-media-type', status: 415 })
    }
  })

  it('refuses other types, encoded bodies, and a body without a type', async () => {
    for (const type of ['text/plain', 'application/xml', 'application/jsonx', 'nonsense', 'application/json/x']) {
      expect((await put('{"content":"x"}', { 'content-type': type })).statusCode, type).toBe(415)
    }
    expect((await put('{"content":"x"}', { ...json, 'content-encoding': 'br' })).statusCode).toBe(415)
    const { port } = await listening()
    const bare = await exchange(port, request('PUT /documents/doc:a', 'writer', 'Content-Length: 2', '{}'))
    expect(bare).toMatch(/^HTTP\/1.1 415 /)
  })

  it('lists what a path takes', async () => {
    const answer = await server().inject({
      method: 'PATCH',
      url: '/documents/doc:a/content',
      headers: { ...bearer('writer'), ...json },
      payload: '{}',
    })
    expect(answer).toMatchObject({ statusCode: 415, headers: { 'accept-patch': `${MERGE_PATCH}, ${JSON_PATCH}` } })
    const patched = await server().inject({
      method: 'PATCH',
      url: '/documents/doc:a/content',
      headers: { ...bearer('writer'), 'content-type': `${MERGE_PATCH}; charset=utf-8` },
      payload: '{"a":null}',
    })
    expect(patched.json()).toEqual({ got: { a: null } })
  })

  it('keeps text to the byte', async () => {
    const text = '\ufeffa\r\nb\u0000\u2028😀\r'
    const answer = await server().inject({
      method: 'PUT',
      url: '/documents/doc:a/content',
      headers: { ...bearer('writer'), 'content-type': 'text/plain; charset=utf-8' },
      payload: text,
    })
    expect(answer.json()).toEqual({ got: text, length: text.length })
  })

  it('refuses text that is not UTF-8, and takes an empty one', async () => {
    const send = (payload: Buffer) =>
      server().inject({
        method: 'PUT',
        url: '/documents/doc:a/content',
        headers: { ...bearer('writer'), 'content-type': 'text/plain' },
        payload,
      })
    expect((await send(Buffer.from([0x61, 0xe9]))).json()).toMatchObject({ code: 'invalid-request', status: 400 })
    expect((await send(Buffer.alloc(0))).json()).toEqual({ got: '', length: 0 })
  })

  it('lets routes without a body be called with none or an empty object, and nothing else', async () => {
    const send = (payload?: string, headers: Record<string, string> = json) =>
      server().inject({
        method: 'DELETE',
        url: '/documents/doc:a',
        headers: { ...bearer('writer'), ...headers },
        ...(payload === undefined ? {} : { payload }),
      })
    expect((await send(undefined, {})).statusCode).toBe(204)
    expect((await send()).statusCode).toBe(204)
    expect((await send('{}')).statusCode).toBe(204)
    expect((await send('{"force":true}')).json()).toMatchObject({
      code: 'invalid-request',
      detail: expect.stringContaining('force'),
    })
    expect((await send('x', { 'content-type': 'text/plain' })).statusCode).toBe(415)
  })

  it('refuses query parameters that are unknown, repeated or badly encoded', async () => {
    const get = async (query: string) => {
      const answer = await server().inject({ url: `/documents?${query}`, headers: bearer('reader') })
      return { status: answer.statusCode, ...answer.json<object>() }
    }
    expect(await get('limit=5')).toEqual({ status: 200, limit: '5' })
    expect(await get('lim=5')).toMatchObject({ status: 400, detail: expect.stringContaining('`lim`') })
    expect(await get('limit=5&limit=6')).toMatchObject({ status: 400, detail: expect.stringContaining('limit') })
    expect(await get('limit=%zz')).toMatchObject({ status: 400, detail: expect.stringContaining('percent') })
    expect(await get('limit=%ff')).toMatchObject({ status: 400 })
    expect(await get('__proto__=1')).toMatchObject({ status: 400 })
    expect(await get('token=abc')).toMatchObject({ status: 400 })
  })

  it('leaves the query of a page to its script', async () => {
    const answer = await server().inject({ method: 'POST', url: '/stream?token=reader&anything=%zz' })
    expect(answer.statusCode).toBe(200)
  })
})

describe('sizes', () => {
  const limit = 64 * 1024
  const putText = (url: string, size: number) =>
    fetch(`${url}/documents/doc:a/content`, {
      method: 'PUT',
      headers: { ...bearer('writer'), 'content-type': 'text/plain' },
      body: 'x'.repeat(size),
    })

  it('takes a text of exactly the content limit, and answers 413 to one byte more', async () => {
    const { url } = await listening({ maxContentBytes: limit })
    expect((await putText(url, limit)).status).toBe(200)
    const refused = await putText(url, limit + 1)
    expect(refused.status).toBe(413)
    expect(await refused.json()).toMatchObject({
      code: 'content-too-large',
      retryable: false,
      detail: expect.stringContaining(`${limit} bytes`),
    })
  })

  it('takes a content of control characters, six times as long when escaped', async () => {
    const { url } = await listening({ maxContentBytes: limit })
    const put = (content: string) =>
      fetch(`${url}/documents/doc:a`, {
        method: 'PUT',
        headers: { ...bearer('writer'), ...json },
        body: JSON.stringify({ content }),
      })
    expect((await put('\u0001'.repeat(limit))).status).toBe(200)
    expect((await put('\u0001'.repeat(limit + 1024 * 1024))).status).toBe(413)
  })

  it('a client that sends far too much, and reads only then, still finds the 413', async () => {
    const { port } = await listening({ maxContentBytes: limit })
    const body = 'x'.repeat(20 * 1024 * 1024)
    const length = `Content-Type: text/plain\r\nContent-Length: ${body.length}`
    const head = request('PUT /documents/doc:a/content', 'writer', length).replace('Connection: close\r\n', '')
    expect(await exchange(port, head + body, 'writes all, then reads')).toMatch(/^HTTP\/1.1 413 /)
  })

  it('counts chunked bodies too', async () => {
    const { port } = await listening({ maxContentBytes: limit })
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`
    const sent = request(
      'PUT /documents/doc:a/content',
      'writer',
      'Transfer-Encoding: chunked\r\nContent-Type: text/plain',
    )
    expect(await exchange(port, `${sent}${chunk}${chunk}0\r\n\r\n`)).toMatch(/^HTTP\/1.1 413 /)
  })
})
