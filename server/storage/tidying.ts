/** What storage puts off so that writes are cheap. */
export interface Tidying {
  /** Does a piece of it, some milliseconds of work; true while there is more. */
  tidy(): Promise<boolean>
  /** Called when there is something to do, and not again before all of it is done. Returns how to stop. */
  onUntidy(listener: () => void): () => void
}
