/** Judges answers of servers by the API description, those of servers in this process as they go out (SPEC API-3). */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import type { FastifyInstance } from 'fastify'
import { openApi } from '../../server/api/description/openApi.ts'
import { collectRoutes, type DescribedRoute } from '../../server/api/description/routes.ts'
import { record, type Judge, type Judged, type SeenAnswer } from './recorded.ts'

/** Records the answers of a server in this process; to be called before its routes are added. */
export function recordAnswers(app: FastifyInstance): void {
  const routes = collectRoutes(app)
  const bodies = new WeakMap<object, string>()
  let description: Description | null = null
  app.addHook('onSend', (request, reply, payload, done) => {
    if (typeof payload === 'string') bodies.set(request, payload)
    else if (Buffer.isBuffer(payload)) bodies.set(request, unpacked(payload, reply.getHeader('content-encoding')))
    else if (payload === null || payload === undefined) bodies.set(request, '')
    done()
  })
  app.addHook('onResponse', (request, reply, done) => {
    // What is measured and logged of the request waits for none of this.
    done()
    description ??= descriptionOfRoutes(routes)
    const { method, url = '/' } = request.raw
    const isHead = method === 'HEAD' || reply.statusCode === 304
    // A line that broke before the head was written has no answer.
    if (reply.raw.headersSent) {
      record(description, {
        method: method ?? 'GET',
        url,
        status: reply.statusCode,
        headers: { ...reply.raw.getHeaders(), ...reply.getHeaders() },
        body: isHead ? null : (bodies.get(request) ?? null),
      })
    }
  })
}

/** A body as it was before it was compressed on its way out. */
function unpacked(bytes: Buffer, coding: unknown): string {
  const plain = coding === 'br' ? brotliDecompressSync(bytes) : coding === 'gzip' ? gunzipSync(bytes) : bytes
  return plain.toString('utf8')
}

/** Made once for all servers with the same routes. */
const ofRoutes = new Map<string, Description>()
function descriptionOfRoutes(routes: readonly DescribedRoute[]): Description {
  const key = routes.map(({ about }) => about.id).join(' ')
  let found = ofRoutes.get(key)
  if (!found) {
    ofRoutes.set(key, (found = descriptionOf(openApi(routes, { version: '0', publicUrl: 'http://localhost' }))))
  }
  return found
}

/** Members of an object that is not typed any further. */
const of = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}

/** Servers of one kind have one. */
const known = new Map<string, Description>()
export function descriptionOf(document: unknown): Description {
  const key = JSON.stringify(document)
  let found = known.get(key)
  if (!found) known.set(key, (found = new Description(document)))
  return found
}

/** Headers of the line and of the body's form. */
const TRANSPORT = new Set([
  'date',
  'connection',
  'keep-alive',
  'content-length',
  'content-type',
  'content-encoding',
  'transfer-encoding',
])
/** Of pages, which are no part of the API. */
const PAGES = /^\/(demo(\/.*)?|docs(\/.*)?)?$/
/** What is answered where there is no route. */
const UNKNOWN = 'no route'

