import * as Y from 'yjs'

/**
 * A Y.Doc that tells of what somebody listens for, and of nothing else: for each of the ten events of a transaction Yjs
 * would make a map and a list first, which is a tenth of a small write.
 */
export class ReplicaDoc extends Y.Doc {
  override emit(...[name, args]: Parameters<Y.Doc['emit']>): void {
    if (this._observers.has(name)) super.emit(name, args)
  }
}
