import { answering, type LongQuestion } from '../api/questions.ts'
import type { Storage } from '../storage/storage.ts'
import { deskHere, type Desk } from '../threads/desk.ts'
import { ThreadPool } from '../threads/pool.ts'
import type { Module } from './module.ts'

/** Lies beside this file in the built output only: the source is TypeScript, which a plain worker cannot load. */
const THREAD = new URL('./questionThread.js', import.meta.url)
/** A long question leaves the other thread to everybody else; more threads than cores answer nothing sooner. */
const THREADS = 2
/** Questions have turns with each other between their steps; each holds a state of the database for up to a minute. */
const AT_ONCE = 4

export interface QuestionParts {
  readonly storage: Storage
  readonly file: string
  /** Null: there are no threads, and the event loop answers. */
  readonly threads: { readonly onUnexpected: (error: unknown) => void } | null
}

/** Where what takes long to answer is answered. */
export function questionDesk({ storage, file, threads }: QuestionParts): Desk<LongQuestion, Uint8Array> {
  if (threads === null) return deskHere(answering(storage))
  const argv = [file, storage.epoch]
  const pool = new ThreadPool<LongQuestion, Uint8Array>({
    name: 'parley-questions',
    url: THREAD,
    argv,
    threads: THREADS,
    atOnce: AT_ONCE,
    ...threads,
  })
  storage.sharesWith(pool)
  return pool
}

/** Threads that answer end with the server. */
export const deskModule = (name: string, desk: Desk<never, unknown>): Module => ({
  name,
  stop: { deadlineMs: 1_000, run: () => desk.close() },
})
