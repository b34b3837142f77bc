import { afterAll, beforeAll, describe } from 'vitest'
import { describeActs } from './storageContractActs.ts'
import { describeAnswers } from './storageContractAnswers.ts'
import { describeConflicts } from './storageContractConflicts.ts'
import { describeDamage } from './storageContractDamage.ts'
import { describeEvents } from './storageContractEvents.ts'
import { describeExpiring } from './storageContractExpiring.ts'
import { describeLifecycle } from './storageContractLifecycle.ts'
import { describeLocks } from './storageContractLocks.ts'
import { describePeople } from './storageContractPeople.ts'
import { describePurge } from './storageContractPurge.ts'
import { describeView } from './storageContractView.ts'
import { describeReads } from './storageContractReads.ts'
import { describeRewrites } from './storageContractRewrites.ts'
import { describeVersions } from './storageContractVersions.ts'
import { describeWaiting } from './storageContractWaiting.ts'
import { describeWebhooks } from './storageContractWebhooks.ts'
import type { CreateFixture, SharedFixture, StorageFixture } from './storageFixture.ts'

/** What every storage must do, whatever database is below it. `create` makes an empty one. */
export function describeStorageContract(name: string, create: CreateFixture): void {
  describe(name, () => {
    let fixture: StorageFixture
    beforeAll(async () => {
      fixture = await create()
    })
    afterAll(async () => {
      await fixture.dispose()
    })
    const shared: SharedFixture = () => fixture
    describe('acts', () => describeActs(shared))
    describe('reads', () => describeReads(shared))
    describe('versions', () => describeVersions(shared))
    describe('rewrites', () => describeRewrites(shared))
    describe('people', () => describePeople(shared))
    describe('purge', () => describePurge(shared))
    describe('a question of several steps', () => describeView(shared))
    describe('answers', () => describeAnswers(shared))
    describe('conflicts', () => describeConflicts(shared, create))
    describe('conflicts of deleted documents', () => describeExpiring(create))
    describe('events', () => describeEvents(shared, create))
    describe('locks', () => describeLocks(shared, create))
    describe('edits that wait', () => describeWaiting(shared, create))
    describe('webhooks', () => describeWebhooks(shared, create))
    describe('damage', () => describeDamage(shared))
    describe('lifecycle', () => describeLifecycle(create))
  })
}
