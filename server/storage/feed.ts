import type { Sequence } from '../foundation/ids.ts'
import type { StoredEvent } from '../model/event.ts'

/** What is asked about stored events. */
export interface FeedReads {
  /** Stored events with `sequence > after`, oldest first, at most `limit`. */
  events(after: Sequence, limit: number): Promise<readonly StoredEvent[]>
  /**
   * First and last sequence kept. `first - 1` is the oldest usable cursor, also when the feed is empty: then `last` is
   * the last sequence ever given (0 if none was) and `first` the one after it.
   */
  eventRange(): Promise<{ readonly first: Sequence; readonly last: Sequence }>
  /** `eventMark` of the event with this sequence, also of the newest that was pruned; `NO_MARK` of any other. */
  eventMark(sequence: Sequence): Promise<string>
}

/** How events are forgotten. */
export interface FeedPruning {
  /**
   * Forgets events from the oldest on up to the first that is not older than `before` (milliseconds), so that the
   * feed has no holes. At most a bounded number a call; answers how many went.
   */
  pruneEvents(before: number): Promise<number>
}
