import type { TSchema } from 'typebox'
import { TAGS } from '../../http/about.ts'
import { REQUEST_HEADERS } from '../../http/headers.ts'
import { responsesOf, sharedHeaders } from './answers.ts'
import { Components, isMembers, membersOf, type Json, type JsonMembers } from './components.ts'
import { bodyExamples, EXAMPLES, type Exchange } from './examples.ts'
import { PATH_PARAMETERS } from './parameters.ts'
import { changes, isKeyed } from './refusals.ts'
import type { DescribedRoute } from './routes.ts'

/** What a description says of the server itself. */
export interface DescribedServer {
  readonly version: string
  readonly publicUrl: string
}

const JSON_TYPE = 'application/json'

/**
 * The OpenAPI 3.1 document of these routes (SPEC API-3), made of what they were declared with: the schemas that validate
 * requests, their access, and what they tell of themselves. What routes of a kind have in common is said by their kind.
 */
export function openApi(routes: readonly DescribedRoute[], { version, publicUrl }: DescribedServer): JsonMembers {
  const components = new Components()
  const paths: Record<string, JsonMembers> = {}
  for (const route of routes) {
    const path = route.url.replace(/:([a-z]+)/gi, '{$1}')
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route, components) }
  }
  const used = new Set<string>(routes.map(({ about }) => about.tag))
  const headers = sharedHeaders(components, JSON.stringify([paths, components.all()]))
  return {
    openapi: '3.1.0',
    info: {
      title: 'Parley',
      version,
      summary: "Documents that people edit live and programs write over REST, where nobody's work is lost in silence.",
      description: INTRODUCTION,
      license: { name: 'MIT', identifier: 'MIT' },
      contact: { name: 'Whoever runs this server', url: publicUrl },
    },
    servers: [
      {
        url: `${publicUrl}/v1`,
        description: 'This server (production, or local development). Without `/v1` it is the newest version.',
        'x-internal': false,
      },
    ],
    security: [{ bearer: [] }],
    tags: Object.entries(TAGS).flatMap(([name, description]) => (used.has(name) ? [{ name, description }] : [])),
    paths,
    components: { ...components.all(), headers, securitySchemes: { bearer: BEARER } },
  }
}

const INTRODUCTION = `A document is edited live over WebSocket and is at the same time a versioned resource.
A write names the version it is based on. Where that is not the newest any more, the answer is a 409 that can be worked
with: it holds what the change started from, what the document is now, what the change wants, and a merge of both.

- Every error is \`application/problem+json\` with a stable \`code\`; \`type\` leads to a page that says what to do.
- A known path with another method is 405 \`method-not-allowed\` with \`Allow\`; a path that is none is 404; \`OPTIONS\` answers what a path takes; \`HEAD\` is answered as \`GET\`.
- A request that does not arrive whole is 408 \`request-timeout\`, one whose headers hold more than 16 KiB 431 \`headers-too-large\`; the connection is closed then.
- Members that are not described here may come to answers later; clients leave them alone. Unknown members of requests are refused.
- Live editing and the WebSocket of notifications are described in \`/asyncapi.json\`.`

const BEARER = {
  type: 'http',
  scheme: 'bearer',
  bearerFormat: 'JWT',
  description:
    'A JSON Web Token by the best current practices of RFC8725: HS256 with the secret of the server, or RS256, ES256 or EdDSA with the key set of an identity provider. `access` maps patterns of document ids to permissions. It is good until its `exp`, or until it is revoked.',
}

function operation(route: DescribedRoute, components: Components): JsonMembers {
  const { about, access } = route
  // What is refused shows with its problem.
  const examples = EXAMPLES.filter(({ operation: of, answer }) => of === about.id && answer.status < 300)
  const body = requestBody(route, components, examples)
  return {
    operationId: about.id,
    tags: [about.tag],
    summary: about.summary,
    description: about.text === undefined ? needs(access) : `${about.text}\n\n${needs(access)}`,
    ...(access === 'public' ? { security: [] } : {}),
    parameters: [
      ...pathParameters(route, components),
      ...queryParameters(route, components),
      ...headers(route, components),
    ],
    ...(body === null ? {} : { requestBody: body }),
    responses: responsesOf(route, components, examples),
  }
}

/** The access of a route in words. */
function needs(access: DescribedRoute['access']): string {
  if (access === 'public') return 'Needs no token.'
  if (access === 'authenticated') return 'Needs a token; what it may do is judged by what the request names.'
  if ('everywhere' in access) return `Needs \`${access.everywhere}\` on \`*\`.`
  if ('anywhere' in access) return `Needs \`${access.anywhere}\` on some documents.`
  const also = access.unconditional ? ` \`If-Match: *\` needs \`${access.unconditional}\` besides.` : ''
  return `Needs \`${access.needs}\` on the document.${also}`
}

function pathParameters({ url }: DescribedRoute, components: Components): readonly Json[] {
  return [...url.matchAll(/:([a-z]+)/gi)].map(([, name = '']) => {
    const { text = '', schema = {} } = PATH_PARAMETERS[name] ?? {}
    return { name, in: 'path', required: true, description: text, schema: components.refer(schema) }
  })
}

function queryParameters({ query }: DescribedRoute, components: Components): readonly Json[] {
  if (query === null) return []
  const { properties, required } = membersOf(components.refer(query))
  return Object.entries(membersOf(properties)).map(([name, schema]) => {
    const { description, ...shown } = membersOf(schema)
    const isRequired = Array.isArray(required) && required.includes(name)
    return {
      name,
      in: 'query',
      required: isRequired,
      ...(description === undefined ? {} : { description }),
      schema: shown,
    }
  })
}

function headers(route: DescribedRoute, components: Components): readonly Json[] {
  const names = [...(route.about.headers ?? []), ...(isKeyed(route) ? (['Idempotency-Key'] as const) : [])]
  return names.map((name) => {
    const { text, schema } = REQUEST_HEADERS[name]
    return { name, in: 'header', required: false, description: text, schema: components.refer(schema) }
  })
}

function requestBody(
  route: DescribedRoute,
  components: Components,
  exchanges: readonly Exchange[],
): JsonMembers | null {
  const { about, body, method } = route
  const types: Readonly<Record<string, TSchema>> = about.takes ?? (body === null ? {} : { [JSON_TYPE]: body })
  if (!changes(method) || Object.keys(types).length === 0) return null
  const content = Object.entries(types).map(([type, schema]): [string, Json] => {
    const examples = bodyExamples(
      exchanges.map(({ name, request }) => ({ name, ...request })),
      type,
    )
    return [type, { schema: components.refer(schema), ...examples }]
  })
  return { required: !mayBeNull(components.refer(body ?? {})), content: Object.fromEntries<Json>(content) }
}

/** Such a body may be left out. */
function mayBeNull(schema: Json): boolean {
  const alternatives = membersOf(schema)['anyOf']
  return Array.isArray(alternatives) && alternatives.some((one: Json) => isMembers(one) && one['type'] === 'null')
}
