import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { toVersion } from '../../server/foundation/ids.ts'
import { actOf, appendTo, newDocumentId, newHead } from '../support/storageSamples.ts'
import { open, temporaryFolder, workerOf } from '../support/storageSqlite.ts'
import { waitUntil } from '../support/waitFor.ts'

/** Something that stands in for the writer's thread and fails, by when it does. */
const DYING = {
  starting: "throw new Error('died while starting')",
  working: `parentPort.on('message', () => { throw new Error('died with a batch in hand') })
            parentPort.postMessage({ kind: 'ready' })`,
  idle: `parentPort.postMessage({ kind: 'ready' })
         setImmediate(() => process.exit(3))`,
} as const
const dying = (when: keyof typeof DYING): URL => workerOf(DYING[when])

function newFile(): string {
  const folder = temporaryFolder()
  onTestFinished(() => folder.dispose())
  return join(folder.path, 'parley.db')
}

it('[OPS-6] acts that a dying thread leaves behind are refused, and then the process crashes', async () => {
  const crashes: Error[] = []
  const storage = await open(newFile(), 'thread', {
    workerUrl: dying('working'),
    crash: (error) => crashes.push(error),
  })
  const head = newHead(newDocumentId())
  const acts = [
    storage.commit(actOf(appendTo(head))),
    storage.storeSnapshot(head.id, { version: toVersion(1), state: new Uint8Array(1) }, 0),
  ]
  for (const act of acts) await expect(act).rejects.toMatchObject({ code: 'storage-unavailable' })
  expect(crashes).toMatchObject([{ cause: { message: 'died with a batch in hand' } }])
  expect(await storage.writable()).toBe(false)
  await storage.close()
})

it('[OPS-6] a thread that ends while it has nothing to do is noticed', async () => {
  const crashes: Error[] = []
  const storage = await open(newFile(), 'thread', { workerUrl: dying('idle'), crash: (error) => crashes.push(error) })
  await waitUntil(() => crashes.length > 0)
  expect(crashes).toMatchObject([{ cause: { message: 'The thread ended with code 3' } }])
  await expect(storage.commit(actOf(appendTo(newHead(newDocumentId()))))).rejects.toMatchObject({
    code: 'storage-unavailable',
  })
  await storage.close()
})

it('a thread that cannot start is reported, and lets go of the file', async () => {
  const file = newFile()
  await expect(open(file, 'thread', { workerUrl: dying('starting') })).rejects.toThrow('died while starting')
  const storage = await open(file, 'inline')
  await storage.close()
})

it('a thread that cannot start says why, also where the error was no Error of its own realm', async () => {
  const url = workerOf("throw Object.assign(Object.create(null), { message: 'no such table: entries' })")
  await expect(open(newFile(), 'thread', { workerUrl: url })).rejects.toThrow('no such table: entries')
})
