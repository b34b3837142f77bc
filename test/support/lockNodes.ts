import { comparerHere, schemasHere } from './schemas.ts'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { intentOf } from '../../server/documents/base.ts'
import { Acts } from '../../server/documents/acts/acts.ts'
import { Committer } from '../../server/documents/commit.ts'
import { DocumentLifecycle } from '../../server/documents/lifecycle.ts'
import { DocumentReader } from '../../server/documents/read.ts'
import { Replicas } from '../../server/documents/replicas.ts'
import type { WriteResult } from '../../server/documents/planWrite.ts'
import { DocumentWriter } from '../../server/documents/write.ts'
import type { Terms } from '../../server/foundation/answer.ts'
import type { DocumentId, PrincipalId } from '../../server/foundation/ids.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { Jobs } from '../../server/foundation/jobs.ts'
import { LockKeeper } from '../../server/locks/keeper.ts'
import { RepeatableLockTokens } from '../../server/model/lockToken.ts'
import { DocumentLocks, type OwnedLock } from '../../server/locks/locks.ts'
import { LockLines } from '../../server/locks/waiting.ts'
import { openSqlite } from '../../server/storage/sqlite/open.ts'
import type { Storage } from '../../server/storage/storage.ts'
import { ALICE, id, LIMITS } from './documentCore.ts'
import { faultyStorage, type FaultyStorage } from './faultyStorage.ts'
import { ManualEnvironment, settled } from './manualEnvironment.ts'
import { putMigrated } from './migratedFile.ts'

export interface LockNode {
  readonly replicas: Replicas
  readonly writer: DocumentWriter
  readonly lifecycle: DocumentLifecycle
  readonly locks: DocumentLocks
  readonly lines: LockLines
  acquire(
    by: PrincipalId,
    options?: { ttlMs?: number; waitMs?: number; gone?: AbortSignal; terms?: Terms<OwnedLock> },
  ): Promise<OwnedLock>
  /** Replaces the content on whatever version is current. */
  put(content: string, lockToken?: string | null): Promise<WriteResult>
  close(): void
}

/** Nodes that share one database and one clock, all about one document. */
export interface LockNodes {
  readonly environment: ManualEnvironment
  readonly storage: FaultyStorage
  readonly nodes: readonly [LockNode, LockNode]
  /** Every node and the database start anew; the host's clock shows another time by so much. */
  restart(wallByMs?: number): Promise<void>
  stop(): Promise<void>
}

export const DOC = id('doc')

/** Lets everything settle that needs no clock to move: acts pass through the queue of the writer. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) await settled()
}

/** `hints`: whether a node hears of the acts of the other at once, as by a notification of the database. */
export async function startLockNodes({ hints }: { hints: boolean }): Promise<LockNodes> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-locks-'))
  const file = join(folder, 'locks.db')
  putMigrated(file)
  const environment = new ManualEnvironment()
  const open = async () => {
    const storage = faultyStorage(await openSqlite({ file, writer: 'inline', environment }))
    const heard = onManyNodes(storage, { hints })
    return { storage, nodes: [startNode(heard, environment), startNode(heard, environment)] as const }
  }
  let running = await open()
  await running.nodes[0].writer.create({ id: DOC, kind: 'text' }, 'a', { author: ALICE, origin: 'create' })
  const close = async (): Promise<void> => {
    for (const node of running.nodes) node.close()
    await running.storage.close()
  }
  return {
    environment,
    get storage() {
      return running.storage
    },
    get nodes() {
      return running.nodes
    },
    async restart(wallByMs = 0) {
      await close()
      environment.setWall(wallByMs)
      running = await open()
    },
    async stop() {
      await close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A storage as one of several nodes knows it; without hints it tells nothing of its own accord. */
function onManyNodes(storage: Storage, { hints }: { hints: boolean }): Storage {
  return new Proxy(storage, {
    get: (target, name): unknown => {
      if (name === 'shared') return true
      if (name === 'onCommitted' && !hints) return () => () => undefined
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

function startNode(storage: Storage, environment: ManualEnvironment): LockNode {
  const committer = new Committer(storage)
  const schemas = schemasHere()
  const options = { storage, committer, environment, limits: LIMITS, schemas, comparer: comparerHere() }
  const replicas = new Replicas({ ...options, idleMs: 3_600_000, budgetBytes: 256 * 1024 * 1024 })
  const reader = new DocumentReader(storage, replicas, options.comparer)
  const parts = { ...options, replicas, lineLength: (document: DocumentId): number => lines.length(document) }
  const acts = new Acts(parts)
  const locks = new DocumentLocks({
    storage,
    acts,
    replicas,
    reader,
    environment,
    repeatable: new RepeatableLockTokens(Buffer.from('a secret of the tests')),
  })
  const lines: LockLines = new LockLines(locks, environment)
  const writer = new DocumentWriter(parts, acts)
  const onUnexpected = (error: unknown): void => {
    throw error
  }
  const jobs = new Jobs(environment, () => undefined)
  new LockKeeper({ storage, locks, lines, onUnexpected }).start(jobs)
  return {
    replicas,
    writer,
    lifecycle: new DocumentLifecycle(storage, acts, schemas),
    locks,
    lines,
    acquire: (owner, { ttlMs = 60_000, waitMs = 0, gone = new AbortController().signal, terms } = {}) =>
      lines.acquire({ document: DOC, owner, ttlMs, ...(terms ? { terms } : {}) }, { waitMs, gone }),
    put: (content, lockToken = null) =>
      writer.write({
        document: DOC,
        author: ALICE,
        intent: intentOf({ ifMatch: { kind: 'any' }, ifNoneMatch: false, baseVersion: null }),
        incoming: () => content,
        createsKind: null,
        onConflict: null,
        origin: 'write',
        lockToken,
      }),
    close: () => {
      void jobs.stop()
      lines.close()
      replicas.close(new ParleyError('shutting-down', 'The test is over.'))
    },
  }
}
