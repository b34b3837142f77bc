/** Marks a branch the types say cannot be reached; a new union member fails to compile here. */
export function assertNever(value: never): never {
  throw new Error(`Unreachable: ${JSON.stringify(value)}`)
}

/** A broken invariant is a bug in Parley, never in a request: it crashes loudly. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`Invariant broken: ${message}`)
}
