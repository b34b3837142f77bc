import { expect, it } from 'vitest'
import type { SqliteOperation, SqliteResult } from '../../server/storage/sqlite/operation.ts'
import {
  type BatchExecutor,
  type ExecutedBatch,
  WriteQueue,
  type WriteQueueLimits,
} from '../../server/storage/sqlite/writeQueue.ts'
import { waitUntil } from '../support/waitFor.ts'

const LIMITS: WriteQueueLimits = { waitingOperations: 8, waitingBytes: 10_000, batchOperations: 4, batchBytes: 5000 }

/** Answers a batch only when it is told to. `value` of a result is the `before` of its operation. */
class HeldExecutor implements BatchExecutor {
  readonly batches: (readonly SqliteOperation[])[] = []
  #answer: (fail: Error | null) => void = () => undefined

  execute(operations: readonly SqliteOperation[]): Promise<ExecutedBatch> {
    this.batches.push(operations)
    return new Promise((resolve, reject) => {
      this.#answer = (fail) =>
        fail ? reject(fail) : resolve({ results: operations.map(resultOf), commitMs: 0, isUntidy: false })
    })
  }
  async close(): Promise<void> {}

  /** Waits for the batch of this number, counted from 1, and answers it. */
  async answer(batch: number, fail: Error | null = null): Promise<void> {
    await waitUntil(() => this.batches.length >= batch)
    expect(this.batches).toHaveLength(batch)
    this.#answer(fail)
  }
}

const resultOf = (operation: SqliteOperation): SqliteResult => ({
  status: 'done',
  value: operation.op === 'prune-events' ? operation.before : 0,
})

function newQueue() {
  const executor = new HeldExecutor()
  const crashes: Error[] = []
  const queue = new WriteQueue(executor, (error) => crashes.push(error), LIMITS)
  const log: string[] = []
  const submit = (n: number): Promise<number> => {
    const answer = queue.submit({ op: 'prune-events', before: n }, (result) => {
      log.push(`read ${n}`)
      return result.status === 'done' ? result.value : -1
    })
    answer.then(
      () => log.push(`resolved ${n}`),
      () => log.push(`rejected ${n}`),
    )
    return answer
  }
  const large = (bytes: number): Promise<unknown> =>
    queue.submit(
      {
        op: 'act',
        at: 0,
        appends: [],
        conflicts: [],
        events: [],
        locks: [],
        settles: [],
        purges: [],
        contents: [{ hash: 'h', json: 'x'.repeat(bytes) }],
      },
      (result) => result,
    )
  return { executor, crashes, queue, log, submit, large }
}

const numbers = (operations: readonly SqliteOperation[] | undefined): number[] =>
  (operations ?? []).map((operation) => (operation.op === 'prune-events' ? operation.before : -1))

it('what one turn of the event loop brings is one batch, and what comes meanwhile is the next', async () => {
  const { executor, submit, log } = newQueue()
  const first = [submit(1), submit(2)]
  await waitUntil(() => executor.batches.length === 1)
  const second = [submit(3), submit(4), submit(5)]
  await new Promise((resolve) => setImmediate(resolve))
  expect(executor.batches.map(numbers)).toEqual([[1, 2]])
  await executor.answer(1)
  expect(await Promise.all(first)).toEqual([1, 2])
  await executor.answer(2)
  expect(executor.batches.map(numbers)).toEqual([
    [1, 2],
    [3, 4, 5],
  ])
  expect(await Promise.all(second)).toEqual([3, 4, 5])
  expect(log.slice(0, 3)).toEqual(['read 1', 'read 2', 'resolved 1'])
})

it('after many turns of one operation each the next does not wait for the end of its turn, until two come in one', async () => {
  const { executor, submit } = newQueue()
  const turnEnd = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  let batches = 0
  /** How many batches the turn in which the operations come has brought by its end. */
  const turn = async (...operations: number[]): Promise<number> => {
    const answers = operations.map(submit)
    await Promise.resolve()
    const atOnce = executor.batches.length - batches
    await turnEnd()
    while (batches < executor.batches.length) await executor.answer((batches += 1))
    await Promise.all(answers)
    await turnEnd()
    return atOnce
  }
  const lone: number[] = []
  for (let n = 0; n < 20; n++) lone.push(await turn(n))
  expect(lone).toEqual([...Array.from({ length: 16 }, () => 0), 1, 1, 1, 1])
  expect(await turn(20, 21)).toBe(1)
  expect(await turn(22)).toBe(0)
  expect(executor.batches.flatMap(numbers)).toEqual(Array.from({ length: 23 }, (_, n) => n))
})

