import type { PrincipalId, Version } from '../foundation/ids.ts'
import type { ClockSet } from './clockSet.ts'

/**
 * What a live client has of a document, besides what it now brings (CONF-6). `clocks`: what it said of itself
 * when it came (the state vector of its SyncStep1, the delete set of its first SyncStep2). `versions`: a client
 * that stayed connected has seen all up to a version, and what it wrote itself. `stored`: another page made the edits,
 * which had seen all up to a version. The one that brings them has merged them with what it was sent, and Yjs deletes what
 * loses: so their deletes of what came later tell nothing of who knew it.
 *
 * Where both deleted the same, Yjs does not tell whether the client knew of the other's delete. `sentUpTo` does: what came
 * after it, its page cannot have had; what came before and is deleted there too, it is taken to have known. Null where that
 * is forgotten; then it is taken not to have known what others deleted after the newest entry of which it has something
 * inserted, because to ask once too often loses nothing.
 */
export type Knowledge =
  | {
      readonly by: 'clocks'
      readonly clocks: ReadonlyMap<number, number>
      readonly deletes: ClockSet
      readonly sentUpTo: Version | null
      /** Of `deletes` those that it brought since: its entries do not tell of what others had deleted already. */
      readonly brought: ClockSet
      /**
       * All that it brought since and that was taken in, as one update: the log keeps no value that lost, but the client
       * has it. Null where that is nothing, or more than is kept.
       */
      readonly broughtUpdate: Uint8Array | null
    }
  | { readonly by: 'versions'; readonly seen: Version; readonly own: readonly Version[] }
  | { readonly by: 'stored'; readonly seen: Version }

/** What a client brings that did not know everything the document holds. */
export interface OfflineEdits {
  readonly author: PrincipalId
  readonly knowledge: Knowledge
  /** Everything it brings, as one update. */
  readonly update: Uint8Array
  /** They had to wait here, for a lock, for the disk or for what they build on (LOCK-4). */
  readonly waited?: boolean
}
