import type { DocumentId } from '../../server/foundation/ids.ts'
import type { Storage } from '../../server/storage/storage.ts'

/** Ways in which a stored document can be damaged. */
export const DAMAGES = [
  'head',
  'update',
  'effect',
  'missing-entry',
  'pack',
  'pack-updates',
  'snapshot',
  'checkpoint',
  'conflict',
  'content',
  'own-content',
  'answer',
  'waiting',
] as const
export type Damage = (typeof DAMAGES)[number]

/** An adapter under test, with what its port deliberately does not offer. */
export interface StorageFixture {
  /** The open storage; another one after `reopen`. */
  readonly storage: Storage
  /** Closes the storage and opens it again on the same data. */
  reopen(): Promise<void>
  /** Changes what is stored of a document, behind the adapter's back; of its log that is the entry of version 2. */
  damage(what: Damage, document: DocumentId): Promise<void>
  /** How many contents of conflicts are stored, those that lie with their conflicts among them. */
  countContents(): Promise<number>
  dispose(): Promise<void>
}

export type CreateFixture = () => Promise<StorageFixture>
/** The fixture that the tests of a group share; they keep apart by using ids of their own. */
export type SharedFixture = () => StorageFixture
