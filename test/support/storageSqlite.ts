import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { openSqlite, type SqliteInternals } from '../../server/storage/sqlite/open.ts'
import { ADAPTIVE_LIMITS, type AdaptiveLimits } from '../../server/storage/sqlite/adaptiveExecutor.ts'
import { FRESH_LIMITS, type FreshLimits } from '../../server/storage/sqlite/writer.ts'
import type { Storage } from '../../server/storage/storage.ts'
import { putMigrated } from './migratedFile.ts'
import type { Damage, StorageFixture } from './storageFixture.ts'

/** As it is built: a thread that compiles the source takes longer to start than what most tests do with it. */
const WORKER = new URL('../../dist/server/worker.js', import.meta.url)

/** A thread that runs this code, which has `parentPort`, in place of the writer. */
export const workerOf = (code: string): URL =>
  new URL(`data:text/javascript,${encodeURIComponent(`import { parentPort } from 'node:worker_threads'; ${code}`)}`)

export interface TemporaryFolder {
  readonly path: string
  dispose(): void
}

export function temporaryFolder(): TemporaryFolder {
  const path = mkdtempSync(join(tmpdir(), 'parley-storage-'))
  return { path, dispose: () => rmSync(path, { recursive: true, force: true }) }
}

/** `thread`: an adaptive writer that never writes inline. `turns`: one that goes to and fro all the time. */
export const WRITERS = ['inline', 'adaptive', 'thread', 'turns'] as const
export type Writer = (typeof WRITERS)[number]
/** What sorts new rows of the log in nearly at once, and what never does in so short a test. */
const FRESH: Partial<Record<Writer, FreshLimits>> = { thread: { batch: 2, rows: 2 }, turns: { batch: 1, rows: 1 } }
const ADAPTIVE: Partial<Record<Writer, AdaptiveLimits>> = {
  thread: { ...ADAPTIVE_LIMITS, inlineBytes: 0 },
  turns: { ...ADAPTIVE_LIMITS, inlineOperations: 1 },
}

export function open(file: string, writer: Writer = 'inline', internals: SqliteInternals = {}): Promise<Storage> {
  const adaptiveLimits = ADAPTIVE[writer] ?? ADAPTIVE_LIMITS
  const fresh = FRESH[writer] ?? FRESH_LIMITS
  return openSqlite(
    { file, writer: writer === 'inline' ? 'inline' : 'adaptive', environment: systemEnvironment },
    { workerUrl: WORKER, adaptiveLimits, fresh, ...internals },
  )
}

/** As a server does. It may be closed meanwhile. */
async function tidyAll(storage: Storage): Promise<void> {
  while (await storage.tidy());
}

/** Runs SQL on a connection beside the storage's own, as a person with a shell would; answers the rows changed. */
export function tamper(file: string, sql: string, ...parameters: unknown[]): number {
  const connection = new Database(file)
  try {
    return connection.prepare(sql).run(...parameters).changes
  } finally {
    connection.close()
  }
}

export async function createSqliteFixture(writer: Writer): Promise<StorageFixture> {
  const folder = temporaryFolder()
  const file = join(folder.path, 'parley.db')
  putMigrated(file)
  const openTidying = async (): Promise<Storage> => {
    const opened = await open(file, writer)
    opened.onUntidy(() => void tidyAll(opened).catch(() => undefined))
    return opened
  }
  let storage = await openTidying()
  return {
    get storage() {
      return storage
    },
    reopen: async () => {
      await storage.close()
      storage = await openTidying()
    },
    damage: async (what, document) => {
      const changed = DAMAGE[what].map((sql) => tamper(file, sql, document))
      if (sum(changed) !== 1) throw new Error(`Nothing of ${document} to damage: ${what}`)
    },
    countContents: async () => {
      const connection = new Database(file, { readonly: true })
      const count = connection.prepare<[], number>(COUNT_CONTENTS).pluck().get()
      connection.close()
      return count ?? 0
    },
    dispose: async () => {
      await storage.close()
      folder.dispose()
    },
  }
}

const COUNT_CONTENTS = `SELECT (SELECT count(*) FROM contents)
  + (SELECT coalesce(sum(json_array_length(contents)), 0) FROM conflicts)`
const OF_DOCUMENT = 'WHERE document = (SELECT key FROM documents WHERE id = ?)'
/** A row of the log is in one of these. */
const ofLog = (sql: (table: string) => string): string[] => ['entries', 'fresh_entries'].map(sql)
const DAMAGE: Readonly<Record<Damage, readonly string[]>> = {
  head: ['UPDATE documents SET updated_at = updated_at + 1 WHERE id = ?'],
  update: ofLog(
    (table) => `UPDATE ${table} SET update_bytes = zeroblob(length(update_bytes)) ${OF_DOCUMENT} AND version = 2`,
  ),
  effect: ofLog((table) => `UPDATE ${table} SET effect = replace(effect, '2', '3') ${OF_DOCUMENT} AND version = 2`),
  'missing-entry': ofLog((table) => `DELETE FROM ${table} ${OF_DOCUMENT} AND version = 2`),
  pack: [`UPDATE packs SET facts = zeroblob(length(facts)) ${OF_DOCUMENT}`],
  'pack-updates': [`UPDATE packs SET updates = zeroblob(length(updates)) ${OF_DOCUMENT}`],
  snapshot: [`UPDATE snapshots SET state = zeroblob(length(state)) ${OF_DOCUMENT}`],
  checkpoint: [`UPDATE checkpoints SET content = zeroblob(length(content)) ${OF_DOCUMENT}`],
  conflict: ["UPDATE conflicts SET record = replace(record, 'alice', 'aloce') WHERE document = ?"],
  content: ["UPDATE contents SET content = zeroblob(length(content)) WHERE hash = 'incoming of ' || ?"],
  'own-content': ["UPDATE conflicts SET contents = replace(contents, 'content', 'CONTENT') WHERE document = ?"],
  waiting: ['UPDATE waiting_edits SET at = at + 1 WHERE document = ?'],
  answer: ["UPDATE answers SET record = replace(record, '200', '201') WHERE key = 'key of ' || ?"],
}
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)
