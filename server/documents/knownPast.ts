import { LRUCache } from 'lru-cache'
import type { Content } from '../content/content.ts'
import { contentBytes } from '../content/equal.ts'
import type { Version } from '../foundation/ids.ts'
import type { EntryEffect } from '../storage/log.ts'

/** Who writes on an old version of a busy document is mostly one or two versions behind. */
const MAX_ENTRIES = 8
/** Their effects together; a rewrite of a large content is read from the log. */
const MAX_EFFECT_CHARACTERS = 64 * 1024
/** Contents of versions that stale writes met: thousands of small ones, or a few large ones; larger ones are read each time. */
const MAX_CONTENT_BYTES = 4 * 1024 * 1024

/**
 * What of a document's log is at hand with its replica, so that many stale writes on one version read it once: the newest
 * entries, and contents of versions that stale writes met. An entry never changes, and a replica ends where it may differ
 * from the log; only compaction takes versions away, and has all of it forgotten.
 */
export class KnownPast {
  /** Without a gap, oldest first. */
  readonly #entries: { readonly entry: EntryEffect; readonly characters: number }[] = []
  #characters = 0
  /** Null until a stale write comes: most documents never meet one. */
  #contents: LRUCache<Version, Content> | null = null
  /** How often everything was forgotten: what was being read meanwhile is not kept. */
  #forgotten = 0

  /** The next entry was applied; `characters` of its effect. */
  note(entry: EntryEffect, characters: number): void {
    this.#entries.push({ entry, characters })
    this.#characters += characters
    while (this.#entries.length > MAX_ENTRIES || this.#characters > MAX_EFFECT_CHARACTERS) {
      const oldest = this.#entries.shift()
      if (oldest === undefined) return
      this.#characters -= oldest.characters
    }
  }

  /** All entries from one to another, oldest first; null where they are not at hand. */
  entries(from: Version, upTo: Version): readonly EntryEffect[] | null {
    const start = this.#entries.findIndex(({ entry }) => entry.version === from)
    const found = start === -1 ? [] : this.#entries.slice(start, start + upTo - from + 1)
    return found.at(-1)?.entry.version === upTo ? found.map(({ entry }) => entry) : null
  }

  /** The content at a version, which `read` finds in the log where it is not at hand. */
  contentAt(version: Version, read: () => Promise<Content>): Content | Promise<Content> {
    return this.#contents?.get(version) ?? this.#read(version, read)
  }

  async #read(version: Version, read: () => Promise<Content>): Promise<Content> {
    const forgotten = this.#forgotten
    const content = await read()
    if (forgotten === this.#forgotten) this.keep(version, content)
    return content
  }

  /** The content at a version, where it is likely to be asked for. */
  keep(version: Version, content: Content): void {
    this.#contents ??= new LRUCache({ maxSize: MAX_CONTENT_BYTES, sizeCalculation: sizeOf })
    if (!this.#contents.has(version)) this.#contents.set(version, content)
  }

  /** Versions were taken away. */
  forget(): void {
    this.#forgotten += 1
    this.#entries.length = 0
    this.#characters = 0
    this.#contents = null
  }

  /** About how much memory it holds. */
  bytes(): number {
    return this.#characters * 2 + (this.#contents?.calculatedSize ?? 0) * 2
  }
}

/** A small content has its place in the cache to pay for as well. */
const ENTRY_BYTES = 128
const sizeOf = (content: Content): number => contentBytes(content) + ENTRY_BYTES
