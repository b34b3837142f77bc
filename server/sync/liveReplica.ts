import type * as Y from 'yjs'
import type { Replica } from '../documents/replica.ts'

/** What live editing needs of a replica. */
export type LiveReplica = Pick<
  Replica,
  | 'id'
  | 'head'
  | 'lock'
  | 'appliedVersion'
  | 'ended'
  | 'admit'
  | 'ownerOf'
  | 'formerClients'
  | 'applyLive'
  | 'whenCommitted'
  | 'onCommitted'
  | 'onEnded'
> & { readonly doc: Y.Doc }

/** A hold on a replica. */
export interface LiveLease<R extends LiveReplica = LiveReplica> {
  readonly replica: R
  release(): void
}
