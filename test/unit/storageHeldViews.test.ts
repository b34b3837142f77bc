import Database from 'better-sqlite3'
import { dirname, join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { openConnection } from '../../server/storage/sqlite/connection.ts'
import { HeldViews, HELD_VIEW_LIMITS } from '../../server/storage/sqlite/heldViews.ts'
import { open, temporaryFolder } from '../support/storageSqlite.ts'

const ONE_AT_ONCE = { ...HELD_VIEW_LIMITS, atOnce: 1 }

/** Views of an empty database, each over a connection that `connect` makes. */
async function startViews(connect: (file: string) => Database.Database, limits = HELD_VIEW_LIMITS): Promise<HeldViews> {
  const folder = temporaryFolder()
  onTestFinished(() => folder.dispose())
  const file = join(folder.path, 'parley.db')
  await (await open(file, 'inline')).close()
  const views = new HeldViews({
    epoch: 'epoch',
    environment: systemEnvironment,
    clock: () => 0,
    open: () => connect(file),
    limits,
  })
  onTestFinished(() => views.close())
  return views
}

it('[OPS-6] a storage view that cannot be opened is unavailable, until it can be', async () => {
  let mayOpen = true
  const views = await startViews((file) => openConnection(mayOpen ? file : dirname(file)), ONE_AT_ONCE)
  mayOpen = false
  const refused = Array.from({ length: 3 }, () => views.read(async () => 'answered'))
  for (const one of await Promise.allSettled(refused))
    expect(one).toMatchObject({ status: 'rejected', reason: { code: 'storage-unavailable' } })
  mayOpen = true
  const asked = Array.from({ length: 3 }, () => views.read(async () => 'answered'))
  expect(await Promise.all(asked)).toEqual(['answered', 'answered', 'answered'])
})

it('[OPS-6] a storage view that cannot begin keeps nobody waiting who comes after it', async () => {
  let begun = 0
  const views = await startViews((file) => {
    const connection = openConnection(file)
    const prepare = connection.prepare.bind(connection)
    vi.spyOn(connection, 'prepare').mockImplementation((sql: string) => {
      const statement = prepare(sql)
      if (sql !== 'BEGIN') return statement
      const run = statement.run.bind(statement)
      return Object.assign(statement, {
        run: () => {
          begun += 1
          if (begun === 2) throw new Database.SqliteError('out of memory', 'SQLITE_NOMEM')
          return run()
        },
      })
    })
    return connection
  }, ONE_AT_ONCE)
  const asked = await Promise.allSettled([1, 2, 3, 4].map((n) => views.read(async () => n)))
  expect(asked).toMatchObject([{ value: 1 }, { reason: { code: 'storage-unavailable' } }, { value: 3 }, { value: 4 }])
})

it('[OPS-8] connections of storage views are opened once, and as many as may ask at once', async () => {
  let opened = 0
  const views = await startViews((file) => {
    opened += 1
    return openConnection(file)
  })
  for (let round = 0; round < 3; round++) {
    const asked = Array.from({ length: 2 * HELD_VIEW_LIMITS.atOnce }, () =>
      views.read(async (view) => view.heads({ patterns: [{ prefix: '' }], after: null, limit: 1 })),
    )
    expect(await Promise.all(asked)).toEqual(asked.map(() => []))
  }
  expect(opened).toBe(HELD_VIEW_LIMITS.atOnce)
})
