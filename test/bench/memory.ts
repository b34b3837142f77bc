import { join } from 'node:path'
import { Acts } from '../../server/documents/acts/acts.ts'
import { Committer } from '../../server/documents/commit.ts'
import { Replicas } from '../../server/documents/replicas.ts'
import { comparerHere, schemasHere } from '../support/schemas.ts'
import { DocumentWriter } from '../../server/documents/write.ts'
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
    const limits = { maxBytes: 10 * 1024 * 1024, maxDepth: 64, maxNodes: 100_000 }
    const parts = {
      storage,
      committer,
      environment: systemEnvironment,
      limits,
      schemas: schemasHere(),
      comparer: comparerHere(),
    }
    const replicas = new Replicas({ ...parts, idleMs: 3_600_000, budgetBytes: Number.MAX_SAFE_INTEGER })
    const writer = new DocumentWriter(parts, new Acts({ ...parts, replicas, lineLength: () => 0 }))
    const before = used()
    const by = toPrincipalId('bench')
    for (let index = 0; index < DOCUMENTS; index++) {
      const id = trustedDocumentId(`small-${index}`)
      await writer.createEmpty({ id, kind: 'text' }, by)
      const lease = await replicas.lease(id)
      if ('absent' in lease) throw new Error('it was created')
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
