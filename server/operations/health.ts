import { assertNever } from '../foundation/assert.ts'
import { toTimestamp, type Environment } from '../foundation/environment.ts'
import type { JobState } from '../foundation/jobs.ts'

/** How a part of the server is doing. */
export type PartCondition =
  | { readonly status: 'ok' }
  /** It serves everybody, and somebody should look at it. */
  | { readonly status: 'degraded'; readonly why: string }
  /** Requests had better go to another node. */
  | { readonly status: 'down'; readonly why: string }

/** A part that can tell how it is doing, under the name that operators read. */
export interface ServerPart {
  readonly name: string
  readonly condition: PartCondition
}

/** Asks the parts of one module. */
export type Checkup = () => Promise<readonly ServerPart[]>

/** A module that can be asked, under the name that stands for its parts where it does not answer. */
export interface Checked {
  readonly name: string
  readonly checkup: Checkup
}

export const OK: PartCondition = { status: 'ok' }

/** Whoever asks more often is told what was found last: looking costs an act of storage, and anybody may ask. */
const LOOK_EVERY_MS = 1_000
/** A part that has not answered by then hangs, as storage does with its disk: whoever looks is not to hang with it. */
const ANSWER_MS = 2_000
/** Events that wait so long while none is told are stuck: telling one takes milliseconds. */
const STUCK_MS = 10_000
/** After so many failures in a row a job has been tried again for half a minute. */
const FAILING_AFTER = 5
/** The longest run is a look at all logs; of a million documents it takes minutes. */
const LONG_RUN_MS = 3_600_000

/** How the whole server is doing, from what its modules say of their parts. */
export class Health {
  readonly #environment: Environment
  readonly #checked: readonly Checked[]
  #last: { readonly atMs: number; readonly parts: Promise<readonly ServerPart[]> } | null = null

  constructor(environment: Environment, checked: readonly Checked[]) {
    this.#environment = environment
    this.#checked = checked
  }

  /** The gravest condition of any part, and all parts in the order of their modules. At most a second old. */
  async look(): Promise<{ readonly status: PartCondition['status']; readonly parts: readonly ServerPart[] }> {
    const now = this.#environment.monotonicMs()
    if (this.#last === null || now - this.#last.atMs >= LOOK_EVERY_MS) {
      this.#last = {
        atMs: now,
        parts: Promise.all(this.#checked.map((one) => this.#ask(one))).then((all) => all.flat()),
      }
    }
    const parts = await this.#last.parts
    return { status: gravest(parts), parts }
  }

  async #ask({ name, checkup }: Checked): Promise<readonly ServerPart[]> {
    const silent = (why: string): readonly ServerPart[] => [{ name, condition: { status: 'down', why } }]
    return new Promise((resolve) => {
      const timer = this.#environment.after(ANSWER_MS, () =>
        resolve(silent(`It did not answer within ${ANSWER_MS / 1_000} s.`)),
      )
      checkup()
        .then(resolve, () => resolve(silent('It could not be asked.')))
        .finally(() => timer.cancel())
    })
  }
}

function gravest(parts: readonly ServerPart[]): PartCondition['status'] {
  const statuses = new Set(parts.map(({ condition }) => condition.status))
  return statuses.has('down') ? 'down' : statuses.has('degraded') ? 'degraded' : 'ok'
}

export function storagePart(isWritable: boolean): ServerPart {
  return {
    name: 'storage',
    condition: isWritable ? OK : { status: 'down', why: 'The database cannot be written.' },
  }
}

/** A job that fails is tried again by itself, so nobody is kept waiting for it; its message is in the log. */
export function jobPart(job: JobState, now: number): ServerPart {
  const why = worryOver(job, now)
  return { name: `job: ${job.name}`, condition: why === null ? OK : { status: 'degraded', why } }
}

function worryOver({ isRunning, lastRunAt, failures, lastFailure }: JobState, now: number): string | null {
  if (lastFailure !== null && failures >= FAILING_AFTER)
    return `It failed ${failures} times in a row, last at ${toTimestamp(lastFailure.at)}.`
  if (isRunning && lastRunAt !== null && now - lastRunAt >= LONG_RUN_MS)
    return `It has been running since ${toTimestamp(lastRunAt)}.`
  return null
}

/** How far something has come of what it is to do, both counted up from its start. */
export interface Backlog {
  readonly due: number
  readonly done: number
}

/** Tells whether something moves on, from one look to the next. */
export class Motion {
  readonly #environment: Environment
  /** The first look that found it with something to do, and no further on than now. */
  #since: { readonly atMs: number; readonly done: number } | null = null

  constructor(environment: Environment) {
    this.#environment = environment
  }

  part(name: string, { due, done }: Backlog): ServerPart {
    const now = this.#environment.monotonicMs()
    // How long it has had something to do, a look alone cannot tell: only that it had it at the last look, too.
    if (done >= due) this.#since = null
    else if (this.#since?.done !== done) this.#since = { atMs: now, done }
    const waitedMs = this.#since === null ? 0 : now - this.#since.atMs
    const why = `${due - done} wait, and none was told for ${Math.floor(waitedMs / 1_000)} s.`
    return { name, condition: waitedMs >= STUCK_MS ? { status: 'down', why } : OK }
  }
}

/** The HTTP status of a condition, for whoever looks at nothing else. */
export function httpStatusOf(status: PartCondition['status']): 200 | 503 {
  switch (status) {
    case 'ok':
    case 'degraded':
      return 200
    case 'down':
      return 503
    default:
      return assertNever(status)
  }
}
