import { join } from 'node:path'
import Database from 'better-sqlite3'
import { onTestFinished } from 'vitest'
import { toVersion } from '../../server/foundation/ids.ts'
import type { Storage } from '../../server/storage/storage.ts'
import { open, temporaryFolder } from './storageSqlite.ts'

export const EVERYTHING = toVersion(1_000_000)
export const NOTHING = toVersion(0)

/** Where a database may be, until the end of the test. */
export function newFile(): string {
  const folder = temporaryFolder()
  onTestFinished(() => folder.dispose())
  return join(folder.path, 'parley.db')
}

/** A storage that is closed at the end of the test. */
export async function opened(...parameters: Parameters<typeof open>): Promise<Storage> {
  const storage = await open(...parameters)
  onTestFinished(() => storage.close())
  return storage
}

/** Read beside the storage, as a person with a shell would. */
export function readRows(file: string, sql: string): unknown[] {
  const connection = new Database(file, { readonly: true })
  try {
    return connection.prepare(sql).all()
  } finally {
    connection.close()
  }
}
