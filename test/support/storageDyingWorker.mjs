// Stands in for the writer's thread and fails: while starting, with a batch in hand, or while it has nothing to do.
import { parentPort } from 'node:worker_threads'

const how = new URL(import.meta.url).searchParams.get('how')
if (how === 'starting') throw new Error('died while starting')
parentPort.on('message', () => {
  throw new Error('died with a batch in hand')
})
parentPort.postMessage({ kind: 'ready' })
if (how === 'idle') setImmediate(() => process.exit(3))
