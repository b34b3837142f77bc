import validate from 'cloudevents/dist/schema/v1.js'
import { Check } from 'typebox/value'
import { Type } from 'typebox'

const Faults = Type.Array(Type.Object({ instancePath: Type.String(), message: Type.Optional(Type.String()) }))

/**
 * What the official JSON schema of CloudEvents, which their own library brings, and version 1.0 of their text find
 * wrong with an event; empty for a sound one.
 */
export function cloudEventFaults(event: unknown): readonly string[] {
  if (!validate(event)) {
    const faults: unknown = Reflect.get(validate, 'errors')
    return Check(Faults, faults) ? faults.map(({ instancePath, message }) => `${instancePath} ${message}`) : ['refused']
  }
  const { specversion, ...attributes } = event as Record<string, unknown>
  // Of these the schema says nothing: the version itself, and how attributes are named (§3, naming conventions).
  const misnamed = Object.keys(attributes).filter((name) => !/^[a-z0-9]+$/.test(name))
  return [
    ...(specversion === '1.0' ? [] : ['/specversion is not 1.0']),
    ...misnamed.map((name) => `/${name} is misnamed`),
  ]
}