it('a batch is bounded in operations and bytes; what is larger goes alone', async () => {
  const { executor, submit, large } = newQueue()
  const all: Promise<unknown>[] = [1, 2, 3, 4, 5].map(submit)
  all.push(large(6000), submit(6))
  for (const batch of [1, 2, 3, 4]) await executor.answer(batch)
  await Promise.all(all)
  expect(executor.batches.map((batch) => batch.length)).toEqual([4, 1, 1, 1])
})

it('a full queue refuses with overloaded, says when to come again, and goes on when there is room', async () => {
  const { executor, submit, large } = newQueue()
  const accepted: Promise<unknown>[] = [1, 2, 3, 4, 5, 6, 7, 8].map(submit)
  await expect(submit(9)).rejects.toMatchObject({ code: 'overloaded', headers: { 'Retry-After': '1' } })
  await waitUntil(() => executor.batches.length === 1)
  accepted.push(large(5000))
  await expect(large(5000)).rejects.toMatchObject({ code: 'overloaded' })
  accepted.push(submit(10))
  for (const batch of [1, 2, 3, 4]) await executor.answer(batch)
  await Promise.all(accepted)
  const again = large(9000)
  await executor.answer(5)
  await expect(again).resolves.toBeDefined()
})

it('an operation larger than the whole queue passes when nothing else waits', async () => {
  const { executor, large } = newQueue()
  const huge = large(1_000_000)
  await executor.answer(1)
  await expect(huge).resolves.toBeDefined()
})

it('[OPS-6] a dead writer fails everything that waits and everything to come, and crashes once', async () => {
  const { executor, crashes, queue, submit } = newQueue()
  const inFlight = submit(1)
  await waitUntil(() => executor.batches.length === 1)
  const waiting = submit(2)
  queue.die(new Error('the cause'))
  queue.die(new Error('again'))
  for (const lost of [inFlight, waiting, submit(3)]) {
    await expect(lost).rejects.toMatchObject({ code: 'storage-unavailable' })
  }
  expect(crashes).toMatchObject([{ cause: { message: 'the cause' } }])
  await executor.answer(1)
  await new Promise((resolve) => setImmediate(resolve))
  expect(executor.batches).toHaveLength(1)
})

it('a writer that fails a batch as a whole is dead', async () => {
  const { executor, crashes, submit } = newQueue()
  const lost = submit(1)
  await executor.answer(1, new Error('the cause'))
  await expect(lost).rejects.toMatchObject({ code: 'storage-unavailable' })
  expect(crashes).toHaveLength(1)
})

it('draining waits for what was queued and refuses what comes later', async () => {
  const { executor, queue, submit, log } = newQueue()
  const queued = [1, 2, 3, 4, 5].map(submit)
  const drained = queue.drain().then(() => log.push('drained'))
  await expect(submit(6)).rejects.toMatchObject({ code: 'shutting-down' })
  await executor.answer(1)
  await waitUntil(() => executor.batches.length === 2)
  expect(log).not.toContain('drained')
  await executor.answer(2)
  await drained
  expect(await Promise.all(queued)).toEqual([1, 2, 3, 4, 5])
})

it('draining an idle queue is immediate, and a writer that dies meanwhile ends it without a crash', async () => {
  await newQueue().queue.drain()
  const { crashes, queue, submit, executor } = newQueue()
  const lost = submit(1)
  const drained = queue.drain()
  await waitUntil(() => executor.batches.length === 1)
  queue.die(new Error('the cause'))
  await drained
  await expect(lost).rejects.toMatchObject({ code: 'storage-unavailable' })
  expect(crashes).toEqual([])
})
