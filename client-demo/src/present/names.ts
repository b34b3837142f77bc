/** Whom ids mean on this screen. */
export interface Names {
  /** The `sub` of the person in front of it. */
  readonly self: string
  readonly guests: ReadonlyMap<string, string>
}

/** `you` for oneself, a guest's name, the `sub` of everyone else. */
export const personOf = (sub: string, names: Names): string =>
  sub === names.self ? 'you' : (names.guests.get(sub) ?? sub)
