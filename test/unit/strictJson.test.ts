import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseStrictJson } from '../../server/http/strictJson.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text, 'utf8')
const parse = (text: string): unknown => parseStrictJson(bytes(text))

/** The code and detail of the refusal; null where it was accepted. */
function refusal(input: Uint8Array | string): string | null {
  try {
    parseStrictJson(typeof input === 'string' ? bytes(input) : input)
    return null
  } catch (error) {
    expect(error).toMatchObject({ name: 'ParleyError', code: 'invalid-json' })
    return error instanceof Error ? error.message : ''
  }
}

describe('parseStrictJson', () => {
  it('answers what JSON.parse answers for every JSON value', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        fc.pre(!text.includes('__proto__'))
        expect(parse(text)).toStrictEqual(JSON.parse(text))
      }),
    )
  })

  it.each([
    ['{"a":1,"a":1}'],
    ['{"a":{"b":1,"c":2,"b":3}}'],
    ['[[{"x":0},{"a":1 , "a"\n:2}]]'],
    ['{"a":1,"\\u0061":2}'],
    ['{"\\u005c":1,"\\\\":2}'],
    ['{"":1,"":2}'],
    ['{"a:b":1,"a:b":2}'],
    ['{"a":{"a":{"a":1,"a":2}}}'],
    ['{"constructor":1,"constructor":2}'],
  ])('refuses a repeated key: %s', (text) => {
    expect(refusal(text)).toContain('twice')
  })

  it.each([
    ['{"a":"b:\\"c\\":","d":":"}'],
    ['{"a\\"":1,"a\\\\":2,"a\\\\\\"":3}'],
    ['["a:b",":",{"k":"\\\\"},"\\\\\\":"]'],
    ['[{"a":1},{"a":1}]'],
    ['{"a":{"a":{"a":{}}}}'],
    [' \t\r\n{ "a" : [ ] , "b" : "" } \n'],
    ['"a"'],
    ['0'],
  ])('is not misled by colons, quotes and backslashes in strings: %s', (text) => {
    expect(parse(text)).toStrictEqual(JSON.parse(text))
  })

  it('finds a repeated key in any object, wherever it stands (property)', () => {
    const key = fc.string({ unit: 'grapheme' }).filter((name) => name !== '__proto__')
    fc.assert(
      fc.property(key, fc.json(), fc.json(), fc.nat(5), (name, first, second, depth) => {
        fc.pre(!`${first}${second}`.includes('__proto__'))
        const object = `{${JSON.stringify(name)}:${first},${JSON.stringify(name)}:${second}}`
        expect(refusal('['.repeat(depth) + object + ']'.repeat(depth))).toContain('twice')
      }),
    )
  })

  it.each([
    ['a value', '["\\ud800"]'],
    ['a low one', '{"a":"x\\uDC00y"}'],
    ['the wrong order', '"\\udc00\\ud800"'],
    ['a key', '{"\\uD83D":1}'],
    ['one beside a whole pair', '"\\ud83d\\ude00\\ud83d"'],
  ])('refuses a lone surrogate in %s', (_where, text) => {
    expect(refusal(text)).toContain('lone surrogate')
  })

  it('keeps surrogate pairs, escaped or not', () => {
    expect(parse('["\\ud83d\\ude00","😀",{"😀":1}]')).toStrictEqual(['😀', '😀', { '😀': 1 }])
  })

  it.each([['1e309'], ['-1e309'], ['[{"a":1e400}]'], ['9'.repeat(400)]])(
    'refuses a number beyond double range: %.12s',
    (text) => {
      expect(refusal(text)).toContain('double range')
    },
  )

  it('keeps the largest double, the smallest, and every zero', () => {
    expect(parse('[1.7976931348623157e308, 5e-324, -0, 0e-400, 0.000]')).toStrictEqual([
      Number.MAX_VALUE,
      Number.MIN_VALUE,
      -0,
      0,
      0,
    ])
  })

  it.each([
    ['{"id":369553424691494913}', '/id'],
    ['9007199254740993', ''],
    ['[0,[],{"a":"b, [","c/d":[{"~":1},-9007199254740993]}]', '/2/c~1d/1'],
    ['{"\\u0061\\"":[1,2,100000000000000000000000]}', '/a"/2'],
    ['{"9007199254740993":"9007199254740993","x": 9007199254740993 }', '/x'],
    [`[${'9'.repeat(300)}]`, '/0'],
  ])('[DOC-9] refuses an integer that no double is, and names its place: %.60s', (text, pointer) => {
    expect(() => parse(text)).toThrowError(expect.objectContaining({ code: 'invalid-json', extras: { pointer } }))
    expect(refusal(text)).toContain(`at "${pointer}" is an integer`)
  })

  it.each([
    ['{"a":{"b":1e-400}}', '/a/b'],
    ['[1,-1E-0400]', '/1'],
    ['[0.0005e-325]', '/0'],
    [`[0.${'0'.repeat(330)}1]`, '/0'],
    [`[1,2,0.${'0'.repeat(250)}1e-99]`, '/2'],
  ])('[DOC-9] refuses a number that would become zero, and names its place: %.60s', (text, pointer) => {
    expect(() => parse(text)).toThrowError(expect.objectContaining({ code: 'invalid-json', extras: { pointer } }))
    expect(refusal(text)).toContain('would become zero')
  })

  it('[DOC-9] takes integers that are doubles, what JSON.stringify makes of any, and rounds fractions', () => {
    const exact = `[9007199254740992,1152921504606846976,-73786976294838206464,1${'0'.repeat(22)}]`
    expect(parse(exact)).toStrictEqual([2 ** 53, 2 ** 60, -(2 ** 66), 1e22])
    expect(parse('[0.1234567890123456789,1.5e-323,369553424691494913.0,1e23]')).toStrictEqual(
      JSON.parse('[0.1234567890123456789,1.5e-323,369553424691494913.0,1e23]'),
    )
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        expect(parse(JSON.stringify([number, Math.round(number)]))).toStrictEqual([number + 0, Math.round(number) + 0])
      }),
    )
  })

  it('[DOC-9] judges every integer as exact arithmetic does (property)', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 90n), max: 2n ** 90n }), (integer) => {
        const text = String(integer)
        const isKept = BigInt(Number(text)) === integer || String(Number(text)) === text
        expect(refusal(`{"a":${text}}`) === null).toBe(isKept)
      }),
    )
  })

  it('shows a long number and a long pointer cut', () => {
    const text = `{"${'k'.repeat(5_000)}":${'9'.repeat(300)}}`
    expect(refusal(text)?.length).toBeLessThan(600)
  })

  it('finds the place of a number at the bottom of 100,000 levels', () => {
    const depth = 100_000
    expect(refusal('['.repeat(depth) + '1e-400' + ']'.repeat(depth))).toContain('/0/0/0')
  })

  it.each([
    ['{"__proto__":1}'],
    ['[{"a":{"__proto__":{}}}]'],
    ['{"\\u005f_proto__":null}'],
    ['{"__proto__":1,"__proto__":2}'],
  ])('refuses __proto__ as a key: %s', (text) => {
    expect(refusal(text)).toContain('__proto__')
  })

  it('takes constructor, prototype and __proto__ as a value as ordinary', () => {
    const text = '{"constructor":{"prototype":"__proto__"},"toString":1,"hasOwnProperty":2}'
    expect(JSON.stringify(parse(text))).toBe(text)
  })

  it.each([
    ['a stray byte', [0x22, 0xff, 0x22]],
    ['a cut sequence', [0x22, 0xe2, 0x82, 0x22]],
    ['an encoded surrogate', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['an overlong form', [0x22, 0xc0, 0xaf, 0x22]],
  ])('refuses invalid UTF-8: %s', (_name, list) => {
    expect(refusal(Uint8Array.from(list))).toContain('UTF-8')
  })

  it('refuses a byte order mark in front, and keeps one inside a string', () => {
    expect(refusal('\ufeff{}')).toContain('byte order mark')
    expect(parse('"\ufeff"')).toBe('\ufeff')
  })

  it.each([
    [''],
    [' '],
    ['{'],
    ['{"a":1,}'],
    ["{'a':1}"],
    ['[1 2]'],
    ['NaN'],
    ['01'],
    ['"\t"'],
    ['{}{}'],
    ['undefined'],
  ])('refuses what is not JSON: %s', (text) => {
    expect(refusal(text)).not.toBeNull()
  })

  it('reads only its own part of a shared buffer', () => {
    const shared = Buffer.from('xx{"a":1}yy')
    expect(parseStrictJson(shared.subarray(2, 9))).toStrictEqual({ a: 1 })
  })

  it('survives 100,000 levels, and still judges what is at the bottom', () => {
    const depth = 100_000
    expect(refusal('['.repeat(depth) + ']'.repeat(depth))).toBeNull()
    expect(refusal('{"a":'.repeat(depth) + '1' + '}'.repeat(depth))).toBeNull()
    expect(refusal('{"a":'.repeat(depth) + '{"b":1,"b":2}' + '}'.repeat(depth))).toContain('twice')
    expect(refusal('['.repeat(depth) + '"\\ud800"' + ']'.repeat(depth))).toContain('lone surrogate')
  })

  it('stays linear on strings made of quotes and backslashes', () => {
    const hostile = '\\\\'.repeat(1_000_000) + '\\"'.repeat(1_000_000)
    expect(parse(`{"a":"${hostile}"}`)).toStrictEqual(JSON.parse(`{"a":"${hostile}"}`))
  })
})
