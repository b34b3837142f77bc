import { isSmallContent } from '../content/smallContent.ts'
import type { Content, Violation } from '../content/content.ts'
import type { JsonSchema } from '../model/document.ts'
import type { Answering, Desk } from '../threads/desk.ts'
import { assertUsableSchema, judgedCheaply, schemaViolation, violationsOf } from './schema.ts'

/** What is asked of schemas. A schema that cannot be used is a problem; one that can has no violations. */
export type SchemaQuestion =
  | { readonly ask: 'usable'; readonly schema: JsonSchema }
  | { readonly ask: 'violations'; readonly schema: JsonSchema; readonly content: Content }

/** Judged where the question is asked, if the schema is not too much work: a millisecond, and most contents are. */
const SMALL = { units: 32 * 1024, values: 1_000 }

export const judgingSchemas: Answering<SchemaQuestion, readonly Violation[]> = async (question) => {
  if (question.ask === 'violations') return violationsOf(question.schema, question.content)
  assertUsableSchema(question.schema)
  return []
}

/**
 * Judges contents by their schemas (SPEC WRITE-9): small ones by schemas that ask for little on the event loop, all others
 * beside it, compilation included.
 */
export class SchemaJudge {
  readonly #desk: Desk<SchemaQuestion, readonly Violation[]>
  /** A write that is planned anew has the same content: what was found out once is not asked again. */
  readonly #judged = new WeakMap<object, { readonly schema: string; readonly violations: readonly Violation[] }>()

  constructor(desk: Desk<SchemaQuestion, readonly Violation[]>) {
    this.#desk = desk
  }

  /** Throws `invalid-schema` unless this is a JSON Schema 2020-12 that can be compiled here. */
  async assertUsable(schema: JsonSchema, by: string): Promise<void> {
    await this.#desk.ask({ ask: 'usable', schema }, { by })
  }

  /** Every violation of the schema by the content; empty where there is none or no schema. */
  async violationsOf(schema: JsonSchema | null, content: Content, by: string): Promise<readonly Violation[]> {
    if (schema === null || typeof content === 'string') return []
    const text = JSON.stringify(schema)
    const known = this.#judged.get(content)
    if (known?.schema === text) return known.violations
    const cheaply = isSmallContent(content, SMALL) ? judgedCheaply(text, content) : null
    const violations = cheaply ?? (await this.#desk.ask({ ask: 'violations', schema, content }, { by }))
    this.#judged.set(content, { schema: text, violations })
    return violations
  }

  /** Throws `schema-violation` with all violations. */
  async assertValid(schema: JsonSchema | null, content: Content, by: string): Promise<void> {
    if (schema === null) return
    const violations = await this.violationsOf(schema, content, by)
    if (violations.length > 0) throw schemaViolation(violations)
  }
}
