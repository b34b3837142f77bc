import fc from 'fast-check'
import type { JsonObject, JsonValue } from '../../server/content/content.ts'

/** What diffs and merges stumble over: astral characters (also such as share a half of their surrogate pair), joined emoji, combining marks, both newlines, repetition. */
const PIECES = ['a', 'b', 'ab', ' ', 'é', 'e\u0301', '😀', '😁', '🨀', '👨‍👩‍👧', '👩🏽', '𝒳', '\r', '漢', '\ufffd', 'line', '']

/** Short texts over few pieces, so that two of them have much in common. */
export const text = (): fc.Arbitrary<string> =>
  fc.array(fc.oneof(fc.constantFrom(...PIECES), fc.constant('\n')), { maxLength: 24 }).map((parts) => parts.join(''))

/** Texts of any well-formed Unicode. */
export const unicodeText = (): fc.Arbitrary<string> => fc.string({ unit: 'binary', maxLength: 40 })

const LINES = [
  '',
  'a',
  'b',
  'c',
  'd',
  '😀x',
  'a\r',
  'call Ada on Monday',
  'call Ada on Friday',
  'tea for Ada',
  ' tea for Bob',
]

/** Texts of a few lines over few different ones, some of which are alike (CONF-2). */
export const lines = (): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...LINES), { maxLength: 9 }).map((parts) => parts.join('\n'))

const KEYS = ['a', 'b', 'c', '/', '~', '', '0', '1', 'constructor', 'toString']

const scalar = (): fc.Arbitrary<JsonValue> =>
  fc.oneof(
    fc.constantFrom(null, true, false, 0, 1, 2, -1.5, 1e300, '', 'a', '😀'),
    fc.constantFrom('a long enough string to be edited by a delta', 'a long enough string to be edited by 😀 delta'),
  )

const { value, object } = fc.letrec<{ value: JsonValue; object: JsonObject; array: JsonValue[] }>((tie) => ({
  value: fc.oneof({ depthSize: 'small', withCrossShrink: true }, scalar(), scalar(), tie('object'), tie('array')),
  object: fc.dictionary(fc.constantFrom(...KEYS), tie('value'), { maxKeys: 4, noNullPrototype: true }),
  array: fc.array(tie('value'), { maxLength: 5 }),
}))

/** Small JSON values over few keys, so that two of them have much in common. */
export const jsonValue = (): fc.Arbitrary<JsonValue> => value
export const jsonObject = (): fc.Arbitrary<JsonObject> => object
