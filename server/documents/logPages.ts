/** A log is read page by page, and a page is bounded in bytes as well as in rows (`LogReads`). */
import type { Version } from '../foundation/ids.ts'
import { yieldTurn } from '../foundation/turns.ts'

/**
 * The pages of what comes after a version up to another, oldest first, until nothing more comes. Between two of them
 * everything else that is ready goes first. `read` reads the page that follows a version.
 */
export async function* logPages<Row extends { readonly version: Version }>(
  read: (after: Version) => Promise<readonly Row[]>,
  after: Version,
  upTo: Version,
): AsyncGenerator<readonly Row[]> {
  let reached = after
  while (reached < upTo) {
    const page = await read(reached)
    const last = page.at(-1)
    if (last === undefined) return
    reached = last.version
    yield page
    if (reached < upTo) await yieldTurn()
  }
}
