import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import * as Y from 'yjs'
import type { Content } from '../../server/content/content.ts'
import type { ContentLimits } from '../../server/content/limits.ts'
import { intentOf } from '../../server/documents/base.ts'
import { Acts } from '../../server/documents/acts/acts.ts'
import { Committer } from '../../server/documents/commit.ts'
import type { ConflictPolicy } from '../../server/model/document.ts'
import { DocumentLifecycle } from '../../server/documents/lifecycle.ts'
import { DocumentReader } from '../../server/documents/read.ts'
import type { Replica } from '../../server/documents/replica.ts'
import { Replicas, type Lease } from '../../server/documents/replicas.ts'
import type { WriteResult } from '../../server/documents/planWrite.ts'
import { DocumentWriter } from '../../server/documents/write.ts'
import type { SchemaJudge } from '../../server/documents/schemaJudge.ts'
import type { TextComparer } from '../../server/documents/textComparer.ts'
import { invariant } from '../../server/foundation/assert.ts'
import { toPrincipalId, trustedDocumentId, type PrincipalId } from '../../server/foundation/ids.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { openSqlite } from '../../server/storage/sqlite/open.ts'
import { Transactor } from '../../server/transactions/transactor.ts'
import { faultyStorage, type FaultyStorage } from './faultyStorage.ts'
import { putMigrated } from './migratedFile.ts'
import { comparerHere, schemasHere } from './schemas.ts'
import { ManualEnvironment } from './manualEnvironment.ts'

export const ALICE = toPrincipalId('alice')
export const BOB = toPrincipalId('bob')
export const id = trustedDocumentId

export const LIMITS: ContentLimits = { maxBytes: 1024 * 1024, maxDepth: 64, maxNodes: 100_000 }

export interface CoreOptions {
  readonly limits?: Partial<ContentLimits>
  readonly idleMs?: number
  readonly budgetBytes?: number
  /** Inline unless told. The one of a server needs the built server. */
  readonly writer?: 'inline' | 'adaptive'
  /** On the event loop unless told. */
  readonly comparer?: TextComparer
}

/** Everything in `server/documents` below HTTP, on a real SQLite file, with a clock and a disk that obey the test. */
export interface DocumentCore {
  readonly file: string
  readonly environment: ManualEnvironment
  readonly storage: FaultyStorage
  readonly committer: Committer
  readonly replicas: Replicas
  readonly reader: DocumentReader
  readonly writer: DocumentWriter
  readonly lifecycle: DocumentLifecycle
  readonly transactor: Transactor
  readonly acts: Acts
  readonly schemas: SchemaJudge
  create(document: string, content: Content): Promise<WriteResult>
  write(document: string, content: Content, base: WriteBase, by?: PrincipalId): Promise<WriteResult>
  remove(document: string): Promise<unknown>
  /** Appends entries up to a version, all in few commits; each content is `text <its version>`. */
  writeUpTo(document: string, version: number): Promise<void>
  /** Holds a living document. */
  lease(document: string): Promise<Lease>
  /** Closes storage and starts anew on the same file, as another process would. */
  restart(options?: CoreOptions): Promise<DocumentCore>
  stop(): Promise<void>
}

export type WriteBase = { readonly version: number; readonly onConflict?: ConflictPolicy } | 'unconditional'

export async function startCore(options: CoreOptions = {}): Promise<DocumentCore> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-core-'))
  putMigrated(fileIn(folder))
  return openCore(folder, 1, options)
}

const fileIn = (folder: string): string => join(folder, 'core.db')

async function openCore(folder: string, seed: number, options: CoreOptions): Promise<DocumentCore> {
  const file = fileIn(folder)
  const environment = new ManualEnvironment(undefined, seed)
  const storage = faultyStorage(await openSqlite({ file, writer: options.writer ?? 'inline', environment }))
  const committer = new Committer(storage)
  const limits = { ...LIMITS, ...options.limits }
  const { idleMs = 30_000, budgetBytes = 256 * 1024 * 1024 } = options
  const replicas = new Replicas({ storage, committer, environment, limits, idleMs, budgetBytes })
  const schemas = schemasHere()
  const parts = {
    storage,
    replicas,
    committer,
    environment,
    limits,
    lineLength: () => 0,
    schemas,
    comparer: options.comparer ?? comparerHere(),
  }
  const acts = new Acts(parts)
  const writer = new DocumentWriter(parts, acts)
  const lifecycle = new DocumentLifecycle(storage, acts, schemas)
  const close = async (): Promise<void> => {
    replicas.close(new ParleyError('shutting-down', 'The test is over.'))
    await storage.close()
  }
  return {
    file,
    environment,
    storage,
    committer,
    replicas,
    reader: new DocumentReader(storage, replicas, parts.comparer),
    writer,
    lifecycle,
    transactor: new Transactor(parts, acts),
    acts,
    schemas,
    create: (document, content) =>
      writer.create({ id: id(document), kind: typeof content === 'string' ? 'text' : 'json' }, content, {
        author: ALICE,
        origin: 'create',
      }),
    write: (document, content, base, by = ALICE) =>
      writer.write({
        document: id(document),
        author: by,
        intent: intentOf({
          ifMatch: base === 'unconditional' ? { kind: 'any' } : null,
          ifNoneMatch: false,
          baseVersion: base === 'unconditional' ? null : base.version,
        }),
        incoming: () => content,
        createsKind: typeof content === 'string' ? 'text' : 'json',
        onConflict: base === 'unconditional' ? null : (base.onConflict ?? null),
        origin: 'write',
      }),
    remove: (document) =>
      lifecycle.remove({ document: id(document), author: ALICE, intent: { type: 'unconditional' } }),
    async writeUpTo(document, version) {
      const lease = await replicas.lease(id(document))
      invariant('replica' in lease, `${document} lives`)
      const commits: Promise<unknown>[] = []
      while (lease.replica.appliedVersion < version) {
        const content = `text ${lease.replica.appliedVersion + 1}`
        const staged = lease.replica.stageContent(content, { author: ALICE, at: 0, origin: 'write' })
        invariant(staged !== null, 'each version has another content')
        commits.push(committer.commit([staged], { at: 0, conflicts: [], contents: new Map(), events: [] }))
      }
      await Promise.all(commits)
      lease.release()
    },
    async lease(document) {
      const lease = await replicas.lease(id(document))
      invariant('replica' in lease, `${document} lives`)
      return lease
    },
    async restart(again = options) {
      await close()
      return openCore(folder, seed + 1, again)
    },
    async stop() {
      await close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The code a promise is refused with. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    if (error instanceof ParleyError) return error.code
    throw error
  }
  throw new Error('it was not refused')
}

/** An editor of its own on the state of a replica; `update` is what its change would send. */
export class Editor {
  readonly doc: Y.Doc
  constructor(replica: Replica, clientId?: number) {
    this.doc = new Y.Doc()
    if (clientId !== undefined) this.doc.clientID = clientId
    Y.applyUpdate(this.doc, Y.encodeStateAsUpdate(replica.doc))
  }

  update(change: (doc: Y.Doc) => void): Uint8Array {
    const before = Y.encodeStateVector(this.doc)
    this.doc.transact(() => change(this.doc))
    return Y.encodeStateAsUpdate(this.doc, before)
  }

  insert(at: number, text: string): Uint8Array {
    return this.update((doc) => doc.getText('content').insert(at, text))
  }
}

/** Reaches into the file from beside the server, as a bad disk does. */
export function inDatabase({ file }: DocumentCore, change: (database: Database.Database) => void): void {
  const database = new Database(file)
  try {
    change(database)
  } finally {
    database.close()
  }
}
