import { afterEach, expect, it } from 'vitest'
import { onOne } from '../../server/documents/acts/plan.ts'
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
