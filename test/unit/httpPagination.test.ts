import { Type } from '@fastify/type-provider-typebox'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeCursor, encodeCursor, PAGE_QUERY, pageAsked, pageOf } from '../../server/http/pagination.ts'
import { queryBoolean, queryInteger } from '../../server/http/validation.ts'
import { bearer, serverWith } from './httpServer.ts'

const ById = Type.Object({ after: Type.String() }, { additionalProperties: false })

describe('pages', () => {
  it.each([
    [{}, 50],
    [{ limit: '1' }, 1],
    [{ limit: '500' }, 500],
  ])('[API-5] %j asks for %i items', (query, limit) => {
    expect(pageAsked(query, ById)).toEqual({ limit, after: null })
  })

  it.each(['0', '501', '-1', '', '5.0', '1e2', '05', '+5', ' 5', '5 ', 'NaN', '0x10', '٥', '99999999999999999999'])(
    '[API-5] a limit of %j is refused',
    (limit) => {
      expect(() => pageAsked({ limit }, ById)).toThrow(expect.objectContaining({ code: 'invalid-request' }))
    },
  )

  it('[API-5] a cursor leads back to the position it was made from', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (after) => {
        expect(decodeCursor(encodeCursor({ after }), ById)).toEqual({ after })
        expect(encodeCursor({ after })).toMatch(/^[A-Za-z0-9_-]+$/)
      }),
    )
  })

  it.each([
    ['empty', ''],
    ['not base64url', '!!!'],
    ['padded', `${encodeCursor({ after: 'ab' })}=`],
    ['with bits to spare', 'eyJhZnRlciI6ImEifR'],
    ['not JSON', Buffer.from('{after}').toString('base64url')],
    ['of another list', encodeCursor({ before: 'a' })],
    ['with more in it', encodeCursor({ after: 'a', x: 1 })],
    ['with a key twice', Buffer.from('{"after":"a","after":"b"}').toString('base64url')],
    ['of another type', encodeCursor({ after: 1 })],
    ['null', encodeCursor(null)],
  ])('[API-5] a cursor that is %s is refused', (_what, cursor) => {
    expect(() => pageAsked({ cursor }, ById)).toThrow(expect.objectContaining({ code: 'invalid-cursor' }))
  })

  it('[API-5] nextCursor is there exactly when there is more', () => {
    const page = (found: number[]) =>
      pageOf(
        found,
        2,
        (n) => n * 10,
        (n) => ({ after: String(n) }),
      )
    expect(page([1, 2, 3])).toEqual({ items: [10, 20], nextCursor: encodeCursor({ after: '2' }) })
    expect(page([1, 2])).toEqual({ items: [10, 20] })
    expect(page([])).toEqual({ items: [] })
  })

  it('[API-5] a bad limit or cursor is a 400 of its own kind over HTTP', async () => {
    const app = serverWith(async (instance) => {
      const querystring = Type.Object(PAGE_QUERY, { additionalProperties: false })
      instance.get('/list', { config: { access: 'authenticated' }, schema: { querystring } }, (request) =>
        pageAsked(request.query, ById),
      )
    })
    const get = async (query: string) =>
      (await app.inject({ url: `/list?${query}`, headers: bearer('reader') })).json<object>()
    expect(await get('limit=7')).toEqual({ limit: 7, after: null })
    expect(await get('limit=x')).toMatchObject({
      status: 400,
      code: 'invalid-request',
      detail: expect.stringContaining('`limit`'),
    })
    expect(await get('cursor=x')).toMatchObject({ status: 400, code: 'invalid-cursor' })
    expect(await get('page=2')).toMatchObject({ status: 400, code: 'invalid-request' })
    await app.close()
  })
})

describe('values in a query string', () => {
  const version = { name: 'baseVersion', minimum: 0, maximum: Number.MAX_SAFE_INTEGER }

  it('are integers where they should be', () => {
    expect(queryInteger(undefined, version)).toBeNull()
    expect(queryInteger('0', version)).toBe(0)
    expect(queryInteger('9007199254740991', version)).toBe(Number.MAX_SAFE_INTEGER)
    for (const text of ['9007199254740993', '-0', '-1', '1.5', '1e3', 'null', '']) {
      expect(() => queryInteger(text, version), text).toThrow('`baseVersion`')
    }
    expect(queryInteger('-5', { name: 'x', minimum: -5, maximum: 5 })).toBe(-5)
  })

  it('are booleans where they should be', () => {
    expect([undefined, 'true', 'false'].map((text) => queryBoolean(text, 'break'))).toEqual([false, true, false])
    for (const text of ['1', 'TRUE', '']) expect(() => queryBoolean(text, 'break'), text).toThrow('`break`')
  })
})
