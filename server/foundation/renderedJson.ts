/** JSON that was written elsewhere; only `toJson` knows it. */
export class RenderedJson {
  readonly json: string

  constructor(json: string) {
    this.json = json
  }
}

/**
 * As `JSON.stringify` writes an object; what is rendered already is taken over. It is looked for among the members, and those
 * of objects in a list that is a member.
 */
export function toJson(object: object): string {
  if (!holdsRendered(object)) return JSON.stringify(object)
  const members: [string, unknown][] = Object.entries(object)
  const written = members.flatMap(([name, value]) => {
    const json = memberJson(value)
    return json === undefined ? [] : [`${JSON.stringify(name)}:${json}`]
  })
  return `{${written.join(',')}}`
}

function memberJson(value: unknown): string | undefined {
  if (value instanceof RenderedJson) return value.json
  if (!Array.isArray(value) || !value.some(holdsRendered)) return JSON.stringify(value)
  return `[${value.map((element: unknown) => (isObject(element) ? toJson(element) : JSON.stringify(element))).join(',')}]`
}

function holdsRendered(value: unknown): boolean {
  if (!isObject(value)) return false
  return Object.values(value).some(
    (member) => member instanceof RenderedJson || (Array.isArray(member) && member.some(isRenderedHolder)),
  )
}

const isRenderedHolder = (value: unknown): boolean =>
  isObject(value) && Object.values(value).some((member) => member instanceof RenderedJson)

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null
