/** What one fsync wrote. */
export interface WrittenBatch {
  readonly operations: number
  /** How long the commit took, which is how long the disk took. */
  readonly commitMs: number
}

/** For whoever measures how the disk keeps up. */
export interface Batches {
  /** Called after each fsync. Returns how to stop. */
  onBatch(listener: (batch: WrittenBatch) => void): () => void
  /** How many operations wait for the disk. */
  readonly waitingOperations: number
}
