import { describe, expect, it } from 'vitest'
import type { JsonValue } from '../../server/content/content.ts'
import { canonicalText, contentBytes, contentEquals, contentHash } from '../../server/content/equal.ts'
import { checkContent, measureContent } from '../../server/content/limits.ts'

const nested = (levels: number): JsonValue[] => {
  let value: JsonValue[] = []
  for (let level = 1; level < levels; level += 1) value = [value]
  return value
}

describe('contentEquals', () => {
  it('[DOC-8] ignores the order of members, not that of elements', () => {
    expect(contentEquals({ a: 1, b: { c: 2, d: 3 } }, { b: { d: 3, c: 2 }, a: 1 })).toBe(true)
    expect(contentEquals([1, 2], [2, 1])).toBe(false)
  })

  it.each<[JsonValue, JsonValue]>([
    [{ a: null }, {}],
    [{ a: null }, { b: null }],
    [{}, []],
    [null, {}],
    [0, false],
    ['1', 1],
    ['', null],
    [[null], []],
    [{ toString: 1 }, {}],
    [{}, { constructor: 1 }],
    [{ a: { b: [1, { c: 1 }] } }, { a: { b: [1, { c: 2 }] } }],
  ])('tells %j from %j', (a, b) => {
    expect(contentEquals(a, b)).toBe(false)
    expect(contentEquals(b, a)).toBe(false)
  })

  it('takes -0 for 0, which JSON writes alike', () => {
    expect(contentEquals({ a: -0 }, { a: 0 })).toBe(true)
    expect(contentHash({ a: -0 })).toBe(contentHash({ a: 0 }))
  })

  it('does not look for members on prototypes', () => {
    const own: JsonValue = JSON.parse('{"__proto__":1}')
    expect(contentEquals(own, {})).toBe(false)
    expect(contentEquals(own, JSON.parse('{"__proto__":1}'))).toBe(true)
  })

  it('compares values nested 100,000 deep', () => {
    expect(contentEquals(nested(100_000), nested(100_000))).toBe(true)
    expect(contentEquals(nested(100_000), nested(100_001))).toBe(false)
  })
})

describe('contentHash', () => {
  it('is that of the canonical form with its kind', () => {
    expect(canonicalText({ b: [1, { d: 2, c: '"' }], a: null })).toBe('json\n{"a":null,"b":[1,{"c":"\\"","d":2}]}')
    expect(contentHash({ a: 1, b: 2 })).toBe(contentHash({ b: 2, a: 1 }))
    expect(contentHash({ a: 1 })).toMatch(/^[A-Za-z0-9_-]{43}$/)
  })

  it('tells a text from the json it looks like', () => {
    expect(contentHash('{}')).not.toBe(contentHash({}))
    expect(contentHash('json\n{}')).not.toBe(contentHash({}))
  })
})

describe('limits', () => {
  const limits = { maxBytes: 10 * 1024 * 1024, maxDepth: 64, maxNodes: 100_000 }
  const code = (content: Parameters<typeof checkContent>[0]): string | null =>
    checkContent(content, limits)?.code ?? null

  it('[DOC-10] exactly 10 MiB of UTF-8 is accepted, one byte more is not', () => {
    expect(code('x'.repeat(limits.maxBytes))).toBeNull()
    expect(code('x'.repeat(limits.maxBytes + 1))).toBe('content-too-large')
    expect(code('é'.repeat(limits.maxBytes / 2))).toBeNull()
    expect(code(`${'é'.repeat(limits.maxBytes / 2)}x`)).toBe('content-too-large')
    const overhead = contentBytes({ a: '' })
    expect(code({ a: 'x'.repeat(limits.maxBytes - overhead) })).toBeNull()
    expect(code({ a: 'x'.repeat(limits.maxBytes - overhead + 1) })).toBe('content-too-large')
  })

  it('[DOC-10] depth 64 is accepted, where the root is 1 and scalars add nothing', () => {
    expect(code({ a: nested(63) })).toBeNull()
    expect(code({ a: nested(64) })).toBe('content-too-complex')
    expect(measureContent({ a: 1 }).depth).toBe(1)
    expect(measureContent({ a: [{}] }).depth).toBe(3)
  })

  it('[DOC-10] 100,000 nodes are accepted, one more is not', () => {
    expect(code({ a: Array.from({ length: 99_998 }, () => 0) })).toBeNull()
    expect(code({ a: Array.from({ length: 99_999 }, () => 0) })).toBe('content-too-complex')
  })

  it('[DOC-10] keys on the way to a value of 4,096 characters together are accepted, one more is not', () => {
    expect(code({ ['k'.repeat(4_095)]: 1 })).toBeNull()
    expect(code({ ['k'.repeat(4_096)]: 1 })).toBe('content-too-complex')
    expect(code({ a: [{ ['k'.repeat(4_096 - '/a/0/'.length)]: {} }] })).toBeNull()
    expect(code({ a: [{ ['k'.repeat(4_097 - '/a/0/'.length)]: {} }] })).toBe('content-too-complex')
  })

  it('[DOC-10] survives JSON nested 100,000 deep, and calls what is both too large and too deep too large', () => {
    expect(code({ a: nested(100_000) })).toBe('content-too-complex')
    expect(code({ a: [nested(100_000), 'x'.repeat(limits.maxBytes)] })).toBe('content-too-large')
  })

  it('[DOC-10] counts bytes exactly as JSON is written', () => {
    const content = { 'k"é\n': [1, -0, 1e21, 1.5, true, null, '\u0001😀"\\', [], {}, [[]], { a: {} }], b: 'x' }
    expect(measureContent(content).bytes).toBe(Buffer.byteLength(JSON.stringify(content)))
    expect(contentBytes(content)).toBe(Buffer.byteLength(JSON.stringify(content)))
    expect(contentBytes('é😀')).toBe(6)
  })

  it('[DOC-10] refuses a value that shares itself into gigabytes without writing it down', () => {
    let value: JsonValue = 'xxxxxxxx'
    for (let i = 0; i < 40; i += 1) value = [value, value]
    expect(code({ a: value })).toBe('content-too-large')
  })
})
