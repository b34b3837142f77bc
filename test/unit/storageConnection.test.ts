import { join } from 'node:path'
import type Database from 'better-sqlite3'
import { expect, it, onTestFinished } from 'vitest'
import { assertDurable, openConnection } from '../../server/storage/sqlite/connection.ts'
import { open, temporaryFolder } from '../support/storageSqlite.ts'

function newFile(): string {
  const folder = temporaryFolder()
  onTestFinished(() => folder.dispose())
  return join(folder.path, 'parley.db')
}

function newConnection(file = newFile()): Database.Database {
  const connection = openConnection(file)
  onTestFinished(() => void connection.close())
  return connection
}

it('[WRITE-10] every connection commits with an fsync, also to a database that is in WAL mode already', () => {
  const file = newFile()
  for (const connection of [newConnection(file), newConnection(file)]) {
    expect(connection.pragma('journal_mode', { simple: true })).toBe('wal')
    connection.exec('CREATE TABLE IF NOT EXISTS t (n)')
    expect(connection.pragma('synchronous', { simple: true })).toBe(2)
    expect(connection.pragma('foreign_keys', { simple: true })).toBe(1)
  }
})

it('[WRITE-10] the connection that writes is such a connection', async () => {
  const seen: unknown[] = []
  const storage = await open(newFile(), 'inline', {
    prepareWriter: (connection) => seen.push(connection.pragma('synchronous', { simple: true })),
  })
  await storage.close()
  expect(seen).toEqual([2])
})

it('[WRITE-10] a connection that would lose commits is noticed', () => {
  for (const weakness of ['synchronous = NORMAL', 'synchronous = OFF', 'journal_mode = DELETE', 'foreign_keys = OFF']) {
    const connection = newConnection()
    assertDurable(connection)
    connection.pragma(weakness)
    expect(() => assertDurable(connection), weakness).toThrow('Invariant broken')
  }
})
