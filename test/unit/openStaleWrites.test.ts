import { afterEach, expect, it } from 'vitest'
import { onOne } from '../../server/documents/acts/plan.ts'
import { OpenStaleWrites } from '../../server/documents/openStaleWrites.ts'
import { toConflictId } from '../../server/foundation/ids.ts'
import type { ConflictRecord } from '../../server/model/conflict.ts'
import { ALICE, BOB, id, startCore, type DocumentCore } from '../support/documentCore.ts'
import { settled } from '../support/manualEnvironment.ts'

let core: DocumentCore
afterEach(() => core.stop())

it('[HIST-5] what was looked at while a purge was on its way to the disk is forgotten with it', async () => {
  core = await startCore()
  await core.create('doc', 'one')
  await core.write('doc', 'two', { version: 1 }, BOB)
  await core.write('doc', 'refused', { version: 1, onConflict: 'manual' })
  let look = (): void => undefined
  const mayLook = new Promise<void>((resolve) => (look = resolve))
  const looking = core.acts.preview(
    [id('doc')],
    onOne(async (found) => {
      await mayLook
      return { outcome: 'absent' in found ? [] : await found.openConflicts(ALICE), plan: null }
    }),
  )
  await settled()
  core.committer.openStaleWrites?.forget(id('doc'))
  const letGo = core.storage.hold()
  const purged = core.lifecycle.purge({ document: id('doc'), author: ALICE, intent: { type: 'unconditional' } })
  await settled()
  look()
  await settled()
  letGo()
  await purged
  await looking.catch(() => undefined)
  await core.create('doc', 'anew')
  const { head } = await core.reader.read(id('doc'))
  expect(await core.write('doc', 'written', { version: head.version })).toMatchObject({ outcome: 'written' })
})

it('[CONF-9] those of an author that take too much room are read again', async () => {
  core = await startCore()
  await core.create('doc', 'one')
  await core.write('doc', 'two', { version: 1 }, BOB)
  await core.write('doc', 'refused', { version: 1, onConflict: 'manual' })
  const [kept] = await core.storage.conflicts({ patterns: [{ exact: id('doc') }], before: null, limit: 1 })
  const lists = new OpenStaleWrites()
  let reads = 0
  const look = async (): Promise<readonly ConflictRecord[]> =>
    lists.of(id('doc'), ALICE, async () => {
      reads += 1
      return []
    })
  const place = kept?.places[0] ?? expect.fail()
  const withPlaces = (n: number): ConflictRecord => ({
    ...(kept ?? expect.fail()),
    id: toConflictId(`${n}`.padStart(26, '0')),
    places: Array.from({ length: 1_000 }, () => place),
  })
  await look()
  for (let n = 0; n < 90; n++) lists.apply(withPlaces(n))
  expect(await look()).toHaveLength(90)
  for (let n = 90; n < 100; n++) lists.apply(withPlaces(n))
  expect(await look()).toEqual([])
  expect(reads).toBe(2)
})
