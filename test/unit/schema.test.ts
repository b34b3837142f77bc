import { describe, expect, it } from 'vitest'
import type { Content } from '../../server/content/content.ts'
import type { JsonSchema } from '../../server/model/document.ts'
import { assertUsableSchema, violationsOf } from '../../server/documents/schema.ts'
import { judgingSchemas, SchemaJudge, type SchemaQuestion } from '../../server/documents/schemaJudge.ts'
import { schemasHere } from '../support/schemas.ts'
import { ParleyError } from '../../server/foundation/problems.ts'

const pointers = (schema: JsonSchema, content: Content): string[] =>
  violationsOf(schema, content)
    .map((violation) => violation.pointer)
    .toSorted()

function refusal(task: () => void): ParleyError {
  try {
    task()
  } catch (error) {
    if (error instanceof ParleyError) return error
    throw error
  }
  throw new Error('it was not refused')
}

describe('[WRITE-9] violations of a schema', () => {
  const person: JsonSchema = {
    type: 'object',
    required: ['name'],
    properties: {
      name: { type: 'string', minLength: 1 },
      age: { type: 'integer', minimum: 0 },
      tags: { type: 'array', items: { enum: ['a', 'b'] } },
    },
    additionalProperties: false,
  }

  it('[WRITE-9] are all of them, each with its place', () => {
    const content = { name: '', age: -1.5, tags: ['a', 'c', 'd'], extra: true }
    expect(pointers(person, content)).toEqual(['', '/age', '/age', '/name', '/tags/1', '/tags/2'])
  })

  it('[WRITE-9] say which member and which values', () => {
    const messages = violationsOf(person, { tags: ['c'], extra: true }).map((violation) => violation.message)
    expect(messages.join('\n')).toMatch(/'name'/)
    expect(messages.join('\n')).toMatch(/"extra"/)
    expect(messages.join('\n')).toMatch(/\["a","b"\]/)
  })

  it('[WRITE-9] are none where there is no schema, or it holds', async () => {
    expect(violationsOf(null, { anything: [] })).toEqual([])
    expect(violationsOf(true, { anything: [] })).toEqual([])
    expect(violationsOf(person, { name: 'x' })).toEqual([])
    await expect(schemasHere().assertValid(person, { name: 'x', age: 3 }, 'alice')).resolves.toBeUndefined()
  })

  it('[WRITE-9] a schema that is false allows nothing', () => {
    expect(pointers(false, {})).toEqual([''])
  })

  it('[WRITE-9] pointers are escaped by RFC 6901', () => {
    const schema: JsonSchema = { additionalProperties: { type: 'string' } }
    expect(pointers(schema, { 'a/b': 1, 'c~d': 2, '': 3 })).toEqual(['/', '/a~1b', '/c~0d'])
  })

  it('[WRITE-9] members are those of the content, not those of its prototype', () => {
    const schema: JsonSchema = {
      required: ['constructor', 'toString'],
      properties: { constructor: { type: 'string' }, hasOwnProperty: { type: 'number' } },
    }
    expect(pointers(schema, {})).toEqual(['', ''])
    expect(pointers(schema, { constructor: 'x', toString: 1 })).toEqual([])
    expect(pointers(schema, { constructor: 5, toString: 1, hasOwnProperty: 'x' })).toEqual([
      '/constructor',
      '/hasOwnProperty',
    ])
  })

  it('[WRITE-9] are bounded in number and in size', () => {
    const many = violationsOf(
      { additionalProperties: { type: 'string' } },
      { a: 1, ...Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`k${i}`, i])) },
    )
    expect(many).toHaveLength(1000)
    const longKey = 'x'.repeat(400_000)
    const long = violationsOf(
      { additionalProperties: { items: { type: 'string' } } },
      { [longKey]: Array.from({ length: 100 }, (_, i) => i) },
    )
    expect(long.length).toBeGreaterThan(0)
    expect(JSON.stringify(long).length).toBeLessThan(1_100_000)
  })

  it('[WRITE-9] are of each pattern of a schema by itself', () => {
    const schema = { properties: { a: { pattern: '^a' }, b: { anyOf: [{ pattern: '^x' }, { pattern: '^b' }] } } }
    expect(violationsOf(schema, { a: 'a1', b: 'b1' })).toEqual([])
    expect(violationsOf(schema, { a: 'b1', b: 'x1' })).toMatchObject([{ pointer: '/a' }])
    expect(violationsOf(schema, { a: 'a1', b: 'a1' })).toHaveLength(3)
  })

  it('[WRITE-9] a refusal holds them', async () => {
    const violations = [
      { pointer: '', message: "must have required property 'name'" },
      { pointer: '/age', message: 'must be integer' },
    ]
    const judging = schemasHere().assertValid(person, { age: 'old' }, 'alice')
    await expect(judging).rejects.toMatchObject({ code: 'schema-violation', extras: { violations } })
  })
})

