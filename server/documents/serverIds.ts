import { createHash } from 'node:crypto'
import type * as Y from 'yjs'
import { PENS, penOf } from '../content/pens.ts'
import { cacheOf } from '../foundation/cache.ts'
import type { Environment } from '../foundation/environment.ts'
import type { Head } from '../model/document.ts'

/** Documents of which it is remembered that they were written; of others it is taken for granted that they were not. */
const MAX_REMEMBERED = 100_000

/**
 * The Yjs client ids under which a process writes its documents: few, so that state vectors stay small, and others for each
 * process and each incarnation, so that no two histories share clocks. Never ones that somebody else has written under, which
 * is as likely as the document has ids.
 */
export class ServerIds {
  readonly #seed: Uint8Array
  /** First ids that were given out: what stands in a document under them and their followers is our own. */
  readonly #given = cacheOf<string, true>(MAX_REMEMBERED)

  constructor(environment: Environment) {
    this.#seed = environment.randomBytes(16)
  }

  /**
   * The first of the ids for a document as it was loaded. It is given to that after its replay, because Yjs draws another
   * where it meets its own id in an update.
   */
  firstFor({ id, incarnation }: Head, { store }: Pick<Y.Doc, 'store'>): number {
    for (let attempt = 0; ; attempt++) {
      const hash = createHash('sha256').update(this.#seed).update(incarnation).update(id).update(String(attempt))
      const first = hash.digest().readUInt32LE(0)
      const key = `${id} ${incarnation} ${attempt}`
      if (!this.#given.has(key) && isTaken(first, store)) continue
      this.#given.set(key, true)
      return first
    }
  }
}

function isTaken(first: number, { clients }: Y.Doc['store']): boolean {
  for (let number = 0; number < PENS; number++) if (clients.has(penOf(first, number))) return true
  return false
}
