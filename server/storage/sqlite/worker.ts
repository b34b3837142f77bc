/**
 * The writer's own thread: an fsync that takes long here stalls no socket and no read. Started by threadExecutor.ts.
 */
import { parentPort } from 'node:worker_threads'
import { invariant } from '../../foundation/assert.ts'
import { openConnection } from './connection.ts'
import { clockOfProcess } from './steadyClock.ts'
import type { FromWorker, ToWorker } from './threadExecutor.ts'
import { SqliteWriter } from './writer.ts'

const port = parentPort
invariant(port !== null, 'worker.ts runs as a worker thread')
const [file, clockOffsetMs, batch, rows] = process.argv.slice(2)
invariant(file !== undefined && rows !== undefined, 'the thread is told its file, its clock and when to sort')
const writer = new SqliteWriter(() => openConnection(file), clockOfProcess(Number(clockOffsetMs)), {
  batch: Number(batch),
  rows: Number(rows),
})
const send = (message: FromWorker): void => port.postMessage(message)

port.on('message', (message: ToWorker) => {
  if (message.kind === 'execute') {
    send({ kind: 'executed', batch: writer.execute(message.operations) })
    return
  }
  writer.close()
  port.close()
})
send({ kind: 'ready' })
