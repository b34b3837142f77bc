import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import type { FastifyInstance, RouteOptions } from 'fastify'
import { Type } from 'typebox'
import { invariant } from '../foundation/assert.ts'
import { ParleyError } from '../foundation/problems.ts'

/** It keeps what it compiled, so that servers in one process compile no schema twice. */
const ajv = new Ajv({
  coerceTypes: false,
  removeAdditional: false,
  useDefaults: false,
  allErrors: false,
  discriminator: true,
  allowUnionTypes: true,
  strictTuples: false,
})
ajv.addVocabulary(['shownAs'])

/**
 * Requests are validated as they were sent: nothing is coerced, defaulted or removed. A query string therefore
 * holds strings; `queryInteger` reads a number from one. Answers are not run through their schema.
 */
export function validateStrictly(app: FastifyInstance): void {
  app.setValidatorCompiler(({ schema }) => {
    invariant(typeof schema === 'object' && schema !== null, 'a schema is an object')
    return compiledWhenAsked(() => ajv.compile(schema))
  })
  app.setSerializerCompiler(() => JSON.stringify)
  app.setSchemaErrorFormatter((errors, part) => new ParleyError('invalid-request', describe(errors, part)))
}

/** A start compiles nothing: all schemas together are a tenth of it, and most routes are not asked for soon. */
function compiledWhenAsked(compile: () => ValidateFunction): Validator {
  let compiled: ValidateFunction | null = null
  const validator: Validator = (value) => {
    compiled ??= compile()
    const isValid = compiled(value)
    // Where fastify looks for them.
    validator.errors = compiled.errors ?? null
    return isValid
  }
  return validator
}

interface Validator {
  (value: unknown): boolean
  errors?: ErrorObject[] | null
}

const NO_QUERY = { type: 'object', properties: {}, additionalProperties: false }
/** Some clients send `{}` with every POST. */
const NO_BODY = { type: ['object', 'null'], properties: {}, additionalProperties: false }

/**
 * The schema of a route, completed: a part it leaves out is one that must be empty (SPEC "Terms": unknown members and
 * query parameters are errors). `openQuery` is for pages, whose query belongs to their script.
 */
export function completeSchema(route: RouteOptions, takesBody: boolean): NonNullable<RouteOptions['schema']> {
  const { body, querystring, ...rest } = route.schema ?? {}
  const bodiless = route.method === 'GET' || route.method === 'HEAD'
  for (const [part, schema] of Object.entries({ body, querystring })) {
    invariant(isClosed(schema), `${String(route.method)} ${route.url} lets unknown members of its ${part} pass`)
  }
  return {
    ...rest,
    ...(route.config?.openQuery === true ? {} : { querystring: querystring ?? NO_QUERY }),
    ...(bodiless ? {} : takesBody ? (body === undefined ? {} : { body }) : { body: NO_BODY }),
  }
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The query is not the server's to judge. */
    openQuery?: boolean
  }
}

/** Whether every object schema that names properties, at any depth, refuses others. */
function isClosed(schema: unknown): boolean {
  if (Array.isArray(schema)) return schema.every(isClosed)
  if (typeof schema !== 'object' || schema === null) return true
  const open = 'properties' in schema && !('additionalProperties' in schema) && !('unevaluatedProperties' in schema)
  return !open && Object.values(schema).every(isClosed)
}

/**
 * The schema of a query parameter that is read as something else than the text it is sent as: `shownAs` is for the API
 * description, and the parameter is checked where it is read.
 */
const parameter = (description: string, shownAs: Readonly<Record<string, unknown>>) =>
  Type.Unsafe<string>({ type: 'string', shownAs: { description, ...shownAs } })

/** Of one that `queryInteger` reads. */
export const integerParameter = (
  description: string,
  bounds: { readonly minimum: number; readonly maximum: number; readonly default?: number },
) => parameter(description, { type: 'integer', format: 'int64', ...bounds })

/** Of one that `queryBoolean` reads. */
export const booleanParameter = (description: string) => parameter(description, { type: 'boolean', default: false })

/** Of a text with a form or length that is checked where it is read. */
export const textParameter = (description: string, form: { readonly maxLength: number; readonly pattern?: string }) =>
  parameter(description, { type: 'string', ...form })

/** Reads an integer from a query string; null where it was not sent. Throws `invalid-request` naming the parameter. */
export function queryInteger(
  text: string | undefined,
  parameter: { readonly name: string; readonly minimum: number; readonly maximum: number },
): number | null {
  if (text === undefined) return null
  const { name, minimum, maximum } = parameter
  const value = /^(0|-?[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN
  if (value >= minimum && value <= maximum) return value
  throw new ParleyError(
    'invalid-request',
    `The query parameter \`${name}\` is an integer from ${minimum} to ${maximum}.`,
  )
}

/** Reads `true` or `false` from a query string; false where it was not sent. */
export function queryBoolean(text: string | undefined, name: string): boolean {
  if (text === undefined || text === 'false') return false
  if (text === 'true') return true
  throw new ParleyError('invalid-request', `The query parameter \`${name}\` is \`true\` or \`false\`.`)
}

/** A query whose percent-encoding is broken would otherwise arrive as it stands, half decoded. */
export function checkQueryEncoding(url: string): void {
  const start = url.indexOf('?')
  if (start === -1 || !url.includes('%', start)) return
  try {
    decodeURIComponent(url.slice(start + 1))
  } catch {
    throw new ParleyError('invalid-request', 'The query string is not valid percent-encoding.')
  }
}

type SchemaError = Pick<ErrorObject, 'keyword' | 'instancePath' | 'params' | 'message'>

const PART_NAMES: Readonly<Record<string, string>> = {
  body: 'body',
  querystring: 'query string',
  params: 'path',
  headers: 'headers',
}

/** Names the member at fault. */
function describe(errors: readonly SchemaError[], part: string): string {
  const error = mostTelling(errors)
  const name = PART_NAMES[part] ?? part
  if (!error) return `The ${name} is not acceptable.`
  const place = error.instancePath === '' ? `The ${name}` : `\`${shorten(error.instancePath)}\` in the ${name}`
  switch (error.keyword) {
    case 'additionalProperties':
      return `${place} holds the unknown ${part === 'querystring' ? 'parameter' : 'member'} \`${shorten(error.params['additionalProperty'])}\`.`
    case 'required':
      return `${place} lacks \`${shorten(error.params['missingProperty'])}\`.`
    case 'enum':
      return `${place} must be one of ${shorten(JSON.stringify(error.params['allowedValues']))}.`
    case 'const':
      return `${place} must be ${shorten(JSON.stringify(error.params['allowedValue']))}.`
    default:
      return `${place} ${error.message ?? 'is not acceptable'}.`
  }
}

/**
 * Of a union every branch reports why it does not fit. The branch that got furthest into the value is the one the
 * client most likely meant; then one that has all its members and one too many; then the first that misses one.
 */
function mostTelling(errors: readonly SchemaError[]): SchemaError | undefined {
  const keywords = ['required', 'additionalProperties']
  const rank = (error: SchemaError): number =>
    error.instancePath.split('/').length * (keywords.length + 1) + keywords.indexOf(error.keyword)
  const own = errors.filter((error) => error.keyword !== 'anyOf' && error.keyword !== 'oneOf')
  return own.toSorted((a, b) => rank(b) - rank(a))[0] ?? errors[0]
}

/** A member's name comes from the client and may be of any length. */
function shorten(text: unknown): string {
  const full = String(text)
  return full.length > 100 ? `${full.slice(0, 100)}…` : full
}
