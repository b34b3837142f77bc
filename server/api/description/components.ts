import type { TSchema } from 'typebox'
import { invariant } from '../../foundation/assert.ts'
import { parseStrictJson } from '../../http/strictJson.ts'

/** JSON as it is written into a description. */
export type Json = null | boolean | number | string | readonly Json[] | JsonMembers
export type JsonMembers = { readonly [member: string]: Json }

/** Where a schema names no bound, that of the body holds: PARLEY_MAX_CONTENT_BYTES can be no larger. */
const MAX_TEXT = 64 * 1024 * 1024
const MAX_ITEMS = 1_000_000
const MAX_NUMBER = Number.MAX_SAFE_INTEGER

/** What several parts of a description share, each once: schemas that have a title, and answers. */
export class Components {
  readonly #schemas = new Map<string, string>()
  readonly #answers = new Map<string, Json>()

  /** The schema as a part of a description, in which those with a title are references. */
  refer(schema: TSchema): Json {
    return this.#hoist(parsed(JSON.stringify(schema)))
  }

  /** An answer that several routes have, under its name. */
  answer(name: string, make: () => Json): JsonMembers {
    if (!this.#answers.has(name)) this.#answers.set(name, make())
    return { $ref: `#/components/responses/${name}` }
  }

  /** All that were referred to, by name. */
  all(): { readonly schemas: JsonMembers; readonly responses: JsonMembers } {
    const schemas = [...this.#schemas].toSorted(([a], [b]) => (a < b ? -1 : 1))
    return {
      schemas: Object.fromEntries<Json>(schemas.map(([name, json]) => [name, parsed(json)])),
      responses: Object.fromEntries<Json>(this.#answers),
    }
  }

  #hoist(value: Json): Json {
    if (Array.isArray(value)) return value.map((one: Json) => this.#hoist(one))
    if (!isMembers(value)) return value
    const { title, shownAs, ...rest } = value
    // What is validated as the text it is sent as, and is read as something else.
    if (shownAs !== undefined) return this.#hoist(shownAs)
    const hoisted = Object.fromEntries<Json>(Object.entries(rest).map(([name, member]) => [name, this.#hoist(member)]))
    if (typeof title !== 'string')
      return title === undefined ? bounded(hoisted) : { title: this.#hoist(title), ...hoisted }
    const json = JSON.stringify(bounded(hoisted))
    const known = this.#schemas.get(title)
    invariant(known === undefined || known === json, `there are two schemas named ${title}`)
    this.#schemas.set(title, json)
    return { $ref: `#/components/schemas/${title}` }
  }
}

/** The schema with the bounds that hold where it names none. */
function bounded(schema: JsonMembers): JsonMembers {
  const isOpen = !('enum' in schema) && !('const' in schema)
  switch (schema['type']) {
    case 'string':
      return isOpen ? { maxLength: MAX_TEXT, ...schema } : schema
    case 'integer':
      return isOpen ? { format: 'int64', minimum: -MAX_NUMBER, maximum: MAX_NUMBER, ...schema } : schema
    case 'array':
      return { maxItems: MAX_ITEMS, ...schema }
    default:
      return schema
  }
}

function parsed(text: string): Json {
  return parseStrictJson(Buffer.from(text))
}

/** The members of an object; none of anything else. */
export const membersOf = (value: Json | undefined): JsonMembers =>
  value !== undefined && isMembers(value) ? value : {}

export const isMembers = (value: Json): value is JsonMembers =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
