import { beforeEach, describe, expect, it } from 'vitest'
import { Jobs, retryDelayMs, type Job } from '../../server/foundation/jobs.ts'
import { ManualEnvironment, settled } from '../support/manualEnvironment.ts'

let environment: ManualEnvironment
let failures: { readonly job: string; readonly error: unknown }[]
let jobs: Jobs
let began: number[]

beforeEach(() => {
  environment = new ManualEnvironment(0)
  failures = []
  began = []
  jobs = new Jobs(environment, (job, error) => failures.push({ job, error }))
})

/** A job that notes when its runs begin. */
const start = (run: (nth: number, stopping: AbortSignal) => Promise<number | null> | number | null): Job =>
  jobs.start({ name: 'sweep', run: async (stopping) => run(began.push(environment.now()), stopping) })

describe('a job', () => {
  it('runs at once, then when its last run said, then only when it is woken', async () => {
    const job = start((nth) => (nth < 3 ? 5_000 : null))
    await environment.advance(60_000)
    expect(began).toEqual([0, 5_000, 10_000])
    job.wake()
    await environment.advance(60_000)
    expect(began).toEqual([0, 5_000, 10_000, 60_000])
    expect(environment.pending).toBe(0)
  })

  it('runs once more when it was woken during a run, however often', async () => {
    let finish = (): void => undefined
    const job = start((nth) => (nth > 1 ? null : new Promise((resolve) => (finish = () => resolve(null)))))
    await environment.advance(0)
    job.wake()
    job.wake()
    expect(began).toEqual([0])
    finish()
    await environment.advance(60_000)
    expect(began).toEqual([0, 0])
  })

  it('[HIST-5] that fails is repeated by itself, later and later, and starts anew after a success', async () => {
    start((nth) => {
      if (nth <= 3 || nth === 5) throw new Error(`the disk is full, ${nth}`)
      return nth === 4 ? 10_000 : null
    })
    await environment.advance(3_600_000)
    expect(began).toEqual([0, 1_000, 3_000, 7_000, 17_000, 18_000])
    expect(failures.map(({ job }) => job)).toEqual(['sweep', 'sweep', 'sweep', 'sweep'])
  })

  it('waits a minute at the most', () => {
    const delays = Array.from({ length: 2_000 }, (_, n) => retryDelayMs(n + 1))
    expect(delays.slice(0, 3)).toEqual([1_000, 2_000, 4_000])
    expect(new Set(delays.slice(6))).toEqual(new Set([60_000]))
  })

  it('tells its name, its last run and its last failure', async () => {
    expect(jobs.states()).toEqual([])
    let finish = (): void => undefined
    start((nth) => {
      if (nth === 1) throw new Error('the disk is full')
      return new Promise((resolve) => (finish = () => resolve(null)))
    })
    const never = { name: 'sweep', isRunning: false, lastRunAt: null, lastFailure: null, failures: 0 }
    expect(jobs.states()).toEqual([never])
    await environment.advance(0)
    const failed = { ...never, lastRunAt: 0, lastFailure: { at: 0, message: 'the disk is full' }, failures: 1 }
    expect(jobs.states()).toEqual([failed])
    await environment.advance(1_000)
    expect(jobs.states()).toEqual([{ ...failed, isRunning: true, lastRunAt: 1_000 }])
    finish()
    await settled()
    expect(jobs.states()).toEqual([{ ...failed, lastRunAt: 1_000, failures: 0 }])
  })

  it('that is stopped ends its run early and begins no other', async () => {
    let isTold = false
    const job = start(
      (_, stopping) =>
        new Promise((resolve) =>
          stopping.addEventListener('abort', () => {
            isTold = true
            resolve(0)
          }),
        ),
    )
    await environment.advance(0)
    await jobs.stop()
    job.wake()
    await environment.advance(60_000)
    expect([began, isTold, environment.pending]).toEqual([[0], true, 0])
  })
})
