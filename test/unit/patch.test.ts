import { readFileSync } from 'node:fs'
import { Check } from 'typebox/value'
import { describe, expect, it } from 'vitest'
import type { JsonValue } from '../../server/content/content.ts'
import {
  applyJsonPatch,
  applyMergePatch,
  applyTextPatch,
  JsonPatchSchema,
  TextPatchSchema,
  type PatchResult,
} from '../../server/content/patch.ts'

interface SuiteCase {
  comment?: string
  doc: JsonValue
  patch: JsonValue
  expected?: JsonValue
  error?: string
  disabled?: boolean
}

const suite = (name: string): SuiteCase[] =>
  JSON.parse(readFileSync(new URL(`../fixtures/${name}.json`, import.meta.url), 'utf8'))

/** A patch as it comes in: judged by the schema, then applied. */
function run(document: JsonValue, patch: unknown): PatchResult | 'malformed' {
  if (!Check(JsonPatchSchema, patch)) return 'malformed'
  const before = JSON.stringify(document)
  const result = applyJsonPatch(document, patch)
  expect(JSON.stringify(document), 'the input stays as it is').toBe(before)
  return result
}

const failed = (result: PatchResult | 'malformed'): boolean => result === 'malformed' || !result.ok

for (const name of ['json-patch-tests', 'json-patch-spec-tests']) {
  describe(`[DOC-5] public conformance suite ${name}`, () => {
    const cases = suite(name).filter((entry) => !entry.disabled)
    it('is there', () => expect(cases.length).toBeGreaterThan(10))
    it.each(cases.map((entry, index) => ({ title: entry.comment ?? entry.error ?? 'no comment', index, entry })))(
      '#$index $title',
      ({ entry }) => {
        const result = run(entry.doc, entry.patch)
        if (entry.error !== undefined) expect(failed(result)).toBe(true)
        else if (entry.expected === undefined) expect(failed(result)).toBe(false)
        else expect(result).toEqual({ ok: true, content: entry.expected })
      },
    )
  })
}

