import type { Environment } from '../../foundation/environment.ts'

/** Milliseconds since the epoch. */
export type Clock = () => number

/**
 * The host's wall time as it was at the start, counted on by a clock that never jumps (SPEC LOCK-3): a lock lives as
 * long as it was given, whatever is done to the host's clock meanwhile.
 */
export function steadyClock(environment: Pick<Environment, 'now' | 'monotonicMs'>): Clock {
  const offsetMs = environment.now() - environment.monotonicMs()
  return () => Math.floor(offsetMs + environment.monotonicMs())
}

/** All threads of a process read the same one, unlike `performance.now`. */
const processMs = (): number => Number(process.hrtime.bigint()) / 1e6

/** What another thread needs to count on from the same moment. */
export const processOffsetMs = (clock: Clock): number => clock() - processMs()

/** The clock of another thread, from its `processOffsetMs`. */
export const clockOfProcess =
  (offsetMs: number): Clock =>
  () =>
    Math.floor(offsetMs + processMs())
