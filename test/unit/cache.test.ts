import { describe, expect, it } from 'vitest'
import { cacheOf } from '../../server/foundation/cache.ts'

describe('a cache', () => {
  it('holds as many as it may, and then what was asked for last', () => {
    const cache = cacheOf<string, number>(3)
    for (const [n, key] of ['a', 'b', 'c'].entries()) cache.set(key, n)
    expect(cache.get('a')).toBe(0)
    cache.set('d', 3)
    expect(['a', 'b', 'c', 'd'].map((key) => cache.has(key))).toEqual([true, false, true, true])
  })

  it('holds at most so much together, and no more of what is small than of all', () => {
    const cache = cacheOf<string, string>(10, { together: 100, of: (text) => text.length })
    cache.set('large', 'x'.repeat(95))
    cache.set('small', 'x')
    expect([cache.has('large'), cache.has('small')]).toEqual([false, true])
    for (let n = 0; n < 20; n++) cache.set(`small ${n}`, 'x')
    expect(cache.size).toBe(10)
    cache.set('too large', 'x'.repeat(101))
    expect(cache.has('too large')).toBe(false)
  })
})
