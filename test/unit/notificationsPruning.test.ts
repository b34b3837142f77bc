import { beforeEach, describe, expect, it } from 'vitest'
import { ParleyError } from '../../server/foundation/problems.ts'
import { Inbox } from '../../server/notifications/inbox.ts'
import { Jobs, type Job } from '../../server/foundation/jobs.ts'
import { pruningJob, type PruningOptions } from '../../server/operations/pruning.ts'
import { ManualEnvironment, settled } from '../support/manualEnvironment.ts'

const DAY_MS = 86_400_000

let environment: ManualEnvironment
beforeEach(() => {
  environment = new ManualEnvironment()
})

describe('pruning', () => {
  const retentionMs = 7 * DAY_MS
  const start = (prune: PruningOptions['prune']): Job =>
    new Jobs(environment, () => undefined).start(pruningJob({ what: 'events', prune, environment, retentionMs }))

  it('[NOTE-1] events older than the retention go, a step at a time, and then now and again', async () => {
    const steps: { at: number; before: number }[] = []
    const startedAt = environment.now()
    let old = 3
    const prune = async (before: number): Promise<number> => {
      steps.push({ at: environment.now() - startedAt, before: before - environment.now() })
      return old-- > 0 ? 1_000 : 0
    }
    const pruning = start(prune)
    await environment.advance(10 * 60_000 + 300)
    expect(steps.map((step) => step.at)).toEqual([0, 100, 200, 300, 600_300])
    expect(new Set(steps.map((step) => step.before))).toEqual(new Set([-retentionMs]))
    void pruning.stop()
    expect(environment.pending).toBe(0)
  })

  it('storage that cannot be written is tried again later', async () => {
    let calls = 0
    const prune = async (): Promise<number> => {
      calls++
      if (calls === 1) throw new ParleyError('storage-unavailable', 'The disk is full.')
      return 0
    }
    start(prune)
    await environment.advance(10 * 60_000)
    expect(calls).toBe(2)
  })

  it('a step under way when it is stopped is the last', async () => {
    let finish = (): void => undefined
    let calls = 0
    const prune = (): Promise<number> => {
      calls++
      return new Promise<number>((resolve) => (finish = () => resolve(1)))
    }
    const pruning = start(prune)
    await environment.advance(0)
    void pruning.stop()
    finish()
    await environment.advance(DAY_MS)
    expect(calls).toBe(1)
  })
})

describe('the inbox of a session', () => {
  const waitingBytes = 100

  it('works on one frame after the other, in order, however long one takes', async () => {
    const inbox = new Inbox(waitingBytes)
    const log: string[] = []
    let finish = (): void => undefined
    inbox.add(1, async () => {
      log.push('first begins')
      await new Promise<void>((resolve) => (finish = resolve))
      log.push('first ends')
    })
    inbox.add(1, async () => void log.push('second'))
    await settled()
    expect(log).toEqual(['first begins'])
    finish()
    await settled()
    expect(log).toEqual(['first begins', 'first ends', 'second'])
  })

  it('keeps no more bytes waiting than it may, and forgets them all when told to', async () => {
    const inbox = new Inbox(waitingBytes)
    const log: string[] = []
    let finish = (): void => undefined
    inbox.add(90, () => new Promise<void>((resolve) => (finish = resolve)))
    // The first is being worked on and waits no more.
    expect(inbox.add(60, async () => void log.push('a'))).toBe(true)
    expect(inbox.add(60, async () => void log.push('b'))).toBe(false)
    expect(inbox.add(40, async () => void log.push('c'))).toBe(true)
    inbox.clear()
    expect(inbox.add(100, async () => void log.push('d'))).toBe(true)
    finish()
    await settled()
    expect(log).toEqual(['d'])
  })
})
