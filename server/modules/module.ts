import type { Environment } from '../foundation/environment.ts'
import type { Routes } from '../http/mount.ts'
import type { SocketEndpoint } from '../http/upgrade.ts'
import { drain, type StepOutcome } from '../operations/drain.ts'
import type { Checkup } from '../operations/health.ts'
import type { Meter } from '../operations/meter.ts'

/**
 * A part of the server with a life of its own. Modules start in the order of their list and stop in reverse, so each
 * may use all that stand before it.
 */
export interface Module {
  /** For the log, when its stop is late or fails. */
  readonly name: string
  readonly routes?: readonly Routes[]
  readonly sockets?: readonly SocketEndpoint[]
  /** Resolves when it works. Where it rejects, the server does not start. */
  readonly start?: () => Promise<void>
  /** How its parts are doing, for `GET /readyz`. */
  readonly checkup?: Checkup
  /** Says what of it is measured, where somebody measures (SPEC OPS-1). */
  readonly measure?: (meter: Meter) => void
  readonly stop?: {
    /** A stop that takes longer is left behind, so that the next has its turn. */
    readonly deadlineMs: number
    readonly run: () => Promise<void>
  }
}

/** Starts modules in order. Where one fails, those before it are stopped again, and its error is thrown. */
export async function startModules(modules: readonly Module[], environment: Environment): Promise<void> {
  const started: Module[] = []
  for (const module of modules) {
    started.push(module)
    try {
      await module.start?.()
    } catch (error) {
      await stopModules(started, environment)
      throw error
    }
  }
}

/** Stops modules in reverse order and says how each stop went. Never rejects and skips none (SPEC OPS-2). */
export function stopModules(modules: readonly Module[], environment: Environment): Promise<readonly StepOutcome[]> {
  const steps = modules.toReversed().flatMap(({ name, stop }) => (stop ? [{ name, ...stop }] : []))
  return drain(steps, environment)
}
