import { PROBLEMS, problemKind, type ProblemCode } from '../../foundation/problemTable.ts'
import type { AnswerAbout } from '../../http/about.ts'
import { ANSWER_HEADERS, COMMON_HEADERS, FREQUENT_HEADERS, PROBLEM_HEADERS } from '../../http/headers.ts'
import { PROBLEM_MEDIA_TYPE } from '../../http/problem.ts'
import { problemShape } from '../shapes/problems.ts'
import { type Components, membersOf, type Json, type JsonMembers } from './components.ts'
import { bodyExamples, EXAMPLES, type Exchange } from './examples.ts'
import { isKeyed, refusalsOf } from './refusals.ts'
import type { DescribedRoute } from './routes.ts'

/** All answers of a route by status: those it tells of itself, and the problems of its kind. */
export function responsesOf(
  route: DescribedRoute,
  components: Components,
  exchanges: readonly Exchange[],
): JsonMembers {
  const keyed = isKeyed(route)
  const responses: Record<string, JsonMembers> = {}
  for (const [status, about] of Object.entries(route.about.answers)) {
    const shown = exchanges.filter(({ answer }) => String(answer.status) === status)
    responses[status] = answerOf(about, keyed, components, shown)
  }
  const codes = refusalsOf(route)
  for (const status of new Set(codes.map((code) => problemKind(code).status))) {
    const group = codes.filter((code) => problemKind(code).status === status)
    const make = (): JsonMembers => refusalOf(group, keyed && status === 409, components)
    const told = responses[status]
    responses[status] = told ? joined(told, make()) : components.answer(nameOf(group, keyed && status === 409), make)
  }
  return responses
}

/** One status that stands for an answer and for problems. */
const joined = (one: JsonMembers, other: JsonMembers): JsonMembers => ({
  description: `${String(one['description'])}\n\n${String(other['description'])}`,
  // What only one of them brings is not always there.
  headers: { ...optional(membersOf(other['headers'])), ...membersOf(one['headers']) },
  content: { ...membersOf(one['content']), ...membersOf(other['content']) },
})

function optional(headers: JsonMembers): JsonMembers {
  const isCommon = (name: string): boolean => Object.hasOwn(COMMON_HEADERS, name)
  const names = Object.keys(headers)
  return Object.fromEntries<Json>(names.map((name) => [name, isCommon(name) ? (headers[name] ?? {}) : reference(name)]))
}

/** Answers with the same codes are one. */
const nameOf = (codes: readonly ProblemCode[], isReplayed: boolean): string =>
  [...codes.toSorted(), ...(isReplayed ? ['replayed'] : [])].join('.')

function answerOf(
  { text, body, headers = [] }: AnswerAbout,
  keyed: boolean,
  components: Components,
  exchanges: readonly Exchange[],
): JsonMembers {
  const types = body === undefined ? {} : 'byType' in body ? body.byType : { 'application/json': body }
  const content = Object.entries(types).map(([type, schema]): [string, Json] => {
    const examples = bodyExamples(
      exchanges.map(({ name, answer }) => ({ name, ...answer })),
      type,
    )
    return [type, { schema: components.refer(schema), ...examples }]
  })
  return {
    description: text,
    headers: headersOf([...headers, ...(keyed ? (['Idempotency-Replayed?'] as const) : [])]),
    ...(content.length > 0 ? { content: Object.fromEntries<Json>(content) } : {}),
  }
}

/** What is answered with one status: by code, what it tells. */
function refusalOf(codes: readonly ProblemCode[], isReplayed: boolean, components: Components): JsonMembers {
  const shown = codes.flatMap((code) => {
    const exchange = EXAMPLES.find(({ answer }) => membersOf(answer.body)['code'] === code)
    return exchange ? [{ ...exchange.answer, name: PROBLEMS[code].title }] : []
  })
  // A header that not every code brings is not always there.
  const headers = codes
    .flatMap((code) => PROBLEM_HEADERS[code] ?? [])
    .map((name) => (isOfAll(name, codes) ? name : maybe(name)))
  return {
    description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].title}.`).join('\n\n'),
    headers: headersOf([...new Set(headers), ...(isReplayed ? (['Idempotency-Replayed?'] as const) : [])]),
    content: {
      [PROBLEM_MEDIA_TYPE]: { schema: oneOfThem(codes, components), ...bodyExamples(shown, PROBLEM_MEDIA_TYPE) },
    },
  }
}

function oneOfThem(codes: readonly ProblemCode[], components: Components): Json {
  const schemas = codes.map((code) => components.refer(problemShape(code)))
  const [only] = schemas
  if (schemas.length === 1 && only !== undefined) return only
  const mapping = codes.map((code, index): [string, Json] => [code, membersOf(schemas[index])['$ref'] ?? ''])
  return { oneOf: schemas, discriminator: { propertyName: 'code', mapping: Object.fromEntries<Json>(mapping) } }
}

/** Not always there: with a question mark. */
type NamedHeader = NonNullable<AnswerAbout['headers']>[number]

const isOfAll = (name: NamedHeader, codes: readonly ProblemCode[]): boolean =>
  codes.every((code) => PROBLEM_HEADERS[code]?.includes(name))

const maybe = (name: NamedHeader): NamedHeader => (isMaybe(name) ? name : `${name}?`)

const isMaybe = (name: NamedHeader): name is NamedHeader & `${string}?` => name.endsWith('?')

/** Those of every answer, and these. */
function headersOf(names: readonly NamedHeader[]): JsonMembers {
  const common = Object.keys({ ...COMMON_HEADERS, ...FREQUENT_HEADERS }).map((name): [string, Json] => [
    name,
    reference(name),
  ])
  const own = names.map((name): [string, Json] =>
    isMaybe(name) ? [name.slice(0, -1), reference(name.slice(0, -1))] : [name, reference(`${name}.always`)],
  )
  return Object.fromEntries<Json>([...common, ...own])
}

const reference = (header: string): Json => ({ $ref: `#/components/headers/${header}` })

/** The headers that `references` refers to. */
export function sharedHeaders(components: Components, references: string): JsonMembers {
  const common = Object.entries(COMMON_HEADERS).map(([name, about]) => ({ name, ...about, required: true }))
  const frequent = Object.entries(FREQUENT_HEADERS).map(([name, about]) => ({ name, ...about, required: false }))
  const others = Object.entries(ANSWER_HEADERS).flatMap(([name, about]) => [
    { name, ...about, required: false },
    { name: `${name}.always`, ...about, required: true },
  ])
  const used = [...others, ...common, ...frequent].filter(({ name }) =>
    references.includes(`"#/components/headers/${name}"`),
  )
  return Object.fromEntries<Json>(
    used.map(({ name, text, schema, required }) => [
      name,
      { description: text, required, schema: components.refer(schema) },
    ]),
  )
}
