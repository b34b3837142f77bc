import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { aheadClock } from '../support/aheadClock.ts'
import { expectStatus, stage, startConflictServer } from '../support/conflicts.ts'
import { suiteServer } from '../support/suite.ts'
import { eventually } from '../support/waitFor.ts'

const DAY_MS = 24 * 3600 * 1000
const clock = aheadClock()

const server = suiteServer(() => startConflictServer({ PARLEY_CONFLICT_RETENTION_DAYS: '30' }, undefined, clock))

/** A start prunes at once. */
async function restartAfterDays(days: number): Promise<void> {
  clock.putForward(days * DAY_MS)
  await server.restart()
}

function countContents(): unknown {
  const database = new Database(server.file, { readonly: true })
  try {
    return database.prepare('SELECT sum(json_array_length(contents)) FROM conflicts').pluck().get()
  } finally {
    database.close()
  }
}

describe('retention', () => {
  it('[CONF-9] closed conflicts are forgotten with their contents after the time set, open ones never', async () => {
    const sides = { base: 'a', current: 'b', incoming: 'c' }
    const closed = await stage(server, sides)
    const dismiss = { conflictId: closed.conflict.id, dismiss: true }
    expectStatus(await closed.alice.post('/resolve-conflict', dismiss), 200)
    const open = await stage(server, { ...sides, incoming: 'other' })
    expect(countContents()).toBe(2)

    await restartAfterDays(29)
    const early = await server.as('alice')
    expectStatus(await early.get(`/conflicts/${closed.conflict.id}`), 200)
    await restartAfterDays(2)
    const late = await server.as('alice')
    const statusOf = async (id: string) => (await late.get(`/conflicts/${id}`)).status
    await eventually(async () => expect(await statusOf(closed.conflict.id)).toBe(404))
    expect(await statusOf(open.conflict.id)).toBe(200)
    expect((await late.get(`/conflicts/${open.conflict.id}/incoming`)).body).toBe('other')
    expect(countContents()).toBe(1)
  })
})
