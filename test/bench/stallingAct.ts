import type { Running } from '../support/process.ts'
import type { Caller } from '../support/server.ts'

/** Where an act finds its server. */
export interface Scene {
  readonly parley: Running
  readonly token: string
  readonly writer: Caller
  /** A document id that nobody used. */
  readonly id: string
}

/** Something a single person can ask for, and how large. */
export interface StallingAct {
  readonly name: string
  /** Up to the limits of DOC-10. */
  readonly sizes: readonly number[]
  /** Makes what the act needs, and answers the act; what that answers ends what it opened. */
  prepare(scene: Scene, size: number): Promise<() => Promise<() => void>>
}
