import { randomBytes } from 'node:crypto'

/** A running timer; `cancel` is idempotent. */
export interface Timer {
  cancel(): void
}

/**
 * Everything the server takes from the outside world besides sockets and storage.
 * Injected, so that a simulation can drive the whole server from one seed.
 */
export interface Environment {
  /** Wall time in milliseconds since the epoch. */
  now(): number
  /** A clock that never goes back, in milliseconds. */
  monotonicMs(): number
  /** Runs `task` once after `delayMs`; does not keep the process alive. */
  after(delayMs: number, task: () => void): Timer
  randomBytes(length: number): Uint8Array
}

export const systemEnvironment: Environment = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, task) {
    const handle = setTimeout(task, delayMs)
    handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
  randomBytes: (length) => randomBytes(length),
}

/** What a Node timer can wait; a longer one would fire at once. */
const MAX_DELAY_MS = 2 ** 31 - 1

/** Runs `task` once when the wall time is `atMs` (milliseconds since the epoch), however far away that is. */
export function runAt(environment: Environment, atMs: number, task: () => void): Timer {
  const wait = (): Timer =>
    environment.after(Math.min(Math.max(0, atMs - environment.now()), MAX_DELAY_MS), () => {
      if (environment.now() >= atMs) task()
      else timer = wait()
    })
  let timer = wait()
  return { cancel: () => timer.cancel() }
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'

/** A random tag of `length` characters of [a-z2-7] (5 bits each). */
export function randomTag(environment: Environment, length: number): string {
  return toTag(environment.randomBytes(length))
}

/** Five bits of each byte, as a tag. */
export const toTag = (bytes: Uint8Array): string => Array.from(bytes, (byte) => ALPHABET[byte & 31]).join('')

/** RFC 3339 UTC with milliseconds. */
export function toTimestamp(ms: number): string {
  if (newest.ms !== ms) newest = { ms, text: new Date(ms).toISOString() }
  return newest.text
}
/** Under load many answers tell of the same millisecond. */
let newest = { ms: 0, text: new Date(0).toISOString() }
