import type { Replica } from '../documents/replica.ts'

/** What live editing needs of a replica. */
export type LiveReplica = Pick<
  Replica,
  | 'id'
  | 'head'
  | 'doc'
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
>

/** A hold on a replica. */
export interface LiveLease<R extends LiveReplica = LiveReplica> {
  readonly replica: R
  release(): void
}
