/**
 * Readers turn an unknown JSON value into a typed one, or say where it is not what it should be.
 * Members they do not know are ignored, so that a newer server does not break an older client.
 */
export type Reader<T> = (value: unknown, at: string) => T

/** The other side sent something of another shape than the API describes. */
export class UnexpectedShape extends Error {
  override readonly name = 'UnexpectedShape'
}

const refuse = (at: string, wanted: string): never => {
  throw new UnexpectedShape(`${at}: expected ${wanted}`)
}

export const string: Reader<string> = (value, at) => (typeof value === 'string' ? value : refuse(at, 'a string'))
export const number: Reader<number> = (value, at) => (typeof value === 'number' ? value : refuse(at, 'a number'))
export const boolean: Reader<boolean> = (value, at) => (typeof value === 'boolean' ? value : refuse(at, 'a boolean'))

export const oneOf =
  <const Names extends readonly string[]>(names: Names): Reader<Names[number]> =>
  (value, at) =>
    names.find((name) => name === value) ?? refuse(at, `one of ${names.join(', ')}`)

export const nullable =
  <T>(reader: Reader<T>): Reader<T | null> =>
  (value, at) =>
    value === null ? null : reader(value, at)

export const list =
  <T>(reader: Reader<T>): Reader<readonly T[]> =>
  (value, at) =>
    Array.isArray(value) ? value.map((item: unknown, index) => reader(item, `${at}/${index}`)) : refuse(at, 'an array')

/** Any object, its members unread. */
export const members: Reader<Readonly<Record<string, unknown>>> = (value, at) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : refuse(at, 'an object')

type Shape<T> = { readonly [Key in keyof T]-?: Reader<T[Key]> }

/** An object with the members of `required`, and those of `optional` where they are there. */
export function object<R extends object, O extends object = object>(
  required: Shape<R>,
  optional?: Shape<O>,
): Reader<R & Partial<O>> {
  const requiredReaders = Object.entries<Reader<unknown>>(required)
  const optionalReaders = Object.entries<Reader<unknown>>(optional ?? {})
  return (value, at) => {
    const source = members(value, at)
    const result: Record<string, unknown> = {}
    for (const [key, reader] of requiredReaders) result[key] = reader(source[key], `${at}/${key}`)
    for (const [key, reader] of optionalReaders) {
      if (source[key] !== undefined) result[key] = reader(source[key], `${at}/${key}`)
    }
    // Every member was just put there by the reader of its own type.
    return result as R & Partial<O>
  }
}

/** The first reader that accepts the value; the last one's complaint if none does. */
export const either =
  <A, B>(first: Reader<A>, second: Reader<B>): Reader<A | B> =>
  (value, at) => {
    try {
      return first(value, at)
    } catch (error) {
      if (!(error instanceof UnexpectedShape)) throw error
      return second(value, at)
    }
  }
