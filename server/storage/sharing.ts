/** What reads the same database besides this storage, from another thread. */
export interface OtherReader {
  /** A document was purged: what is being read may hold it, and is read anew. */
  endAll(): void
  /** Resolves when nothing is being read; nothing is until what it answers is called. */
  pause(): Promise<() => void>
}

/** Who else uses the database. */
export interface Sharing {
  /** Whether other processes may use it at the same time, so that not everything in it was written here. */
  readonly shared: boolean
  /** From now on a purge waits for this reader too. */
  sharesWith(reader: OtherReader): void
}
