import { aheadClock, type AheadClock } from './aheadClock.ts'

/** Long enough for the slowest machine to do what has to be done before anything may be compacted. */
const AGE_SECONDS = 600

/** Variables and clock of a server on which versions grow old when the test says so, and never in the midst of it. */
export class Ageing {
  readonly variables = {
    PARLEY_COMPACTION_AGE_SECONDS: String(AGE_SECONDS),
    PARLEY_COMPACTION_INTERVAL_SECONDS: '1',
  }
  readonly clock: AheadClock = aheadClock()

  /** Makes all that is stored by now old enough; the next pass, within a second, compacts it. */
  passes(): void {
    this.clock.putForward(AGE_SECONDS * 1000)
  }
}
