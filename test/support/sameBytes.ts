import { expect } from 'vitest'

let isKnown = false

/** Equal bytes are found so at once: `expect` by itself makes a comparison of each, half a second for a hundred thousand. */
export function compareBytesAtOnce(): void {
  // Files that share a process ask again.
  if (isKnown) return
  isKnown = true
  expect.addEqualityTesters([sameBytes])
}

/** True for equal bytes; whatever else there is, and how bytes differ, is left to those that come after. */
const sameBytes = (a: unknown, b: unknown): true | undefined =>
  a instanceof Uint8Array &&
  b instanceof Uint8Array &&
  Object.getPrototypeOf(a) === Object.getPrototypeOf(b) &&
  Buffer.compare(a, b) === 0
    ? true
    : undefined
