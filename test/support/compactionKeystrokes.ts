/** What the child of the compaction tests types; the n-th makes version n + 2, for the creation is 1. */
export const KEYSTROKES: readonly { readonly at: number; readonly inserted: string }[] = Array.from(
  { length: 900 },
  (_, n) => ({ at: (n * 31) % (n + 1), inserted: n % 9 === 0 ? '\n' : 'x' }),
)

/** The text by version. */
export function typedContents(): Map<number, string> {
  const contents = new Map([[1, '']])
  let text = ''
  for (const [n, { at, inserted }] of KEYSTROKES.entries()) {
    text = text.slice(0, at) + inserted + text.slice(at)
    contents.set(n + 2, text)
  }
  return contents
}
