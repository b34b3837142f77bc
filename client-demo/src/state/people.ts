import { object, string } from '../parley/readers.ts'

/** Someone who has the document open. */
export interface Person {
  readonly clientId: number
  readonly name: string
  /** Whom the state claims to be; null if it claims nobody. */
  readonly sub: string | null
  /** Index into the palette of the style sheet (`--person-0` …). */
  readonly colour: number
  readonly isSelf: boolean
}

/** As many as the style sheet has; the hex values are what other Yjs editors show this person in. */
const PALETTE = ['#2f6fd0', '#b3541e', '#2e7d4f', '#8a3fb0', '#b0306a', '#1f7a8c', '#7a6a1c', '#5a5fc7'] as const

/** A presence state is whatever its sender says it is. */
const stateShape = object({ user: object({ name: string }, { sub: string }) })
const LONGEST_NAME = 40

/**
 * Colours for those who are here: by name, so that a person keeps theirs, and no two alike while there are
 * enough. Everyone's screen works out the same.
 */
export function coloursOf(states: ReadonlyMap<number, unknown>): ReadonlyMap<number, number> {
  const colours = new Map<number, number>()
  for (const clientId of [...states.keys()].toSorted((a, b) => a - b)) {
    const name = userIn(states.get(clientId))?.name
    if (name !== undefined) colours.set(clientId, freeColour(hashOf(name), new Set(colours.values())))
  }
  return colours
}

function freeColour(wanted: number, taken: ReadonlySet<number>): number {
  const all = PALETTE.map((_, step) => (wanted + step) % PALETTE.length)
  return all.find((colour) => !taken.has(colour)) ?? wanted % PALETTE.length
}

function hashOf(name: string): number {
  let hash = 0
  for (const char of name) hash = (Math.imul(hash, 31) + (char.codePointAt(0) ?? 0)) >>> 0
  return hash
}

/** What this editor tells others of its person, in the form y-codemirror and its kin read. */
export function announcement({
  name,
  sub,
}: Pick<Person, 'name' | 'sub'>): Record<'name' | 'color' | 'colorLight', string> & Pick<Person, 'sub'> {
  const color = PALETTE[hashOf(name) % PALETTE.length] ?? PALETTE[0]
  return { name, sub, color, colorLight: `${color}33` }
}

/** The people in an awareness, oneself first, then by name. States that name nobody are left out. */
export function peopleIn(states: ReadonlyMap<number, unknown>, selfId: number): readonly Person[] {
  const colours = coloursOf(states)
  const people = [...states].flatMap(([clientId, state]): Person[] => {
    const user = userIn(state)
    return user === null ? [] : [{ clientId, ...user, colour: colours.get(clientId) ?? 0, isSelf: clientId === selfId }]
  })
  return people.toSorted((a, b) => Number(b.isSelf) - Number(a.isSelf) || a.name.localeCompare(b.name))
}

/** Who a presence state says its sender is; null if it says nothing readable. */
export function userIn(state: unknown): Pick<Person, 'name' | 'sub'> | null {
  try {
    const { user } = stateShape(state, 'state')
    const name = user.name.trim().slice(0, LONGEST_NAME)
    return name === '' ? null : { name, sub: user.sub ?? null }
  } catch {
    return null
  }
}
