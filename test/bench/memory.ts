import { join } from 'node:path'
import { Committer } from '../../server/documents/commit.ts'
import { Replicas } from '../../server/documents/replicas.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { toPrincipalId, trustedDocumentId } from '../../server/foundation/ids.ts'
import { openSqlite } from '../../server/storage/sqlite/open.ts'
import { withFolder } from './processes.ts'

const DOCUMENTS = 2_000

/** Memory of an idle loaded small document: heap and buffers of many, divided. Needs `--expose-gc`. */
export async function memory(): Promise<void> {
  await withFolder(async (folder) => {
    const storage = await openSqlite({
      file: join(folder, 'memory.db'),
      writer: 'inline',
      environment: systemEnvironment,
    })
    const committer = new Committer(storage)
    const replicas = new Replicas({
      storage,
      committer,
      environment: systemEnvironment,
      limits: { maxBytes: 10 * 1024 * 1024, maxDepth: 64, maxNodes: 100_000 },
      idleMs: 3_600_000,
      budgetBytes: Number.MAX_SAFE_INTEGER,
    })
    const before = used()
    const by = toPrincipalId('bench')
    for (let index = 0; index < DOCUMENTS; index++) {
      const lease = await replicas.create({ id: trustedDocumentId(`small-${index}`), kind: 'text', by })
      const authorship = { author: by, at: Date.now(), origin: 'write' } as const
      const staged = lease.replica.stageContent(`A small document, number ${index}.\nWith a few lines.\n`, authorship)
      if (staged) await committer.commit([staged], { at: Date.now(), conflicts: [], contents: new Map(), events: [] })
      lease.release()
    }
    const each = (used() - before) / DOCUMENTS
    console.log(`  ${(each / 1024).toFixed(1)} KiB a loaded document (wanted: under 100)`)
    await storage.close()
  })
}

function used(): number {
  if (!globalThis.gc) throw new Error('run with --expose-gc')
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
