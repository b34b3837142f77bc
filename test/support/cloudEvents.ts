import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import addFormats from 'ajv-formats'

const schema: unknown = JSON.parse(
  readFileSync(new URL('../fixtures/cloudevents.schema.json', import.meta.url), 'utf8'),
)
const ajv = new Ajv({ allErrors: true, strict: false })
addFormats.default(ajv)
const validate = ajv.compile(schema as object)

/** What the official JSON schema of CloudEvents, and version 1.0 of its text, find wrong with an event; empty for one. */
export function cloudEventFaults(event: unknown): readonly string[] {
  if (!validate(event)) return (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`)
  const { specversion, ...attributes } = event as Record<string, unknown>
  // Of these the schema says nothing: the version itself, and how attributes are named (§3, naming conventions).
  const misnamed = Object.keys(attributes).filter((name) => !/^[a-z0-9]+$/.test(name))
  return [
    ...(specversion === '1.0' ? [] : ['/specversion is not 1.0']),
    ...misnamed.map((name) => `/${name} is misnamed`),
  ]
}
