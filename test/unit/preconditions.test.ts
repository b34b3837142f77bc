import { describe, expect, it } from 'vitest'
import { negotiate } from '../../server/http/accept.ts'
import { namesTag, parseIfMatch, parseIfNoneMatch, quote } from '../../server/http/preconditions.ts'
import { preferredReturn } from '../../server/http/prefer.ts'

const strong = (tag: string) => ({ weak: false, tag })

describe('If-Match and If-None-Match', () => {
  it('[WRITE-1] reads `*` and lists of entity tags', () => {
    expect(parseIfMatch('*')).toEqual({ kind: 'any' })
    expect(parseIfMatch(' * ')).toEqual({ kind: 'any' })
    expect(parseIfMatch('"a-1"')).toEqual({ kind: 'tags', tags: [strong('a-1')] })
    expect(parseIfMatch('"a-1", W/"b,c" ,"" ')).toEqual({
      kind: 'tags',
      tags: [strong('a-1'), { weak: true, tag: 'b,c' }, strong('')],
    })
  })

  it('ignores empty list elements, as RFC 9110 demands', () => {
    expect(parseIfMatch(',, "a" , ,"b",')).toEqual({ kind: 'tags', tags: [strong('a'), strong('b')] })
  })

  it('[WRITE-1] calls anything else malformed, an unquoted tag above all', () => {
    const malformed = [
      'a-1',
      '',
      '   ',
      ',',
      '"a',
      'a"',
      '"a" "b"',
      '"a"b',
      'w/"a"',
      'W/a',
      'W/ "a"',
      '*, "a"',
      '"a", *',
      "'a'",
    ]
    for (const header of malformed) expect(parseIfMatch(header), header).toMatchObject({ kind: 'malformed' })
    expect(parseIfNoneMatch('a')).toMatchObject({ kind: 'malformed', detail: expect.stringContaining('If-None-Match') })
  })

  it('refuses spaces and control characters inside a tag, and takes obs-text', () => {
    expect(parseIfMatch('"a b"')).toMatchObject({ kind: 'malformed' })
    expect(parseIfMatch('"a\u007f"')).toMatchObject({ kind: 'malformed' })
    expect(parseIfMatch('"\u00e9"')).toEqual({ kind: 'tags', tags: [strong('\u00e9')] })
  })

  it('compares weakly for If-None-Match', () => {
    expect(namesTag(parseIfNoneMatch('W/"a-1"'), 'a-1')).toBe(true)
    expect(namesTag(parseIfNoneMatch('"b", "a-1"'), 'a-1')).toBe(true)
    expect(namesTag(parseIfNoneMatch('"a-10"'), 'a-1')).toBe(false)
    expect(namesTag(parseIfNoneMatch('*'), 'a-1')).toBe(true)
    expect(namesTag(parseIfNoneMatch('a-1'), 'a-1')).toBe(false)
  })

  it('quotes so that it reads its own tags back', () => {
    expect(parseIfMatch(quote('abc-7'))).toEqual({ kind: 'tags', tags: [strong('abc-7')] })
  })
})

describe('Prefer', () => {
  it.each([
    ['return=minimal', 'minimal'],
    ['Return = "representation"', 'representation'],
    ['respond-async, return=minimal; foo="bar"', 'minimal'],
    [['wait=10', 'return=representation'], 'representation'],
    ['return=minimal, return=representation', 'minimal'],
    ['return=everything', null],
    ['return', null],
    ['noreturn=minimal', null],
    ['foo; return=minimal', null],
    ['', null],
    [undefined, null],
  ])('%j asks for %s', (header, wanted) => {
    expect(preferredReturn(header)).toBe(wanted)
  })
})

describe('Accept', () => {
  const offered = ['text/html', 'application/json'] as const
  it.each([
    [undefined, 'text/html'],
    ['*/*', 'text/html'],
    ['application/json', 'application/json'],
    ['text/html;q=0.5, application/json', 'application/json'],
    ['application/*, text/html;q=0.1', 'application/json'],
    ['text/html, application/xhtml+xml, */*;q=0.8', 'text/html'],
    ['*/*, text/html;q=0', 'application/json'],
    ['APPLICATION/JSON', 'application/json'],
    ['image/png', null],
    ['text/html;q=nonsense', null],
  ])('%j prefers %s', (header, wanted) => {
    expect(negotiate(header, offered)).toBe(wanted)
  })
})
