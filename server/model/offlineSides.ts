import type { Content, Path } from '../content/content.ts'
import type { SharedAt } from '../content/json.ts'
import type { Version } from '../foundation/ids.ts'

/** What a returning client started from, and what it made of that. */
export interface OfflineSides {
  readonly base: Content
  /** Base with the client's edits. */
  readonly incoming: Content
  /** The version that base is, null where the client had parts of the log that are no prefix of it. */
  readonly baseVersion: Version | null
  /** What shared type stands at a path of incoming. */
  readonly sharedAt: (path: Path) => SharedAt | null
}
