import { afterAll, beforeAll, describe } from 'vitest'
import type { DocumentId } from '../../server/foundation/ids.ts'
import type { Storage } from '../../server/storage/storage.ts'
import { describeActs } from './storageContractActs.ts'
import { describeConflicts } from './storageContractConflicts.ts'
import { describeDamage } from './storageContractDamage.ts'
import { describeEvents } from './storageContractEvents.ts'
import { describeLifecycle } from './storageContractLifecycle.ts'
import { describeReads } from './storageContractReads.ts'

export const DAMAGES = ['head', 'update', 'effect', 'missing-entry', 'snapshot', 'checkpoint', 'conflict', 'content'] as const
export type Damage = (typeof DAMAGES)[number]

/** An adapter under test, with what its port deliberately does not offer. */
export interface StorageFixture {
  /** The open storage; another one after `reopen`. */
  readonly storage: Storage
  /** Closes the storage and opens it again on the same data. */
  reopen(): Promise<void>
  /** Changes what is stored of a document, behind the adapter's back; of its log that is the entry of version 2. */
  damage(what: Damage, document: DocumentId): Promise<void>
  /** How many contents of conflicts are stored. */
  countContents(): Promise<number>
  dispose(): Promise<void>
}

export type CreateFixture = () => Promise<StorageFixture>
/** The fixture that the tests of a group share; they keep apart by using ids of their own. */
export type SharedFixture = () => StorageFixture

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
    describe('conflicts', () => describeConflicts(shared, create))
    describe('events', () => describeEvents(shared, create))
    describe('damage', () => describeDamage(shared))
    describe('lifecycle', () => describeLifecycle(create))
  })
}
