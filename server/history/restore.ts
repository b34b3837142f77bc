import { type Content, kindOf } from '../content/content.ts'
import { baseOf, type Intent } from '../documents/base.ts'
import { settingsOf, type Head } from '../model/document.ts'
import { staleChange } from '../documents/lifecycle.ts'
import { contentAt, emptyContent } from '../documents/past.ts'
import type { WriteRequest, WriteResult } from '../documents/planWrite.ts'
import type { TextComparer } from '../documents/textComparer.ts'
import type { DocumentWriter } from '../documents/write.ts'
import type { Terms } from '../foundation/answer.ts'
import { type DocumentId, NO_VERSION, previousVersion, type PrincipalId, type Version } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { yieldTurn } from '../foundation/turns.ts'
import type { StorageView } from '../storage/view.ts'
import { AuthorStretches, type RevertStretch } from './planRevert.ts'
import type { HistoryReader } from './reader.ts'
import { keptVersion, type Log, openLog } from './versions.ts'

/** Each costs two contents and a merge, some 20 ms for a long text. */
const MAX_STRETCHES = 200
/** Entries one revert goes through; see blame. */
const MAX_ENTRIES = 500_000

interface RestoringRequest {
  readonly document: DocumentId
  readonly author: PrincipalId
  readonly isAdmin: boolean
  readonly intent: Intent
  /** As `WriteRequest` has it. */
  readonly lockToken: string | null
  /** Renders the answer that is stored with the write (SPEC WRITE-8). */
  readonly terms: Terms<WriteResult> | null
}
export interface RestoreRequest extends RestoringRequest {
  /** Whose content shall stand again. */
  readonly version: number
}
export interface RevertRequest extends RestoringRequest {
  /** Whose changes are taken back. */
  readonly of: PrincipalId
  /** Those after this version; 0 for all. */
  readonly since: number
}

interface RestorerParts {
  readonly storage: StorageView
  readonly writer: DocumentWriter
  readonly history: Pick<HistoryReader, 'walk'>
  readonly comparer: TextComparer
}

/** Writes that bring back what was: a restore and a revert are ordinary writes (SPEC HIST-3, HIST-7, DOC-6). */
export class Restorer {
  readonly #storage: StorageView
  readonly #writer: DocumentWriter
  readonly #history: Pick<HistoryReader, 'walk'>
  readonly #comparer: TextComparer

  constructor({ storage, writer, history, comparer }: RestorerParts) {
    this.#storage = storage
    this.#writer = writer
    this.#history = history
    this.#comparer = comparer
  }

  /**
   * Writes the content of a version on the base the request names; a deleted document it brings back to life, for
   * `admin` and for whoever deleted it. Throws `not-found`, `version-compacted`, `document-deleted`, and what a write throws.
   */
  async restore(request: RestoreRequest): Promise<WriteResult> {
    const { document, author, isAdmin, version } = request
    const log = await openLog(this.#storage, document, isAdmin, author)
    const facts = await keptVersion(this.#storage, log, version)
    const content = await contentAt(this.#storage, document, log.head.kind, facts.version)
    if (log.head.deletedAt !== null) return this.#revive(request, log.head, content)
    return this.#writer.write(writeOf(request, 'restore', content), request.terms)
  }

  /**
   * Takes back what one author changed, by three-way merges on plain contents. Where others built on it, the newest
   * such stretch is refused as a stale write on that stretch, with its conflict, whatever the policy.
   */
  async revert(request: RevertRequest): Promise<WriteResult> {
    const { document } = request
    const log = await openLog(this.#storage, document, false)
    const since = request.since === 0 ? log.after : (await keptVersion(this.#storage, log, request.since)).version
    const base = await this.#baseOf(request, log)
    const stretches = await this.#stretchesOf(request, since, base)
    if (stretches.length === 0) return this.#nothing(log)
    const comparing = this.#comparer.askedBy(request.author)
    let content = await this.#contentOf(log, base)
    for (const stretch of stretches.toReversed()) {
      const taken = await this.#contentOf(log, stretch.upTo)
      const before = await this.#contentOf(log, stretch.after)
      const merged = await comparing.merge({ base: taken, current: content, incoming: before })
      if (!merged.clean) {
        const intent: Intent = { type: 'version', version: stretch.upTo }
        const write: WriteRequest = { ...writeOf({ ...request, intent }, 'revert', before), onConflict: 'manual' }
        return this.#writer.write(write, request.terms)
      }
      content = merged.content
      await yieldTurn()
    }
    // What was worked out belongs to this version, also where the request would write on any.
    const intent: Intent = request.intent.type === 'unconditional' ? { type: 'version', version: base } : request.intent
    return this.#writer.write(writeOf({ ...request, intent }, 'revert', content), request.terms)
  }

  async #nothing(log: Log): Promise<WriteResult> {
    const { head } = log
    return { status: 'done', outcome: 'unchanged', head, content: await this.#contentOf(log, head.version) }
  }

  /** A new life of a deleted document, with its settings. */
  async #revive(
    { document, author, intent, terms }: RestoreRequest,
    head: Head,
    content: Content,
  ): Promise<WriteResult> {
    const base = await baseOf(intent, head, this.#storage)
    if (base.type === 'version' && base.version !== head.version) {
      throw staleChange(head, this.#storage.epoch, 'The document')
    }
    const kind = kindOf(content)
    const settings = settingsOf(kind === 'json' ? head : { ...head, schema: null })
    const wanted = { id: document, kind, root: head.root, settings }
    return this.#writer.create(wanted, content, { author, origin: 'restore' }, terms)
  }

  async #baseOf({ intent }: RevertRequest, { head }: Log): Promise<Version> {
    const base = await baseOf(intent, head, this.#storage)
    if (base.type === 'unconditional') return head.version
    if (base.version !== NO_VERSION) return base.version
    throw new ParleyError('invalid-request', 'Changes are taken back from a version that is there.')
  }

  async #stretchesOf(
    { document, of }: RevertRequest,
    since: Version,
    base: Version,
  ): Promise<readonly RevertStretch[]> {
    if (base - since > MAX_ENTRIES) {
      throw new ParleyError('invalid-request', `Name a later \`since\`, at most ${MAX_ENTRIES} versions back.`)
    }
    const stretches = new AuthorStretches(of, since)
    await this.#history.walk(document, since, base, (entry) => stretches.add(entry))
    if (stretches.found.length <= MAX_STRETCHES) return stretches.found
    throw new ParleyError(
      'invalid-request',
      `Others wrote in between more than ${MAX_STRETCHES} times: name a later \`since\` and go step by step.`,
    )
  }

  #contentOf({ head }: Log, version: Version): Promise<Content> {
    if (version === previousVersion(head.firstVersion)) return Promise.resolve(emptyContent(head.kind))
    return contentAt(this.#storage, head.id, head.kind, version)
  }
}

const writeOf = (
  { document, author, intent, lockToken }: RestoringRequest,
  origin: 'restore' | 'revert',
  content: Content,
): WriteRequest => ({
  document,
  author,
  intent,
  lockToken,
  incoming: () => content,
  createsKind: null,
  onConflict: null,
  origin,
})
