import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { openConnection } from '../../server/storage/sqlite/connection.ts'
import { HeldViews, HELD_VIEW_LIMITS } from '../../server/storage/sqlite/heldViews.ts'
import { open, temporaryFolder } from '../support/storageSqlite.ts'

it('[OPS-8] connections of storage views are opened once, and as many as may ask at once', async () => {
  const folder = temporaryFolder()
  onTestFinished(() => folder.dispose())
  const file = join(folder.path, 'parley.db')
  await (await open(file, 'inline')).close()
  let opened = 0
  const views = new HeldViews({
    epoch: 'epoch',
    environment: systemEnvironment,
    clock: () => 0,
    open: () => {
      opened += 1
      return openConnection(file)
    },
  })
  onTestFinished(() => views.close())
  for (let round = 0; round < 3; round++) {
    const asked = Array.from({ length: 2 * HELD_VIEW_LIMITS.atOnce }, () =>
      views.read(async (view) => view.heads({ patterns: [{ prefix: '' }], after: null, limit: 1 })),
    )
    expect(await Promise.all(asked)).toEqual(asked.map(() => []))
  }
  expect(opened).toBe(HELD_VIEW_LIMITS.atOnce)
})