describe('JSON Patch', () => {
  it('[DOC-5] is malformed where an operation has not the shape RFC 6902 gives it', () => {
    const shapes: unknown[] = [
      {},
      [null],
      [{ path: '/a', value: 1 }],
      [{ op: 'add', path: '/a' }],
      [{ op: 'move', path: '/a' }],
      [{ op: 'add', path: 'a', value: 1 }],
      [{ op: 'add', path: '/a~2b', value: 1 }],
      [{ op: 'add', path: '/a~', value: 1 }],
      [{ op: 'merge', path: '/a', value: 1 }],
    ]
    for (const shape of shapes) expect(run({ a: 1 }, shape), JSON.stringify(shape)).toBe('malformed')
  })

  it('[DOC-5] never leads to a prototype', () => {
    for (const path of ['/__proto__', '/__proto__/polluted', '/a/__proto__', '/a/__proto__/polluted']) {
      expect(run({ a: {} }, [{ op: 'add', path, value: true }]), path).toBe('malformed')
    }
    expect(failed(run({}, [{ op: 'add', path: '/constructor/prototype/polluted', value: true }]))).toBe(true)
    expect(failed(run({}, [{ op: 'test', path: '/toString', value: 1 }]))).toBe(true)
    expect(failed(run({}, [{ op: 'remove', path: '/hasOwnProperty' }]))).toBe(true)
    expect(run({}, [{ op: 'add', path: '/constructor', value: 1 }])).toEqual({ ok: true, content: { constructor: 1 } })
    expect(run({}, [{ op: 'add', path: '/__proto__x', value: 1 }])).toEqual({ ok: true, content: { __proto__x: 1 } })
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  it('[DOC-5] a pointer of megabytes is judged without harm', () => {
    const long = `/${'a~1'.repeat(300_000)}`
    expect(failed(run({}, [{ op: 'add', path: long, value: 1 }]))).toBe(false)
    expect(run({}, [{ op: 'add', path: `${long}~`, value: 1 }])).toBe('malformed')
  })

  it('[DOC-5] a failing operation leaves nothing applied and is named', () => {
    const document = { a: [1, 2], b: { c: 1 } }
    const result = run(document, [
      { op: 'add', path: '/a/0', value: 0 },
      { op: 'replace', path: '/b/c', value: 2 },
      { op: 'test', path: '/b/c', value: 3 },
    ])
    expect(result).toEqual({ ok: false, detail: 'Operation 2 (test): the value at "/b/c" is another.' })
    expect(document).toEqual({ a: [1, 2], b: { c: 1 } })
  })

  it('[DOC-5] later operations do not change what an earlier one copied', () => {
    const patch = [
      { op: 'add', path: '/a/first', value: 1 },
      { op: 'copy', from: '/a', path: '/b' },
      { op: 'add', path: '/a/second', value: 2 },
      { op: 'add', path: '/b/third', value: 3 },
    ]
    expect(run({ a: {} }, patch)).toEqual({
      ok: true,
      content: { a: { first: 1, second: 2 }, b: { first: 1, third: 3 } },
    })
  })

  it('[DOC-5] later operations do not change the value an earlier one brought', () => {
    const value = { list: [1] }
    const patch = [
      { op: 'add', path: '/a', value },
      { op: 'add', path: '/a/list/-', value: 2 },
    ]
    expect(run({}, patch)).toEqual({ ok: true, content: { a: { list: [1, 2] } } })
    expect(value).toEqual({ list: [1] })
  })

  it('[DOC-5] nothing can be moved into itself, and onto itself changes nothing', () => {
    expect(failed(run({ a: { b: 1 } }, [{ op: 'move', from: '/a', path: '/a/b' }]))).toBe(true)
    expect(run({ a: { b: 1 } }, [{ op: 'move', from: '/a', path: '/a' }])).toEqual({
      ok: true,
      content: { a: { b: 1 } },
    })
    expect(run({ a: 1, ab: 2 }, [{ op: 'move', from: '/a', path: '/ab' }])).toEqual({ ok: true, content: { ab: 1 } })
  })

  it('[DOC-5] a patch that costs too much work fails instead of stalling the server', () => {
    const wide = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, i]))
    const patch = Array.from({ length: 200 }, () => [
      { op: 'copy', from: '/wide', path: '/other' },
      { op: 'add', path: '/wide/k0', value: 1 },
    ]).flat()
    expect(run({ wide }, patch)).toEqual({ ok: false, detail: expect.stringContaining('too much work') })
  })

  it('[DOC-5] many operations on one large object cost one copy of it', () => {
    const wide = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, i]))
    const patch = Array.from({ length: 1_000 }, (_, i) => ({ op: 'replace', path: `/wide/k${i}`, value: -1 }))
    expect(failed(run({ wide }, patch))).toBe(false)
  })

  it('[DOC-5] copying a value into itself again and again neither hangs nor exhausts memory', () => {
    const patch = Array.from({ length: 60 }, (_, i) => [
      { op: 'copy', from: '/a', path: `/a/x${i}` },
      { op: 'copy', from: '/a', path: `/a/y${i}` },
    ]).flat()
    expect(failed(run2({ a: {} }, patch))).toBe(false)
  })
})

/** Like `run`, for results that are too large to be written down. */
function run2(document: JsonValue, patch: unknown): PatchResult | 'malformed' {
  return Check(JsonPatchSchema, patch) ? applyJsonPatch(document, patch) : 'malformed'
}

