import { expect, it } from 'vitest'
import { toVersion, trustedDocumentId } from '../../server/foundation/ids.ts'
import { AdaptiveExecutor, type AdaptiveLimits } from '../../server/storage/sqlite/adaptiveExecutor.ts'
import { encodeHead, type NewHeadRow } from '../../server/storage/sqlite/documents.ts'
import { encodeEntry } from '../../server/storage/sqlite/log.ts'
import type { SqliteOperation } from '../../server/storage/sqlite/operation.ts'
import type { ExecutedBatch } from '../../server/storage/sqlite/writeQueue.ts'
import { appendTo, newHead } from '../support/storageSamples.ts'

const LIMITS: AdaptiveLimits = {
  slowCommitMs: 5,
  fastCommits: 3,
  inlineBatch: 3,
  inlineBytes: 1000,
  inlineOperations: 4,
}
const PROBE: SqliteOperation = { op: 'probe' }

/** Two writers that note who was asked, and a disk whose commits take as long as the test says. */
function start(limits = LIMITS) {
  const disk = { commitMs: 1 }
  const log: string[] = []
  const batch = (where: string, operations: readonly SqliteOperation[]): ExecutedBatch => {
    log.push(where)
    return { results: operations.map(() => ({ status: 'done', value: 0 })), commitMs: disk.commitMs, isUntidy: false }
  }
  const executor = new AdaptiveExecutor(
    { execute: (operations) => batch('here', operations), close: () => void log.push('here closed') },
    {
      execute: async (operations) => batch('thread', operations),
      close: async () => void log.push('thread closed'),
    },
    limits,
  )
  const write = async (bytes = 10, operations = 1): Promise<string | undefined> => {
    const { results } = await executor.execute(
      Array.from({ length: operations }, () => PROBE),
      bytes,
    )
    expect(results).toHaveLength(operations)
    return log.at(-1)
  }
  return { disk, log, executor, write }
}

it('on a fast disk batches are written here', async () => {
  const { write } = start()
  expect([await write(), await write(1000), await write()]).toEqual(['here', 'here', 'here'])
})

it('a large batch is written in the thread, and the next small one here again', async () => {
  const { write } = start()
  expect([await write(1001), await write()]).toEqual(['thread', 'here'])
})

const DOCUMENT = newHead(trustedDocumentId('doc'))
const head = encodeHead({ ...DOCUMENT, version: toVersion(3) })
const appending = (changes: Partial<NewHeadRow>, expected = 2): SqliteOperation => ({
  op: 'act',
  at: 0,
  appends: [{ expected, isStep: true, head: { ...head, ...changes }, entry: encodeEntry(appendTo(DOCUMENT).entry) }],
})

it.each<[string, 'here' | 'thread', SqliteOperation]>([
  ['a write', 'here', appending({})],
  ['a new document', 'here', appending({ version: 1, first_version: 1 }, 0)],
  ['a new life of a document', 'thread', appending({ version: 3, first_version: 3 })],
  ['a deletion', 'thread', appending({ deleted_at: 1 })],
  ['a purge', 'thread', { op: 'act', at: 0, purges: [head] }],
  ['forgetting conflicts', 'thread', { op: 'prune-conflicts', before: 0 }],
  ['forgetting answers', 'thread', { op: 'prune-answers', before: 0 }],
])(
  '[OPS-8] what may take much away is done in the thread, however little says so: %s',
  async (_what, where, operation) => {
    const { executor, log } = start()
    await executor.execute([PROBE, operation], 10)
    expect(log).toEqual([where])
  },
)

it('after some operations the thread has a turn, in which it may move the WAL', async () => {
  const { write, disk } = start()
  expect([await write(10, 3), await write(10, 1)]).toEqual(['here', 'here'])
  disk.commitMs = 50
  expect(await write()).toBe('thread')
  disk.commitMs = 1
  expect(await write()).toBe('here')
})

it('large operations count for as many as fill their pages, so that the WAL stays small', async () => {
  const { write } = start({ ...LIMITS, inlineBytes: 64 * 1024 })
  expect([await write(3 * 4096), await write(4096), await write()]).toEqual(['here', 'here', 'thread'])
})

it('slow commits hand over to the thread, until enough in a row were fast', async () => {
  const { write, disk } = start()
  disk.commitMs = 6
  expect([await write(), await write()]).toEqual(['here', 'here'])
  expect([await write(), await write()]).toEqual(['thread', 'thread'])
  disk.commitMs = 5
  expect([await write(), await write()]).toEqual(['thread', 'thread'])
  disk.commitMs = 6
  expect(await write()).toBe('thread')
  disk.commitMs = 1
  expect([await write(), await write(), await write()]).toEqual(['thread', 'thread', 'thread'])
  expect(await write()).toBe('here')
})

it('a slow commit now and then is an accident, one soon after another is not', async () => {
  const { write, disk } = start()
  const commit = (commitMs: number): Promise<string | undefined> => {
    disk.commitMs = commitMs
    return write()
  }
  for (const commitMs of [6, 1, 1, 1]) expect(await commit(commitMs)).toBe('here')
  expect(await commit(9)).toBe('thread')
  for (const commitMs of [6, 1, 1, 6]) expect(await commit(commitMs)).toBe('here')
  expect(await commit(1)).toBe('thread')
})

it('the thread closes last', async () => {
  const { executor, log } = start()
  await executor.close()
  expect(log).toEqual(['here closed', 'thread closed'])
})

it('a large batch is written in the thread, and so is what was put off', async () => {
  const { log, executor, write } = start()
  expect([await write(10, 3), await write(10, 4), await write(10, 3)]).toEqual(['here', 'thread', 'here'])
  await executor.execute([{ op: 'tidy' }], 10)
  expect(log.at(-1)).toBe('thread')
  expect(await write()).toBe('here')
})
