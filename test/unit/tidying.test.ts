import { expect, it } from 'vitest'
import { Jobs } from '../../server/foundation/jobs.ts'
import { jobPart } from '../../server/operations/health.ts'
import { startTidying } from '../../server/operations/tidying.ts'
import { ManualEnvironment } from '../support/manualEnvironment.ts'

/** Storage that has so many pieces put off, and a disk that refuses to do them as long as the test says. */
function untidy(pieces: number) {
  const environment = new ManualEnvironment(0)
  const failures: string[] = []
  const jobs = new Jobs(environment, (job) => failures.push(job))
  const disk = { pieces, isFull: false, tries: 0 }
  const listeners: (() => void)[] = []
  startTidying(
    {
      tidy: async () => {
        disk.tries += 1
        if (disk.isFull) throw new Error('The disk is full, says the test.')
        disk.pieces -= 1
        return disk.pieces > 0
      },
      onUntidy: (listener) => {
        listeners.push(listener)
        return () => undefined
      },
    },
    jobs,
  )
  const isTold = (): void => listeners.forEach((listener) => listener())
  const condition = () => jobs.states().map((state) => jobPart(state, environment.now()).condition.status)
  return { environment, failures, disk, isTold, condition }
}

it('[OPS-1] what storage has put off is done piece by piece, at the start and when there is more', async () => {
  const { environment, disk, isTold } = untidy(3)
  await environment.advance(0)
  expect(disk).toMatchObject({ pieces: 0, tries: 3 })
  disk.pieces = 2
  isTold()
  await environment.advance(0)
  expect(disk).toMatchObject({ pieces: 0, tries: 5 })
})

it('[OPS-1] [OPS-6] what cannot be done is logged and shown, tried later and later, and done in the end', async () => {
  const { environment, failures, disk, condition } = untidy(1)
  disk.isFull = true
  await environment.advance(20_000)
  expect(failures).toEqual(Array.from({ length: 5 }, () => 'tidying'))
  expect(condition()).toEqual(['degraded'])
  disk.isFull = false
  await environment.advance(60_000)
  expect(disk.pieces).toBe(0)
  expect(condition()).toEqual(['ok'])
})