describe('JSON Merge Patch', () => {
  // RFC 7396, appendix A.
  const cases: [JsonValue, JsonValue, JsonValue][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ]
  it.each(cases)('[DOC-5] RFC 7396 appendix A: %j patched by %j', (content, patch, expected) => {
    const before = JSON.stringify(content)
    expect(applyMergePatch(content, patch)).toEqual(expected)
    expect(JSON.stringify(content)).toBe(before)
  })

  it('[DOC-5] nulls within arrays are values', () => {
    expect(applyMergePatch({}, { a: [null, { b: null }] })).toEqual({ a: [null, { b: null }] })
  })

  it('[DOC-5] never reaches a prototype', () => {
    const patched = applyMergePatch(
      {},
      JSON.parse('{"__proto__":{"polluted":true},"a":{"__proto__":{"polluted":true}}}'),
    )
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    expect(Object.getPrototypeOf(patched)).toBe(Object.prototype)
    expect(applyMergePatch({}, { toString: { x: 1 } })).toEqual({ toString: { x: 1 } })
  })

  it('[DOC-5] survives a patch nested 100,000 deep', () => {
    let patch: JsonValue = {}
    for (let i = 0; i < 100_000; i += 1) patch = { a: patch }
    expect(Object.keys(applyMergePatch({}, patch) ?? {})).toEqual(['a'])
  })

  it('shares with the result what the patch leaves alone', () => {
    const content = { kept: { deep: [1] }, changed: { a: 1, inner: { b: 1 } } }
    const patched = applyMergePatch(content, { changed: { a: 2 } })
    expect(patched).toMatchObject({ changed: { a: 2, inner: { b: 1 } } })
    expect((patched as typeof content).kept).toBe(content.kept)
    expect((patched as typeof content).changed.inner).toBe(content.changed.inner)
  })
})

describe('text delta', () => {
  it.each([
    ['hello', [{ retain: 5 }, { insert: ' world' }], 'hello world'],
    ['hello', [{ delete: 5 }, { insert: 'bye' }], 'bye'],
    ['hello', [{ insert: 'bye' }, { delete: 5 }], 'bye'],
    ['hello', [{ retain: 0 }, { insert: 'x' }, { retain: 2 }, { delete: 2 }], 'xheo'],
    ['a😀b', [{ retain: 1 }, { delete: 2 }], 'ab'],
    ['a😀b', [{ retain: 1 }, { delete: 1 }, { delete: 1 }], 'ab'],
    ['a😀b', [{ retain: 2 }, { retain: 2 }, { insert: 'c' }], 'a😀bc'],
    ['', [], ''],
    ['a', [], 'a'],
  ])('[DOC-5] %j by %j', (text, delta, expected) => {
    expect(Check(TextPatchSchema, delta)).toBe(true)
    expect(applyTextPatch(text, Check(TextPatchSchema, delta) ? delta : [])).toEqual({ ok: true, content: expected })
  })

  it.each([
    ['past the end', 'abc', [{ retain: 4 }]],
    ['past the end', 'abc', [{ retain: 2 }, { delete: 2 }]],
    ['past the end', 'abc', [{ insert: 'x' }, { retain: 4 }]],
    ['surrogate pair', 'a😀b', [{ retain: 2 }, { insert: 'x' }]],
    ['surrogate pair', 'a😀b', [{ retain: 2 }, { delete: 1 }]],
    ['surrogate pair', 'a😀b', [{ retain: 1 }, { delete: 1 }]],
    ['surrogate pair', '😀', [{ delete: 1 }]],
    ['surrogate pair', '😀😀', [{ delete: 3 }]],
  ])('[DOC-5] fails %s: %j by %j', (detail, text, delta) => {
    const result = applyTextPatch(text, Check(TextPatchSchema, delta) ? delta : [])
    expect(result).toEqual({ ok: false, detail: expect.stringContaining(detail) })
  })

  it('[DOC-5] is malformed in any other shape', () => {
    const shapes: unknown[] = [
      {},
      [{}],
      [1],
      [{ retain: -1 }],
      [{ retain: 1.5 }],
      [{ delete: '1' }],
      [{ insert: 1 }],
      [{ insert: { image: 'x' } }],
      [{ retain: 1, delete: 1 }],
      [{ retain: 1, attributes: { bold: true } }],
    ]
    for (const shape of shapes) expect(Check(TextPatchSchema, shape), JSON.stringify(shape)).toBe(false)
  })
})
