import { createContext, Script } from 'node:vm'
import type { ErrorObject, ValidateFunction } from 'ajv/dist/2020.js'
import { LRUCache } from 'lru-cache'
import type { Content, Violation } from '../content/content.ts'
import { invariant } from '../foundation/assert.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { JsonSchema } from '../model/document.ts'
import { CountedAjv, counted, TooMuchWork } from './countedSchemas.ts'

/** Compiled schemas kept; one takes some 10 KB, and few documents have schemas of their own. */
const COMPILED_SCHEMAS = 500
/** A schema is written by people; larger ones only cost compile time, one of this size about a second. */
const MAX_SCHEMA_CHARACTERS = 32 * 1024
/** More violations than these help nobody, and a huge array could make as many as it has items. */
const MAX_VIOLATIONS = 1_000
/** Likewise for all pointers and messages together: a key may be millions of characters long. */
const MAX_VIOLATION_CHARACTERS = 1_000_000
/** A message quotes the schema, where a pattern or a list of values may be long. */
const MAX_MESSAGE_CHARACTERS = 300
/**
 * What compiling a schema may take when somebody wants to set it, beside the event loop: ten times what one of the largest
 * takes on a busy machine. One that was accepted before is compiled whatever it takes.
 */
const MAX_COMPILE_MS = 20_000
/** A schema that is compiled and judged by right away: it takes milliseconds, where a large one takes a second. */
const CHEAP_SCHEMA_CHARACTERS = 1_024
/** Steps of a judgement right away, some 5 ms; that it takes more is found out in as long. */
const CHEAP_STEPS = 100_000

const compiled = new LRUCache<string, ValidateFunction>({ max: COMPILED_SCHEMAS })

/** Throws `invalid-schema` unless this is a JSON Schema 2020-12 that can be compiled here. */
export function assertUsableSchema(schema: JsonSchema): void {
  compile(schema, MAX_COMPILE_MS)
}

/** Every violation of the schema by the content (SPEC WRITE-9); empty where there is none or no schema. */
export function violationsOf(schema: JsonSchema | null, content: Content): readonly Violation[] {
  if (schema === null) return []
  const validate = compile(schema, null)
  try {
    if (counted(() => validate(content))) return []
  } catch (error) {
    if (!isUnbounded(error)) throw error
    return [{ pointer: '', message: 'cannot be judged: the schema asks for too much work' }]
  }
  return listed((validate.errors ?? []).map(toViolation))
}

/** The same where it takes little; null where it does not. `text` is the JSON of the schema. */
export function judgedCheaply(text: string, content: Content): readonly Violation[] | null {
  if (text.length > CHEAP_SCHEMA_CHARACTERS) return null
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it is the JSON of a schema
  const validate = compiled.get(text) ?? compile(JSON.parse(text) as JsonSchema, null)
  try {
    if (counted(() => validate(content), CHEAP_STEPS)) return []
  } catch (error) {
    if (!isUnbounded(error)) throw error
    return null
  }
  return listed((validate.errors ?? []).map(toViolation))
}

/** What a content that breaks its schema is answered with. */
export const schemaViolation = (violations: readonly Violation[]): ParleyError =>
  new ParleyError('schema-violation', `The content breaks the schema in ${violations.length} place(s).`, {
    extras: { violations },
  })

/** Judges schemas by the schema of schemas, whose compilation takes a quarter of a second: once for all. */
let schemaOfSchemas: CountedAjv | null = null

function compile(schema: JsonSchema, mostMs: number | null): ValidateFunction {
  const text = textOf(schema)
  const known = compiled.get(text)
  if (known) return known
  if (text.length > MAX_SCHEMA_CHARACTERS) throw unusable(`it has more than ${MAX_SCHEMA_CHARACTERS} characters`)
  const validate = compileAnew(schema, mostMs)
  compiled.set(text, validate)
  return validate
}

/** A schema that nests too deep to be written down is none that anybody can use. */
function textOf(schema: JsonSchema): string {
  try {
    return JSON.stringify(schema)
  } catch (cause) {
    throw unusable('it is too deep', cause)
  }
}

function compileAnew(schema: JsonSchema, mostMs: number | null): ValidateFunction {
  try {
    schemaOfSchemas ??= new CountedAjv()
    const judge = schemaOfSchemas
    if (!within(mostMs, () => counted(() => judge.validateSchema(schema))))
      throw new Error(judge.errorsText(judge.errors))
    // An instance of its own: what one schema calls itself by `$id` is nothing to another.
    const validate = within(mostMs, () => new CountedAjv({ meta: false, validateSchema: false }).compile(schema))
    if ('$async' in validate) throw new Error('`$async` is not part of JSON Schema')
    return validate
  } catch (cause) {
    if (isUnbounded(cause)) throw unusable('it is too deep or takes too long to compile', cause)
    throw unusable(cause instanceof Error ? cause.message : 'it cannot be compiled', cause)
  }
}

function unusable(why: string, cause?: unknown): ParleyError {
  const shown = why.length > MAX_MESSAGE_CHARACTERS ? `${why.slice(0, MAX_MESSAGE_CHARACTERS)}…` : why
  return new ParleyError('invalid-schema', `The schema cannot be used: ${shown}.`, { cause })
}

const sandbox: { task: (() => unknown) | null } = { task: null }
createContext(sandbox)
const runTask = new Script('task()')

/** Runs a task in this thread and stops it when it takes too long; `isUnbounded` knows the error. */
function within<T>(mostMs: number | null, task: () => T): T {
  if (mostMs === null) return task()
  let result: { readonly value: T } | null = null
  sandbox.task = () => {
    result = { value: task() }
  }
  try {
    runTask.runInContext(sandbox, { timeout: mostMs })
    return valueOf(result)
  } finally {
    sandbox.task = null
  }
}

function valueOf<T>(result: { readonly value: T } | null): T {
  invariant(result !== null, 'a task that did not throw has a result')
  return result.value
}

/** A task that ran into a limit, or recursed until the stack was full. */
function isUnbounded(error: unknown): boolean {
  if (error instanceof RangeError || error instanceof TooMuchWork) return true
  // Made in the script's own realm, so it is no instance of this one's Error.
  const isCoded = typeof error === 'object' && error !== null && 'code' in error
  return isCoded && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
}

function toViolation(error: ErrorObject): Violation {
  return { pointer: error.instancePath, message: messageOf(error) }
}

/** Ajv leaves out what a person needs to know first: which member, which values. */
function messageOf({ keyword, params, message }: ErrorObject): string {
  const text = message ?? keyword
  const named: unknown =
    params['additionalProperty'] ?? params['unevaluatedProperty'] ?? params['allowedValues'] ?? params['allowedValue']
  const full = named === undefined ? text : `${text}: ${JSON.stringify(named)}`
  return full.length > MAX_MESSAGE_CHARACTERS ? `${full.slice(0, MAX_MESSAGE_CHARACTERS)}…` : full
}

/** As many as an answer may hold. */
function listed(violations: readonly Violation[]): readonly Violation[] {
  let characters = 0
  const end = violations.findIndex(({ pointer, message }, index) => {
    characters += pointer.length + message.length
    return index === MAX_VIOLATIONS || (index > 0 && characters > MAX_VIOLATION_CHARACTERS)
  })
  return end === -1 ? violations : violations.slice(0, end)
}
