import { readFileSync } from 'node:fs'
import { Type, type Static } from 'typebox'
import { Check } from 'typebox/value'
import { invariant } from '../../foundation/assert.ts'
import { parseStrictJson } from '../../http/strictJson.ts'
import type { Json, JsonMembers } from './components.ts'

const body = Type.Optional(Type.Unsafe<Json>({}))
const headers = Type.Record(Type.String(), Type.String())
const type = Type.Optional(Type.String())

/** A request and its answer, as they really went: a test makes them anew and compares. Without the token. */
const Exchange = Type.Object({
  /** What it shows. */
  name: Type.String(),
  /** The `id` of its route. */
  operation: Type.String(),
  request: Type.Object({ method: Type.String(), path: Type.String(), headers, type, body }),
  answer: Type.Object({ status: Type.Integer(), headers, type, body }),
})
export type Exchange = Static<typeof Exchange>

/** The examples of bodies of one media type, as a member of a description; none where there are none. */
export function bodyExamples(
  bodies: readonly { readonly name: string; readonly type?: string; readonly body?: Json }[],
  type: string,
): JsonMembers {
  const examples = bodies.flatMap(({ name, body, ...of }): [string, Json][] =>
    body === undefined || of.type !== type ? [] : [[camel(name), { summary: name, value: body }]],
  )
  return examples.length > 0 ? { examples: Object.fromEntries<Json>(examples) } : {}
}

/** As a member is named: `Reads a document` becomes `readsADocument`. */
const camel = (name: string): string =>
  name
    .replace(/[^A-Za-z0-9]+(.)?/g, (_, first: string | undefined) => (first ?? '').toUpperCase())
    .replace(/^./, (first) => first.toLowerCase())

function readExamples(): readonly Exchange[] {
  const exchanges = parseStrictJson(readFileSync(new URL('./examples.json', import.meta.url)))
  invariant(Check(Type.Array(Exchange), exchanges), 'examples.json holds exchanges')
  return exchanges
}

export const EXAMPLES = readExamples()
