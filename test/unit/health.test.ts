import { beforeEach, describe, expect, it } from 'vitest'
import type { JobState } from '../../server/foundation/jobs.ts'
import { Health, httpStatusOf, jobPart, Motion, storagePart, type ServerPart } from '../../server/operations/health.ts'
import { ManualEnvironment } from '../support/manualEnvironment.ts'

let environment: ManualEnvironment
beforeEach(() => {
  environment = new ManualEnvironment(0)
})

const part = (name: string, status: 'ok' | 'degraded' | 'down'): ServerPart => ({
  name,
  condition: status === 'ok' ? { status } : { status, why: 'says the test' },
})

describe('[OPS-1] the health of a server', () => {
  it.each([
    ['ok', ['ok', 'ok'], 200],
    ['degraded', ['ok', 'degraded'], 200],
    ['down', ['degraded', 'down', 'ok'], 503],
  ] as const)('[OPS-1] is %s where its parts are %j', async (status, statuses, http) => {
    const parts = statuses.map((one, n) => part(`part ${n}`, one))
    const health = new Health(
      environment,
      parts.map((one) => ({ name: one.name, checkup: async () => [one] })),
    )
    expect(await health.look()).toEqual({ status, parts })
    expect(httpStatusOf(status)).toBe(http)
  })

  it('[OPS-1] is looked at once a second, however many ask', async () => {
    let looks = 0
    const health = new Health(environment, [{ name: 'storage', checkup: async () => [storagePart((looks += 1) > 1)] }])
    await Promise.all([health.look(), health.look()])
    environment.jump(999)
    expect((await health.look()).status).toBe('down')
    environment.jump(1)
    expect((await health.look()).status).toBe('ok')
    expect(looks).toBe(2)
  })

  it('[OPS-1] is told although a part hangs or cannot be asked', async () => {
    const health = new Health(environment, [
      { name: 'storage', checkup: () => new Promise(() => undefined) },
      { name: 'upkeep', checkup: () => Promise.reject(new Error('a secret path')) },
      { name: 'notifications', checkup: async () => [part('feed', 'ok')] },
    ])
    const looking = health.look()
    await environment.advance(2_000)
    expect(await looking).toEqual({
      status: 'down',
      parts: [
        { name: 'storage', condition: { status: 'down', why: 'It did not answer within 2 s.' } },
        { name: 'upkeep', condition: { status: 'down', why: 'It could not be asked.' } },
        part('feed', 'ok'),
      ],
    })
    expect(environment.pending).toBe(0)
  })
})

describe('[OPS-1] a job', () => {
  const state: JobState = { name: 'purge', isRunning: false, lastRunAt: 0, lastFailure: null, failures: 0 }
  const lastFailure = { at: 5_000, message: 'SQLITE_FULL at /data/parley.db' }

  it('[OPS-1] is well although it failed a few times', () => {
    expect(jobPart({ ...state, failures: 4, lastFailure }, 0)).toEqual({
      name: 'job: purge',
      condition: { status: 'ok' },
    })
  })

  it('[OPS-1] that keeps failing is told of, without the message of its error', () => {
    const why = 'It failed 5 times in a row, last at 1970-01-01T00:00:05.000Z.'
    expect(jobPart({ ...state, failures: 5, lastFailure }, 0).condition).toEqual({ status: 'degraded', why })
  })

  it('[OPS-1] that does not come to an end is told of', () => {
    const running = { ...state, isRunning: true }
    expect(jobPart(running, 3_599_999).condition.status).toBe('ok')
    const why = 'It has been running since 1970-01-01T00:00:00.000Z.'
    expect(jobPart(running, 3_600_000).condition).toEqual({ status: 'degraded', why })
  })
})

describe('[OPS-1] the feed', () => {
  const status = (motion: Motion, due: number, done: number): string =>
    motion.part('feed', { due, done }).condition.status

  it('[OPS-1] is down where events wait for ten seconds and none is told', () => {
    const motion = new Motion(environment)
    expect(status(motion, 7, 5)).toBe('ok')
    environment.jump(9_999)
    expect(status(motion, 9, 5)).toBe('ok')
    environment.jump(1)
    expect(motion.part('feed', { due: 9, done: 5 })).toEqual({
      name: 'feed',
      condition: { status: 'down', why: '4 wait, and none was told for 10 s.' },
    })
  })

  it('[OPS-1] is well while it moves, and while nothing waits', () => {
    const motion = new Motion(environment)
    for (let done = 1; done < 5; done++) {
      expect(status(motion, 100, done)).toBe('ok')
      environment.jump(9_000)
    }
    environment.jump(3_600_000)
    expect(status(motion, 4, 4)).toBe('ok')
  })
  it('[OPS-1] is well where a rare look finds an event that has just come', () => {
    const motion = new Motion(environment)
    expect(status(motion, 5, 5)).toBe('ok')
    environment.jump(30_000)
    expect(status(motion, 6, 5)).toBe('ok')
    environment.jump(10_000)
    expect(status(motion, 6, 5)).toBe('down')
  })
})
