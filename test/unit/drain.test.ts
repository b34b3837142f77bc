import { describe, expect, it } from 'vitest'
import type { Environment, Timer } from '../../server/foundation/environment.ts'
import { drain, DRAIN_BUDGET_MS, stopOnSignals, type DrainStep } from '../../server/operations/drain.ts'

/** A clock that is moved by hand; timers fire in order as it passes them. */
function manualClock(): Environment & { pass(ms: number): Promise<void> } {
  let now = 0
  let timers: { at: number; task: () => void }[] = []
  return {
    now: () => now,
    monotonicMs: () => now,
    randomBytes: (length) => new Uint8Array(length),
    after(delayMs, task): Timer {
      const timer = { at: now + delayMs, task }
      timers.push(timer)
      return { cancel: () => (timers = timers.filter((one) => one !== timer)) }
    },
    async pass(ms) {
      await settled()
      now += ms
      const due = timers.filter((timer) => timer.at <= now)
      timers = timers.filter((timer) => timer.at > now)
      for (const timer of due) timer.task()
      await settled()
    },
  }
}

/** Lets every promise that can move do so. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const never = (): Promise<void> => new Promise(() => undefined)

describe('drain', () => {
  it('[OPS-2] runs the steps in order, each after the one before', async () => {
    const clock = manualClock()
    const log: string[] = []
    const step = (name: string): DrainStep => ({
      name,
      deadlineMs: 100,
      run: async () => {
        log.push(`${name} begins`)
        await settled()
        log.push(`${name} ends`)
      },
    })
    const outcomes = await drain([step('accept'), step('flush')], clock)
    expect(log).toEqual(['accept begins', 'accept ends', 'flush begins', 'flush ends'])
    expect(outcomes).toEqual([
      { name: 'accept', outcome: 'done' },
      { name: 'flush', outcome: 'done' },
    ])
  })

  it('[OPS-2] leaves a step behind that does not end, and still comes to the last', async () => {
    const clock = manualClock()
    const outcomes = drain(
      [
        { name: 'sockets', deadlineMs: 2_000, run: never },
        { name: 'storage', deadlineMs: 1_000, run: async () => undefined },
      ],
      clock,
    )
    await clock.pass(1_999)
    expect(await Promise.race([outcomes, settled().then(() => 'waiting')])).toBe('waiting')
    await clock.pass(1)
    expect(await outcomes).toEqual([
      { name: 'sockets', outcome: 'late' },
      { name: 'storage', outcome: 'done' },
    ])
  })

  it('[OPS-2] goes on after a step that fails, in whatever way', async () => {
    const cause = new Error('disk full')
    const outcomes = await drain(
      [
        { name: 'rejects', deadlineMs: 100, run: () => Promise.reject(cause) },
        {
          name: 'throws',
          deadlineMs: 100,
          run: () => {
            throw cause
          },
        },
        { name: 'storage', deadlineMs: 100, run: async () => undefined },
      ],
      manualClock(),
    )
    expect(outcomes).toEqual([
      { name: 'rejects', outcome: 'failed', cause },
      { name: 'throws', outcome: 'failed', cause },
      { name: 'storage', outcome: 'done' },
    ])
  })

  it('[OPS-2] keeps all steps together within the budget', async () => {
    const clock = manualClock()
    const steps = Array.from({ length: 10 }, (_, index) => ({ name: `${index}`, deadlineMs: 8_000, run: never }))
    const outcomes = drain(steps, clock)
    await clock.pass(8_000)
    await clock.pass(DRAIN_BUDGET_MS - 8_000)
    for (let step = 2; step < steps.length; step += 1) await clock.pass(0)
    expect((await outcomes).map((one) => one.outcome)).toEqual(steps.map(() => 'late'))
    expect(clock.monotonicMs()).toBe(DRAIN_BUDGET_MS)
  })
})

describe('signals', () => {
  function stoppable(stop: () => Promise<void>) {
    const clock = manualClock()
    const exits: number[] = []
    const lines: string[] = []
    const listeners = new Map<string, (signal: 'SIGTERM' | 'SIGINT') => void>()
    const target = {
      on: (signal: 'SIGTERM' | 'SIGINT', listener: (signal: 'SIGTERM' | 'SIGINT') => void) =>
        listeners.set(signal, listener),
      exit: (code: number) => void exits.push(code),
    }
    stopOnSignals(target, clock, stop, (line) => lines.push(line))
    const signal = (name: 'SIGTERM' | 'SIGINT') => listeners.get(name)?.(name)
    return { clock, exits, lines, signal }
  }

  it.each(['SIGTERM', 'SIGINT'] as const)('[OPS-2] %s stops and exits 0', async (name) => {
    const { exits, lines, signal } = stoppable(async () => undefined)
    signal(name)
    expect(exits).toEqual([])
    await settled()
    expect(exits).toEqual([0])
    expect(lines).toEqual([`${name}: stopping`, 'stopped'])
  })

  it('[OPS-2] exits 0 within 10 s although the stop hangs', async () => {
    const { clock, exits, signal } = stoppable(never)
    signal('SIGTERM')
    await clock.pass(9_000)
    expect(exits).toEqual([])
    await clock.pass(999)
    expect(exits).toEqual([0])
  })

  it('[OPS-2] exits 1 where the stop failed', async () => {
    const { exits, lines, signal } = stoppable(() => Promise.reject(new Error('disk full')))
    signal('SIGTERM')
    await settled()
    expect(exits).toEqual([1])
    expect(lines.at(-1)).toContain('disk full')
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('[OPS-2] a second %s exits at once with %i', async (name, code) => {
    const { clock, exits, signal } = stoppable(never)
    signal('SIGTERM')
    await clock.pass(1_000)
    signal(name)
    expect(exits).toEqual([code])
  })

  it('[OPS-2] a signal passed on twice by a runner is one signal', async () => {
    const { clock, exits, signal } = stoppable(never)
    signal('SIGINT')
    signal('SIGINT')
    await clock.pass(100)
    signal('SIGTERM')
    expect(exits).toEqual([])
  })
})
