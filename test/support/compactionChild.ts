// Types a document into a storage of its own, once, and compacts it, to be killed meanwhile. Argument: the file.
// Says `step` before each write of the compaction, and `finished`.
import { writeSync } from 'node:fs'
import { Acts } from '../../server/documents/acts/acts.ts'
import { Committer } from '../../server/documents/commit.ts'
import { Replicas } from '../../server/documents/replicas.ts'
import { comparerHere, schemasHere } from './schemas.ts'
import { DocumentWriter } from '../../server/documents/write.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { toPrincipalId, trustedDocumentId } from '../../server/foundation/ids.ts'
import { LogCompactor } from '../../server/history/compactor.ts'
import type { Storage } from '../../server/storage/storage.ts'
import { Editor, LIMITS } from './documentCore.ts'
import { KEYSTROKES } from './compactionKeystrokes.ts'
import { open } from './storageSqlite.ts'

const DOC = trustedDocumentId('doc')
const TYPIST = toPrincipalId('typist')
/** Straight to the pipe: what was said is out, whatever happens next. */
const say = (line: string): void => void writeSync(1, `${line}\n`)

async function typeAll(storage: Storage): Promise<void> {
  const committer = new Committer(storage)
  const parts = {
    storage,
    committer,
    environment: systemEnvironment,
    limits: LIMITS,
    schemas: schemasHere(),
    comparer: comparerHere(),
  }
  const replicas = new Replicas({ ...parts, idleMs: 60_000, budgetBytes: Number.MAX_SAFE_INTEGER })
  await new DocumentWriter(parts, new Acts({ ...parts, replicas, lineLength: () => 0 })).createEmpty(
    { id: DOC, kind: 'text' },
    TYPIST,
  )
  const lease = await replicas.lease(DOC)
  if ('absent' in lease) throw new Error('it was created')
  const { replica } = lease
  const editor = new Editor(replica)
  const commits: Promise<unknown>[] = []
  for (const { at, inserted } of KEYSTROKES) commits.push(replica.applyLive(editor.insert(at, inserted), TYPIST))
  await Promise.all(commits)
}

/** Says so before each write of a compaction, and lets whoever listens act. */
function watched(storage: Storage): Storage {
  return new Proxy(storage, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return (...parameters: unknown[]): unknown => {
        if (name !== 'rewrite' && name !== 'setLogProgress') return Reflect.apply(value, target, parameters)
        say('step')
        const pause = new Promise((resolve) => setTimeout(resolve, 5))
        return pause.then((): unknown => Reflect.apply(value, target, parameters))
      }
    },
  })
}

const storage = await open(process.argv[2] ?? '')
if (!(await storage.head(DOC))) await typeAll(storage)
const onUnexpected = (error: unknown): never => {
  throw error
}
const options = {
  environment: systemEnvironment,
  ageMs: 0,
  intervalMs: 1_000_000,
  onJoined: () => undefined,
  onUnexpected,
}
const compactor = new LogCompactor({ storage: watched(storage), ...options })
await compactor.compact(DOC)
say('finished')
await storage.close()