class Description implements Judge {
  readonly all: readonly string[]
  readonly #document: Record<string, unknown>
  readonly #routes: {
    readonly path: RegExp
    readonly method: string
    readonly literal: number
    readonly pointer: string
  }[]
  readonly #ajv: Ajv2020
  readonly #checks = new Map<string, ValidateFunction>()
  readonly #headers = new Map<string, { readonly names: ReadonlySet<string>; readonly required: readonly string[] }>()

  constructor(document: unknown) {
    this.#document = of(closed(document))
    this.#ajv = new Ajv2020({ strict: false, allErrors: false, unicodeRegExp: true, logger: false })
    addFormats.default(this.#ajv)
    this.#ajv.addSchema(this.#document, 'api')
    const routes = Object.entries(of(this.#document['paths'])).flatMap(([path, operations]) =>
      Object.keys(of(operations)).map((method) => ({
        path: new RegExp(`^${path.replace(/\{[^}]+\}/g, '[^/]+').replaceAll('.', '\\.')}$`),
        method: method.toUpperCase(),
        literal: path.replace(/\{[^}]+\}/g, '').length,
        pointer: `/paths/${escapePointer(path)}/${method}`,
      })),
    )
    // Of two that a path fits, the more literal one is meant: it stands first.
    this.#routes = routes.toSorted((a, b) => b.literal - a.literal)
    this.all = this.#routes.flatMap(({ pointer }) => {
      const name = String(this.#at(pointer)['operationId'])
      return Object.keys(of(this.#at(pointer)['responses'])).flatMap((status) => {
        const response = this.#resolve(`${pointer}/responses/${status}`)
        const types = Object.keys(of(this.#at(response)['content']))
        const codes = types.includes(PROBLEM) ? this.#codes(`${response}/content/${escapePointer(PROBLEM)}/schema`) : []
        const isAnswer = types.length === 0 || types.some((type) => type !== PROBLEM)
        return [...(isAnswer ? [`${name} ${status}`] : []), ...codes.map((code) => `${name} ${status} ${code}`)]
      })
    })
  }

  judge(answer: SeenAnswer): Judged {
    const path = (answer.url.split('?', 1)[0] ?? '').replace(/^\/v1(?=\/|$)/, '') || '/'
    const method = answer.method === 'HEAD' ? 'GET' : answer.method
    const route = this.#routes.find((one) => one.method === method && one.path.test(path))
    const { type, code, body } = read(answer)
    // What only a WebSocket or a stream has answers no HEAD.
    if (!route || (answer.method === 'HEAD' && answer.status === 405)) {
      if (PAGES.test(path) && type !== PROBLEM) return { name: null, code, wrong: [] }
      return { name: UNKNOWN, code, wrong: this.#judgeUnknown(answer, type, body) }
    }
    const operation = this.#at(route.pointer)
    const name = String(operation['operationId'])
    const described = of(operation['responses'])[String(answer.status)]
    if (described === undefined) return { name, code, wrong: [`this status is not described (${code ?? type})`] }
    const response = this.#resolve(`${route.pointer}/responses/${answer.status}`)
    return {
      name,
      code,
      wrong: [
        ...this.#judgeHeaders(response, answer.headers),
        ...this.#judgeBody(response, answer, { type, code, body }),
      ],
    }
  }

  #judgeUnknown({ status, method }: SeenAnswer, type: string, body: unknown): string[] {
    if (status === 204 && method === 'OPTIONS') return []
    if (type !== PROBLEM) return [`where there is no route a ${type} is answered`]
    return body === undefined ? [] : this.#validate('/components/schemas/Problem', body)
  }

  #judgeHeaders(response: string, headers: SeenAnswer['headers']): string[] {
    const { names, required } = this.#headersOf(response)
    const strange = Object.keys(headers).filter((header) => !names.has(header) && !TRANSPORT.has(header))
    const missing = required.filter((header) => headers[header.toLowerCase()] === undefined)
    return [
      ...strange.map((header) => `the header ${header} is not described`),
      ...missing.map((header) => `the header ${header} is missing`),
    ]
  }

  #headersOf(response: string): { readonly names: ReadonlySet<string>; readonly required: readonly string[] } {
    const known = this.#headers.get(response)
    if (known) return known
    const all = Object.keys(of(this.#at(response)['headers']))
    const isRequired = (header: string): boolean =>
      this.#at(this.#resolve(`${response}/headers/${header}`))['required'] === true
    const found = { names: new Set(all.map((header) => header.toLowerCase())), required: all.filter(isRequired) }
    this.#headers.set(response, found)
    return found
  }

  #judgeBody(
    response: string,
    { body: text, status }: SeenAnswer,
    { type, code, body }: { readonly type: string; readonly code: string | null; readonly body: unknown },
  ): string[] {
    const content = of(this.#at(response)['content'])
    if (text === null) return []
    if (Object.keys(content).length === 0) return text === '' ? [] : [`a body of ${type} is not described`]
    if (!(type in content)) return [`the type ${type === '' ? 'none' : type} is not described`]
    const schema = `${response}/content/${escapePointer(type)}/schema`
    if (type !== PROBLEM) return this.#validate(schema, type.endsWith('json') ? body : text)
    const found = this.#codes(schema).indexOf(code ?? '')
    if (found === -1) return [`the code ${String(code)} is not described with ${status}`]
    const { oneOf } = this.#at(schema)
    return this.#validate(Array.isArray(oneOf) ? `${schema}/oneOf/${found}` : schema, body)
  }

  #codes(schema: string): string[] {
    const { oneOf } = this.#at(schema)
    const places = Array.isArray(oneOf) ? oneOf.map((_, index) => `${schema}/oneOf/${index}`) : [schema]
    return places.map((place) => String(of(of(this.#at(this.#resolve(place))['properties'])['code'])['const']))
  }

  #validate(pointer: string, value: unknown): string[] {
    let check = this.#checks.get(pointer)
    if (!check) this.#checks.set(pointer, (check = this.#ajv.compile({ $ref: `api#${encodeURI(pointer)}` })))
    if (check(value)) return []
    return (check.errors ?? [])
      .slice(0, 3)
      .map((error) => `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`)
  }

  #at(pointer: string): Record<string, unknown> {
    const steps = pointer
      .split('/')
      .slice(1)
      .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    return of(steps.reduce<unknown>((value, step) => of(value)[step], this.#document))
  }

  /** Where a reference leads, or the place itself. */
  #resolve(pointer: string): string {
    const { $ref } = this.#at(pointer)
    return typeof $ref === 'string' ? $ref.slice(1) : pointer
  }
}

const PROBLEM = 'application/problem+json'

function read({ headers, body }: SeenAnswer): { type: string; code: string | null; body: unknown } {
  const type = String(headers['content-type'] ?? '').split(';', 1)[0] ?? ''
  if (body === null || body === '' || !type.endsWith('json')) return { type, code: null, body: undefined }
  const value: unknown = JSON.parse(body)
  const { code } = of(value)
  return { type, code: type === PROBLEM ? String(code) : null, body: value }
}

const escapePointer = (step: string): string => step.replaceAll('~', '~0').replaceAll('/', '~1')

/** The same with nothing let pass that is not described: what clients are to leave alone, tests are not. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.fromEntries(Object.entries(value).map(([name, member]) => [name, closed(member)]))
  const isOpen = members['type'] === 'object' && 'properties' in members && !('additionalProperties' in members)
  return isOpen ? { ...members, additionalProperties: false } : members
}
