import { setMember, type JsonObject, type JsonValue } from '../../content/content.ts'
import { refuse } from './updateReader.ts'

/** Yjs keeps a member that was set to `undefined`; in the content it is absent. */
export const isAbsent = (value: unknown): value is undefined => value === undefined

/** What a value put into the content reads as. Refuses `invalid-request` what JSON has no form for (SPEC SYNC-6). */
export function plainOf(value: unknown): JsonValue {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value
  if (typeof value === 'number') return Number.isFinite(value) ? value : noForm('a number')
  if (Array.isArray(value)) return value.map((item: unknown) => (isAbsent(item) ? noForm('an element') : plainOf(item)))
  if (typeof value !== 'object' || ArrayBuffer.isView(value)) return noForm('a value')
  const plain: JsonObject = {}
  for (const [key, item] of Object.entries(value)) if (!isAbsent(item)) setMember(plain, key, plainOf(item))
  return plain
}

const noForm = (what: string): never => refuse('invalid-request', `${what} that JSON has no form for`)
