import type { Environment } from '../foundation/environment.ts'

/** One step of a stop. A step that is late is left behind: what it had to finish is lost to its clients, not to the log. */
export interface DrainStep {
  readonly name: string
  readonly deadlineMs: number
  readonly run: () => Promise<void>
}

export interface StepOutcome {
  readonly name: string
  readonly outcome: 'done' | 'late' | 'failed'
  readonly cause?: unknown
}

/** SPEC OPS-2 gives 10 s; the rest is for the process to exit. */
export const DRAIN_BUDGET_MS = 9_000

/**
 * Runs the steps one after the other, each until it is done, fails, or its deadline or the budget of all is over.
 * Never rejects and never skips a step: closing the storage comes last and must come, whatever happened before.
 */
export async function drain(steps: readonly DrainStep[], environment: Environment): Promise<readonly StepOutcome[]> {
  const end = environment.monotonicMs() + DRAIN_BUDGET_MS
  const outcomes: StepOutcome[] = []
  for (const step of steps) {
    const leftMs = Math.max(0, end - environment.monotonicMs())
    outcomes.push(await runStep(step, Math.min(step.deadlineMs, leftMs), environment))
  }
  return outcomes
}

async function runStep(step: DrainStep, deadlineMs: number, environment: Environment): Promise<StepOutcome> {
  const { name } = step
  return new Promise((resolve) => {
    const timer = environment.after(deadlineMs, () => resolve({ name, outcome: 'late' }))
    const settle = (outcome: StepOutcome): void => {
      timer.cancel()
      resolve(outcome)
    }
    start(step).then(
      () => settle({ name, outcome: 'done' }),
      (cause: unknown) => settle({ name, outcome: 'failed', cause }),
    )
  })
}

/** A step that throws before it answers a promise has failed like any other. */
const start = async (step: DrainStep): Promise<void> => step.run()

/** What `stopOnSignals` needs of a process; `process` is one. */
export interface Stoppable {
  on(signal: StopSignal, listener: (signal: StopSignal) => void): unknown
  exit(code: number): void
}

type StopSignal = 'SIGTERM' | 'SIGINT'
/** 128 and the number of the signal, as shells report a process that a signal ended. */
const EXIT_CODES = { SIGTERM: 143, SIGINT: 130 } as const
/** Should a stop hang altogether, the process still exits within the 10 s of SPEC OPS-2. */
const EXIT_DEADLINE_MS = 9_500
/** A runner such as npm may pass on what the terminal has sent already; that is still the first signal. */
const SAME_KEYPRESS_MS = 200
/** Timers of the environment do not keep a process alive, and nothing else may be left to do so. */
const KEEP_ALIVE_MS = 1_000

/**
 * SPEC OPS-2: the first SIGTERM or SIGINT stops the server and exits 0, or 1 where the stop failed; a second one
 * exits at once. `report` gets the line to tell the operator.
 */
export function stopOnSignals(
  target: Stoppable,
  environment: Environment,
  stop: () => Promise<void>,
  report: (line: string) => void,
): void {
  let stoppingSince: number | null = null
  const onSignal = (signal: StopSignal): void => {
    if (stoppingSince !== null) {
      if (environment.monotonicMs() - stoppingSince > SAME_KEYPRESS_MS) target.exit(EXIT_CODES[signal])
      return
    }
    stoppingSince = environment.monotonicMs()
    report(`${signal}: stopping`)
    const keepAlive = setInterval(() => undefined, KEEP_ALIVE_MS)
    const exit = (code: number, line: string): void => {
      clearInterval(keepAlive)
      report(line)
      target.exit(code)
    }
    const timer = environment.after(EXIT_DEADLINE_MS, () => exit(0, 'stopped, not everything answered in time'))
    stop().then(
      () => {
        timer.cancel()
        exit(0, 'stopped')
      },
      (error: unknown) => {
        timer.cancel()
        exit(1, `stopped with an error: ${error instanceof Error ? error.message : String(error)}`)
      },
    )
  }
  target.on('SIGTERM', onSignal)
  target.on('SIGINT', onSignal)
}