describe('[DOC-7] usable schemas', () => {
  it.each<[string, JsonSchema]>([
    ['an empty one', {}],
    [
      'one with unknown keywords and formats',
      { 'x-note': 1, type: 'object', properties: { at: { format: 'nonsense' } } },
    ],
    ['one that names the dialect', { $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object' }],
    [
      'one with references to itself',
      { $defs: { node: { properties: { next: { $ref: '#/$defs/node' } } } }, $ref: '#/$defs/node' },
    ],
    [
      'one with an id of its own',
      { $id: 'https://example.com/a', $ref: '#/$defs/b', $defs: { b: { type: 'object' } } },
    ],
    ['one with a pattern for RE2', { properties: { a: { pattern: '^[a-z]+\\d{2,3}\\p{L}?$' } } }],
  ])('%s is one', (_name, schema) => {
    expect(() => assertUsableSchema(schema)).not.toThrow()
  })

  it('two schemas may have the same id', () => {
    const withId = (type: string): JsonSchema => ({ $id: 'https://example.com/same', properties: { a: { type } } })
    expect(pointers(withId('string'), { a: 1 })).toEqual(['/a'])
    expect(pointers(withId('number'), { a: 1 })).toEqual([])
  })

  it.each<[string, JsonSchema]>([
    ['a remote reference', { $ref: 'https://example.com/schema.json' }],
    ['a reference to nothing', { $ref: '#/$defs/missing' }],
    ['an unknown type', { type: 'objekt' }],
    ['a keyword of the wrong shape', { required: 'name' }],
    ['another dialect', { $schema: 'http://json-schema.org/draft-07/schema#' }],
    ['look-ahead', { properties: { a: { pattern: '(?=a)b' } } }],
    ['a back-reference', { properties: { a: { pattern: '(a)\\1' } } }],
    ['a broken pattern', { patternProperties: { '[': {} } }],
    ['a pattern that grows without end', { properties: { a: { pattern: '((a{100}){100}){100}' } } }],
    ['more characters than anyone writes', { description: 'x'.repeat(40_000) }],
    ['nesting without end', JSON.parse(`${'{"not":'.repeat(4000)}{}${'}'.repeat(4000)}`) as JsonSchema],
    // Ajv would compile it to a function that answers a promise: everything would pass, and its rejection crash the process.
    ['$async', { $async: true, type: 'object', required: ['x'] }],
  ])('%s makes none', (_name, schema) => {
    expect(refusal(() => assertUsableSchema(schema)).code).toBe('invalid-schema')
  })

  it('a refusal is short, however long the schema', () => {
    const problem = refusal(() => assertUsableSchema({ properties: { a: { pattern: `(${'x'.repeat(20_000)}` } } }))
    expect(problem.detail.length).toBeLessThan(400)
  })

  it('a pattern runs in linear time', () => {
    const schema: JsonSchema = { properties: { a: { pattern: '^(a+)+$' } } }
    expect(pointers(schema, { a: `${'a'.repeat(20_000)}!` })).toEqual(['/a'])
  })
})

describe('[WRITE-9] a schema that asks for endless work', () => {
  const doubling = (depth: number): JsonSchema => ({
    $ref: '#/$defs/d0',
    $defs: Object.fromEntries([
      ...Array.from({ length: depth }, (_, i) => [
        `d${i}`,
        { anyOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] },
      ]),
      [`d${depth}`, { type: 'null' }],
    ]),
  })
  it.each<[string, JsonSchema, Content]>([
    ['recursing into the same value', { $ref: '#' }, {}],
    ['doubling at every step', doubling(40), {}],
    [
      'a long pattern over long texts',
      { additionalProperties: { pattern: `(${'a?'.repeat(1_000)}b|c)$` } },
      Object.fromEntries(Array.from({ length: 100 }, (_, i) => [i, 'a'.repeat(10_000)])),
    ],
  ])('%s is stopped, and the next one is judged as ever', (_name, schema, content) => {
    expect(() => assertUsableSchema(schema)).not.toThrow()
    const violations = violationsOf(schema, content)
    expect(violations).toHaveLength(1)
    expect(violations[0]?.message).toMatch(/too much work/)
    expect(pointers({ properties: { a: { type: 'string' } } }, { a: 1 })).toEqual(['/a'])
  })

  it('what costs less than that is judged, however long it takes: work is counted, not time', () => {
    // Eight times the work of a depth less by three: so far from the bound that no other count could pass both tests.
    expect(violationsOf(doubling(15), {}).some(({ message }) => /too much work/.test(message))).toBe(false)
    expect(violationsOf(doubling(24), {})).toMatchObject([{ message: expect.stringMatching(/too much work/) }])
  })

  it('the items of an array are compared in the time that reading them takes', () => {
    const unique: JsonSchema = { properties: { a: { uniqueItems: true } } }
    const items = (count: number) => Array.from({ length: count }, (_, i) => ({ i, text: 'x'.repeat(20) }))
    expect(violationsOf(unique, { a: items(90_000) })).toEqual([])
    expect(violationsOf(unique, { a: [...items(50_000), { text: 'x'.repeat(20), i: 3 }] })).toEqual([
      { pointer: '/a', message: 'must NOT have duplicate items (items ## 3 and 50000 are identical)' },
    ])
    expect(violationsOf({ uniqueItems: false, properties: { a: { uniqueItems: false } } }, { a: [1, 1] })).toEqual([])
  })

  it('counting changes nothing about what a schema says, whatever its members are called', () => {
    const odd = ['for(const a of b){', 'const _errs1 = errors;', '"', "it's", '\\']
    const schema: JsonSchema = {
      properties: Object.fromEntries(odd.map((key) => [key, { type: 'string' }])),
      required: odd,
      additionalProperties: false,
    }
    expect(violationsOf(schema, Object.fromEntries(odd.map((key) => [key, 'x'])))).toEqual([])
    expect(violationsOf(schema, Object.fromEntries(odd.map((key) => [key, 1])))).toHaveLength(odd.length)
    expect(violationsOf(schema, { other: 1 })).toHaveLength(odd.length + 1)
  })
})

describe('[OPS-8] [WRITE-9] where a content is judged', () => {
  const person = { required: ['name'] }
  const large = Object.fromEntries(Array.from({ length: 2_000 }, (_, n) => [`key ${n}`, n]))
  /** As much work as a schema of a few words can ask for. */
  const doubling = {
    $ref: '#/$defs/d0',
    $defs: Object.fromEntries(
      Array.from({ length: 16 }, (_, n) => [
        `d${n}`,
        { allOf: Array.from({ length: 2 }, () => ({ $ref: `#/$defs/d${n + 1}` })) },
      ]),
    ),
  }
  const usable = { ...doubling, $defs: { ...doubling.$defs, d16: {} } }

  function judging() {
    const asked: SchemaQuestion['ask'][] = []
    const judge = new SchemaJudge({
      ask: (question) => {
        asked.push(question.ask)
        return judgingSchemas(question, null)
      },
      close: async () => undefined,
    })
    return { judge, asked }
  }

  it('[OPS-8] is the event loop for a small one under a schema that asks for little', async () => {
    const { judge, asked } = judging()
    expect(await judge.violationsOf(person, { name: 'x' }, 'alice')).toEqual([])
    expect(await judge.violationsOf(person, {}, 'alice')).toMatchObject([{ pointer: '' }])
    expect(asked).toEqual([])
  })

  it.each([
    ['a large content', person, large],
    ['a large schema', { ...person, description: 'x'.repeat(2_000) }, {}],
    ['a schema that asks for much', usable, {}],
  ])('[OPS-8] is beside it for %s, with the same outcome', async (_, schema, content) => {
    const { judge, asked } = judging()
    expect(await judge.violationsOf(schema, content, 'alice')).toEqual(violationsOf(schema, content))
    expect(asked).toEqual(['violations'])
    // A write that is planned anew does not wait again.
    expect(await judge.violationsOf(schema, content, 'alice')).toEqual(violationsOf(schema, content))
    expect(asked).toEqual(['violations'])
  })

  it('[DOC-7] is beside it for each schema that somebody wants to set', async () => {
    const { judge, asked } = judging()
    await judge.assertUsable(person, 'alice')
    await expect(judge.assertUsable({ type: 'nothing' }, 'alice')).rejects.toMatchObject({ code: 'invalid-schema' })
    expect(asked).toEqual(['usable', 'usable'])
  })
})
