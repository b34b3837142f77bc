import { toVersion } from '../../server/foundation/ids.ts'
import { DEFAULT_SYNC_LIMITS } from '../../server/sync/limits.ts'
import type { Surroundings } from '../../server/sync/session.ts'
import { rawUpdate } from './rawUpdate.ts'

/** A room without anybody in it, for the rules of one session: at version 6, a minute after it opened, and no lock. */
export const around = (changed: Partial<Surroundings> = {}): Surroundings => ({
  nowMs: 60_000,
  version: toVersion(6),
  limits: DEFAULT_SYNC_LIMITS,
  isEmpty: false,
  isBarred: false,
  silence: () => ({ after: toVersion(6), stateVector: new Map() }),
  waitingBytes: () => 0,
  stateOf: () => 0,
  knowsAll: () => false,
  bringsSomething: () => true,
  addsTo: () => false,
  isUsed: () => false,
  departureOf: () => null,
  isListShorter: () => false,
  ...changed,
})

/** One letter, written under this Yjs client id. */
export const typedBy = (client: number, clock = 0): Uint8Array =>
  rawUpdate([
    { client, clock, structs: [{ text: 'x', ...(clock > 0 ? { origin: [client, clock - 1] as const } : {}) }] },
  ])
