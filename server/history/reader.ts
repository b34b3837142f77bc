import type { Content } from '../content/content.ts'
import type { Mark } from '../content/hands.ts'
import { formatEtagOf } from '../documents/etag.ts'
import { contentAt, effectsInSteps, emptyContent } from '../documents/past.ts'
import { type DocumentId, NO_VERSION, previousVersion, toVersion, type Version } from '../foundation/ids.ts'
import { documentDeleted, documentNotFound, ParleyError } from '../foundation/problems.ts'
import { nobodyWaits, SharedWork } from '../foundation/sharedWork.ts'
import { Turns } from '../foundation/turns.ts'
import { deletionOf, type Head, isPurged } from '../model/document.ts'
import type { VersionFacts } from '../storage/history.ts'
import type { EntryEffect } from '../storage/log.ts'
import type { PeopleQuery, Person } from '../storage/people.ts'
import type { StorageView } from '../storage/view.ts'
import { type Blame, BlameBuilder } from './blame.ts'
import { type Diff, DiffBuilder } from './diff.ts'
import { keptVersion, type Log, openLog } from './versions.ts'

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
  readonly #storage: StorageView
  /** Long walks go one after the other: readers of long histories cannot crowd out everything else together. */
  readonly #walks = new Turns<'long'>()
  readonly #diffs = new SharedWork<Diff>()
  readonly #blames = new SharedWork<DocumentBlame>()

  constructor(storage: StorageView) {
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

  /** What those are called who acted on the document (SPEC HIST-8), in the order of their `sub`. */
  async people(document: DocumentId, query: PeopleQuery): Promise<readonly Person[]> {
    const head = await this.#storage.head(document)
    if (!head) throw documentNotFound(document)
    if (isPurged(head)) throw documentDeleted(document, head.version, deletionOf(head))
    return this.#storage.people(document, query)
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
  async diff(
    document: DocumentId,
    isAdmin: boolean,
    { from, to }: { readonly from: number; readonly to: number },
    gone: AbortSignal | null = null,
  ): Promise<Diff> {
    const log = await openLog(this.#storage, document, isAdmin)
    const older = await this.#pointAt(log, Math.min(from, to))
    const newer = await this.#pointAt(log, Math.max(from, to))
    if (older.version > newer.version || typeof older.content !== typeof newer.content) throw spansDeletion()
    if (newer.version - older.version > MAX_ENTRIES) {
      throw new ParleyError('invalid-request', `Compare versions at most ${MAX_ENTRIES} apart.`)
    }
    const key = `${document} ${log.head.incarnation} ${older.version} ${newer.version} ${from > to}`
    return this.#diffs.ask(key, gone, async (givenUp) => {
      const builder = new DiffBuilder(older.content, newer.content)
      const isOfPresentLife = older.version >= previousVersion(log.head.firstVersion)
      if (!builder.isEmpty || !isOfPresentLife) {
        const visit: Visit = ({ effect, origin }, by) => {
          if (origin === 'delete' && by.version < newer.version) throw spansDeletion()
          builder.apply(effect, by)
        }
        await this.walk(document, older.version, newer.version, visit, givenUp)
      }
      return builder.build(from > to)
    })
  }

  /** The newest entry behind every line or value; of a deleted document, as it was last. `gone`: nobody waits any more. */
  async blame(document: DocumentId, isAdmin: boolean, gone: AbortSignal | null = null): Promise<DocumentBlame> {
    const { head } = await openLog(this.#storage, document, isAdmin)
    const key = `${document} ${head.incarnation} ${head.version}`
    return this.#blames.ask(key, gone, (givenUp) => this.#blame(head, givenUp))
  }

  async #blame(head: Head, givenUp: AbortSignal): Promise<DocumentBlame> {
    const { id, kind, version } = head
    const first = previousVersion(head.firstVersion)
    const start = version - first > MAX_ENTRIES ? toVersion(version - MAX_ENTRIES) : first
    const before = start === first ? null : await this.#storage.versionAt(id, start)
    const base = before ? await contentAt(this.#storage, id, kind, before.version) : emptyContent(kind)
    const builder = new BlameBuilder(base)
    await this.walk(id, before?.version ?? first, version, ({ effect }, by) => builder.apply(effect, by), givenUp)
    return { version, ...builder.build() }
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
    visit: Visit,
    givenUp: AbortSignal | null = null,
  ): Promise<void> {
    const walk = async (): Promise<void> => {
      if (givenUp?.aborted) throw nobodyWaits()
      let reached = after
      // Asked again because of a purge, it goes on where it was.
      await this.#storage.read(async (view) => {
        for await (const entry of effectsInSteps(view, document, reached, upTo)) {
          if (givenUp?.aborted) throw nobodyWaits()
          const { version, author, at } = entry
          visit(entry, { version, author, at })
          reached = version
        }
      })
    }
    return upTo - after > SHORT_WALK_ENTRIES ? this.#walks.take('long', walk) : walk()
  }
}

type Visit = (entry: EntryEffect, by: Mark) => void

const spansDeletion = (): ParleyError =>
  new ParleyError('invalid-request', 'The document was deleted between these versions: compare those of one life.')
