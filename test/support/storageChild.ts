// A process with a storage of its own, to be killed. Arguments: what to do, the file, how to write.
import { writeSync } from 'node:fs'
import { nextVersion, trustedDocumentId } from '../../server/foundation/ids.ts'
import { CannotOpenStorage } from '../../server/storage/cannotOpenStorage.ts'
import type { Storage } from '../../server/storage/storage.ts'
import { actOf, appendTo, newAct, newEvent, newHead } from './storageSamples.ts'
import { open, workerOf, WRITERS } from './storageSqlite.ts'

const [task, file = '', wanted = 'inline'] = process.argv.slice(2)
const writer = WRITERS.find((one) => one === wanted)
/** Stands in for the writer's thread and ends when it is given work. */
const LOST_WRITER = {
  workerUrl: workerOf("parentPort.on('message', () => process.exit(3)); parentPort.postMessage({ kind: 'ready' })"),
}
/** Straight to the pipe: what was said is out, whatever happens next. */
const say = (line: string): void => void writeSync(1, `${line}\n`)

async function writeForever(storage: Storage, name: string): Promise<never> {
  let head = newHead(trustedDocumentId(name))
  for (;;) {
    const act = newAct({ appends: [appendTo(head)], events: [newEvent(head.id)] })
    const result = await storage.commit(act)
    if (result.status !== 'committed') throw new Error(`${name} ${head.version}: ${result.status}`)
    say(`${name} ${head.version}`)
    head = { ...head, version: nextVersion(head.version) }
  }
}

try {
  const storage = await open(file, writer, task === 'lose-writer' ? LOST_WRITER : {})
  say('open')
  if (task === 'write') await Promise.all(Array.from({ length: 8 }, (_, n) => writeForever(storage, `doc${n}`)))
  if (task === 'hold') process.stdin.resume()
  if (task === 'close') await storage.close()
  if (task === 'lose-writer')
    void storage.commit(actOf(appendTo(newHead(trustedDocumentId('lost'))))).catch(() => say('refused'))
} catch (error) {
  if (!(error instanceof CannotOpenStorage)) throw error
  say(`${error.reason}: ${error.message}`)
  process.exitCode = 1
}
