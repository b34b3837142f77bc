import { describe, expect, it } from 'vitest'
import { readSyncRequest, syncEndpoint } from '../../server/api/yWebsocket.ts'
import { setUp } from '../support/ySockets.ts'

describe('readSyncRequest', () => {
  const request = (url: string, headers: Record<string, string> = {}) => readSyncRequest({ url, headers })

  it('[SYNC-1] takes the whole path after /sync/ as it came', () => {
    expect(request('/sync/doc?token=t').path).toBe('doc')
    expect(request('/v1/sync/doc').path).toBe('doc')
    expect(request('/sync/fold%20er/d%C3%A9?token=t').path).toBe('fold%20er/d%C3%A9')
    expect(request('/sync/a/../b').path).toBe('a/../b')
    expect(request('/other/sync/doc').path).toBe('')
    expect(request('/sync/doc?kind=json&token=t').query.get('kind')).toBe('json')
  })

  it('[AUTH-1] takes the token of the header first, then the query, then a subprotocol that is one', () => {
    const protocols = { 'sec-websocket-protocol': 'parley, aaa.bbb.ccc' }
    expect(request('/sync/doc?token=q', { authorization: 'Bearer h', ...protocols }).token).toBe('h')
    expect(request('/sync/doc?token=q', protocols).token).toBe('q')
    expect(request('/sync/doc', protocols).token).toBe('aaa.bbb.ccc')
    expect(request('/sync/doc', { 'sec-websocket-protocol': 'parley' }).token).toBeNull()
    expect(request('/sync/doc?token=a&token=b', protocols).token).toBeNull()
  })

  it('[SYNC-6] allows frames of the content limit and one MiB', () => {
    const { endpoint } = setUp()
    const { maxPayloadBytes, chooseProtocol, serves } = syncEndpoint(endpoint, () => Promise.resolve(), {
      maxBytes: 10 * 1024 * 1024,
    })
    expect(maxPayloadBytes).toBe(11 * 1024 * 1024)
    expect([chooseProtocol([]), chooseProtocol(['a', 'b'])]).toEqual([null, 'a'])
    expect([serves('/sync/doc'), serves('/sync/'), serves('/synchronous')]).toEqual([true, true, false])
  })
})
