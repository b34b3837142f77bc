import type { Content } from '../content/content.ts'
import type { Mark } from '../content/hands.ts'
import { formatEtagOf } from '../documents/etag.ts'
import { contentAt, effectsInSteps, emptyContent } from '../documents/past.ts'
import type { Keep } from '../foundation/answer.ts'
import { NO_VERSION, previousVersion, toVersion, type DocumentId, type Version } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { Turns } from '../foundation/turns.ts'
import type { EntryEffect, Storage, VersionFacts } from '../storage/storage.ts'
import { BlameBuilder, type Blame } from './blame.ts'
import { DiffBuilder, type Diff } from './diff.ts'
import { keptVersion, openLog, type Log } from './versions.ts'

/** What one diff or blame goes through at most: some 5 s of work, in pieces of a few milliseconds. */
const MAX_ENTRIES = 500_000
/** More than these are a long walk. */
const SHORT_WALK_ENTRIES = 2_000

export interface DocumentVersion {
  readonly facts: VersionFacts
  /** Null for one of a former life of the document. */
  readonly etag: string | null
  readonly content: Content
}

export interface DocumentBlame extends Blame {
  readonly version: Version
}

/** Reads the history of documents (SPEC HIST-1, HIST-2, HIST-6). `isAdmin` says whether the reader is. */
export class HistoryReader {
  readonly #storage: Storage
  /** Long walks go one after the other: readers of long histories cannot crowd out everything else together. */
  readonly #walks = new Turns<'long'>()

  constructor(storage: Storage) {
    this.#storage = storage
  }

  /** Versions below `before` (null: all), newest first, at most `limit`. */
  async list(
    document: DocumentId,
    isAdmin: boolean,
    page: { readonly before: Version | null; readonly limit: number },
  ): Promise<readonly VersionFacts[]> {
    const { head, after } = await openLog(this.#storage, document, isAdmin)
    const upTo = page.before === null ? head.version : previousVersion(page.before)
    return upTo <= after ? [] : this.#storage.versions(document, after, upTo, page.limit)
  }

  /** Throws `not-found` or `version-compacted`, as do the others that name versions. */
  async version(document: DocumentId, isAdmin: boolean, version: number): Promise<DocumentVersion> {
    const log = await openLog(this.#storage, document, isAdmin)
    const facts = await keptVersion(this.#storage, log, version)
    const { head } = log
    const content = await contentAt(this.#storage, document, head.kind, facts.version)
    const isOfThisLife = facts.version >= head.firstVersion
    return { facts, content, etag: isOfThisLife ? formatEtagOf(head, this.#storage.epoch, facts) : null }
  }

  /** What differs between two versions of one life of a document; 0 is the empty content the present one began with. */
  async diff(document: DocumentId, isAdmin: boolean, from: number, to: number): Promise<Diff> {
    const log = await openLog(this.#storage, document, isAdmin)
    const older = await this.#pointAt(log, Math.min(from, to))
    const newer = await this.#pointAt(log, Math.max(from, to))
    if (older.version > newer.version || typeof older.content !== typeof newer.content) throw spansDeletion()
    if (newer.version - older.version > MAX_ENTRIES) {
      throw new ParleyError('invalid-request', `Compare versions at most ${MAX_ENTRIES} apart.`)
    }
    const builder = new DiffBuilder(older.content, newer.content)
    const isOfPresentLife = older.version >= previousVersion(log.head.firstVersion)
    if (!builder.isEmpty || !isOfPresentLife) {
      await this.walk(document, older.version, newer.version, ({ effect, origin }, by) => {
        if (origin === 'delete' && by.version < newer.version) throw spansDeletion()
        builder.apply(effect, by)
      })
    }
    return builder.build(from > to)
  }

  /** The newest entry behind every line or value; of a deleted document, as it was last. */
  async blame(document: DocumentId, isAdmin: boolean): Promise<DocumentBlame> {
    const { head } = await openLog(this.#storage, document, isAdmin)
    const first = previousVersion(head.firstVersion)
    const start = head.version - first > MAX_ENTRIES ? toVersion(head.version - MAX_ENTRIES) : first
    const before = start === first ? null : await this.#storage.versionAt(document, start)
    const base = before ? await contentAt(this.#storage, document, head.kind, before.version) : emptyContent(head.kind)
    const builder = new BlameBuilder(base)
    await this.walk(document, before?.version ?? first, head.version, ({ effect }, by) => builder.apply(effect, by))
    return { version: head.version, ...builder.build() }
  }

  /** Names a version, or takes its name away. Of a deleted document nothing is named any more. */
  async label(
    document: DocumentId,
    version: number,
    label: string | null,
    keep: Keep<VersionFacts> | null = null,
  ): Promise<VersionFacts> {
    const log = await openLog(this.#storage, document, false)
    const facts = await keptVersion(this.#storage, log, version)
    const labelled: VersionFacts = { ...facts, label }
    const answer = keep === null ? undefined : await keep(labelled)
    const isSet = await this.#storage.setLabel(document, facts.version, label, answer)
    return isSet ? labelled : keptVersion(this.#storage, log, version)
  }

  async #pointAt(log: Log, version: number): Promise<{ readonly version: Version; readonly content: Content }> {
    const { id, kind, firstVersion } = log.head
    if (version === NO_VERSION) return { version: previousVersion(firstVersion), content: emptyContent(kind) }
    const facts = await keptVersion(this.#storage, log, version)
    return { version: facts.version, content: await contentAt(this.#storage, id, kind, facts.version) }
  }

  /** Goes through the effects between two versions; who waits for a longer walk goes when that has ended. */
  walk(
    document: DocumentId,
    after: Version,
    upTo: Version,
    visit: (entry: EntryEffect, by: Mark) => void,
  ): Promise<void> {
    const walk = async (): Promise<void> => {
      for await (const entry of effectsInSteps(this.#storage, document, after, upTo)) {
        const { version, author, at } = entry
        visit(entry, { version, author, at })
      }
    }
    return upTo - after > SHORT_WALK_ENTRIES ? this.#walks.take('long', walk) : walk()
  }
}

const spansDeletion = (): ParleyError =>
  new ParleyError('invalid-request', 'The document was deleted between these versions: compare those of one life.')
