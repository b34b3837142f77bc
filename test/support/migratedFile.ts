import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openConnection } from '../../server/storage/sqlite/connection.ts'
import { migrateSqlite } from '../../server/storage/sqlite/migrate.ts'

/** Made once by each worker. */
let migrated: Buffer | null = null

/**
 * Puts a database that has today's schema and nothing in it where a test is about to open one. The migrations, each with
 * its own wait for the disk, were most of what it took to open a new file; they have tests of their own.
 */
export function putMigrated(file: string): void {
  migrated ??= migratedDatabase()
  writeFileSync(file, migrated)
}

function migratedDatabase(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'parley-migrated-'))
  try {
    const file = join(folder, 'migrated.db')
    const connection = openConnection(file)
    migrateSqlite(connection, Date.now())
    connection.close()
    return readFileSync(file)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
