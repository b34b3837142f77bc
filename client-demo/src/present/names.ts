/** Whom ids mean on this screen. */
export interface Names {
  /** The `sub` of the person in front of it. */
  readonly self: string
  readonly known: ReadonlyMap<string, string>
}

/** `you` for oneself, the name of whoever is known, the `sub` of everyone else. */
export const personOf = (sub: string, names: Names): string =>
  sub === names.self ? 'you' : (names.known.get(sub) ?? sub)
