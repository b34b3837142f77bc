import { randomBytes, randomFillSync } from 'node:crypto'
import { ulid } from 'ulid'

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
  randomBytes: (length) => (length > POOLED_BYTES ? randomBytes(length) : pooledRandomBytes(length)),
}

/** Ids and tags are a few bytes each, and every request draws some: to ask the system for each takes longer than all else. */
const POOLED_BYTES = 32
const pool = new Uint8Array(4_096)
let drawn = pool.length

function pooledRandomBytes(length: number): Uint8Array {
  if (drawn + length > pool.length) {
    randomFillSync(pool)
    drawn = 0
  }
  const bytes = pool.slice(drawn, drawn + length)
  // What was given away is kept nowhere else.
  pool.fill(0, drawn, drawn + length)
  drawn += length
  return bytes
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

/** Characters of a ulid that are drawn, five bits each. */
const ULID_RANDOM_CHARACTERS = 16

/** An id that sorts by the time at which it was made. */
export function newUlid(environment: Environment): string {
  const bytes = environment.randomBytes(ULID_RANDOM_CHARACTERS).values()
  return ulid(environment.now(), () => (bytes.next().value ?? 0) / 256)
}

/** RFC 3339 UTC with milliseconds. */
export function toTimestamp(ms: number): string {
  if (newest.ms !== ms) newest = { ms, text: new Date(ms).toISOString() }
  return newest.text
}
/** Under load many answers tell of the same millisecond. */
let newest = { ms: 0, text: new Date(0).toISOString() }
