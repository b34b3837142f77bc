/** JSON that Parley itself has written, as what it was made of. What comes from outside is never read by this. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names what it stored
export function parseStored<T>(json: string): T {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked before it was written, by a checksum since
  return JSON.parse(json) as T
}
