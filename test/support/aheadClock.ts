import { systemEnvironment, type Environment } from '../../server/foundation/environment.ts'

/**
 * The system's clock, which a test can put forward: what is to grow old does so when the test says it, however slow the
 * machine is. Timers go as they always do.
 */
export interface AheadClock extends Environment {
  putForward(ms: number): void
}

export function aheadClock(): AheadClock {
  let aheadMs = 0
  return {
    ...systemEnvironment,
    now: () => systemEnvironment.now() + aheadMs,
    putForward(ms) {
      aheadMs += ms
    },
  }
}
