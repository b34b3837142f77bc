/** Marks a branch the types say cannot be reached. What the server sends has passed a reader before. */
export function assertNever(value: never): never {
  throw new Error(`Unreachable: ${JSON.stringify(value)}`)
}
