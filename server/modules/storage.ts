import { statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Committer, DoneAct } from '../documents/commit.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { ConflictRecord } from '../model/conflict.ts'
import { storagePart } from '../operations/health.ts'
import type { Meter } from '../operations/meter.ts'
import type { Batches } from '../storage/batches.ts'
import type { Storage } from '../storage/storage.ts'
import type { Core } from './core.ts'
import type { Module } from './module.ts'

/** From an fsync of a fast disk to one that is nearly stuck. */
const COMMIT_SECONDS = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]
const BATCH_OPERATIONS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
/** From at once to a quarter of a year. */
const RESOLUTION_SECONDS = [1, 10, 60, 600, 3_600, 6 * 3_600, 86_400, 7 * 86_400, 90 * 86_400]

/** The first to stand and the last to go: whoever still waits for a commit hears of it before replicas end. */
export const storageModule = (storage: Storage, { replicas, committer }: Core, file: string): Module => ({
  name: 'storage',
  checkup: async () => [storagePart(await storage.writable())],
  measure: (meter) => {
    measureDisk(meter, storage, file)
    measureActs(meter, committer)
    meter.gauge({ name: 'parley_documents_loaded', help: 'Documents in memory.' }, () => [[replicas.size]])
    meter.gauge(
      { name: 'parley_documents_loaded_bytes', help: 'Memory of the documents in memory, as last estimated.' },
      () => [[replicas.heldBytes]],
    )
  },
  stop: {
    deadlineMs: 2_000,
    run: async () => {
      await storage.close()
      replicas.close(new ParleyError('shutting-down', 'The server is stopping.'))
    },
  },
})

function measureDisk(meter: Meter, storage: Batches, file: string): void {
  const seconds = meter.histogram(
    { name: 'parley_commit_seconds', help: 'How long the disk took for one commit, which many acts may share.' },
    COMMIT_SECONDS,
  )
  const operations = meter.histogram(
    { name: 'parley_commit_operations', help: 'How many operations shared one commit.' },
    BATCH_OPERATIONS,
  )
  storage.onBatch((batch) => {
    seconds(batch.commitMs / 1_000)
    operations(batch.operations)
  })
  meter.gauge({ name: 'parley_commit_waiting_operations', help: 'Operations that wait for the disk.' }, () => [
    [storage.waitingOperations],
  ])
  const folder = dirname(resolve(file))
  meter.gauge({ name: 'parley_disk_free_bytes', help: 'Room left where the database lies.' }, async () => {
    // Where the disk does not say, all other figures are still told.
    const found = await statfs(folder).catch(() => null)
    return found === null ? [] : [[found.bavail * found.bsize]]
  })
}

function measureActs(meter: Meter, committer: Committer): void {
  const versions = meter.counter({
    name: 'parley_versions_total',
    help: 'Versions on disk, by what made them.',
    labels: ['origin'],
  })
  const opened = meter.counter({
    name: 'parley_conflicts_opened_total',
    help: 'Conflicts that were found, and the policy by which a write was judged (`live`: edits that no policy judges).',
    labels: ['kind', 'policy'],
  })
  const closed = meter.counter({
    name: 'parley_conflicts_closed_total',
    help: 'Conflicts that ended, by how: resolved by what was used, or superseded, dismissed, expired.',
    labels: ['kind', 'outcome'],
  })
  const openSeconds = meter.histogram(
    { name: 'parley_conflict_open_seconds', help: 'How long conflicts that ended were open.', labels: ['kind'] },
    RESOLUTION_SECONDS,
  )
  committer.onDone(({ staged, parts }: DoneAct) => {
    for (const { append } of staged) versions.add(1, append.entry.origin)
    for (const write of parts.conflicts) {
      const { op, record } = write
      if (op === 'insert') opened.add(1, record.kind, write.policy ?? 'live')
      const outcome = outcomeOf(record)
      if (outcome === null) continue
      closed.add(1, record.kind, outcome.name)
      openSeconds((outcome.closedAt - record.detectedAt) / 1_000, record.kind)
    }
  })
}

function outcomeOf({ state }: ConflictRecord): { readonly name: string; readonly closedAt: number } | null {
  if (state.status === 'open') return null
  const name = state.status === 'resolved' ? `resolved: ${state.resolution.use}` : state.status
  return { name, closedAt: state.closedAt }
}
