import { isSmallContent } from '../content/smallContent.ts'
import type { ConflictId } from '../foundation/ids.ts'
import { documentDeleted, type ParleyError } from '../foundation/problems.ts'
import { RenderedJson } from '../foundation/renderedJson.ts'
import { SharedWork } from '../foundation/sharedWork.ts'
import type { ConflictRecord } from '../model/conflict.ts'
import type { StorageView } from '../storage/view.ts'
import type { Asking, Desk } from '../threads/desk.ts'
import { showConflict, type ShownConflict, type ShowOptions } from './show.ts'

/** What is asked about conflicts, answered as the UTF-8 of its JSON. */
export type ConflictQuestion =
  /** As it is stored now. */
  | { readonly ask: 'conflict'; readonly id: ConflictId; readonly options: QuestionOptions }
  /** As an act leaves it. */
  | { readonly ask: 'record'; readonly record: ConflictRecord; readonly options: QuestionOptions }
  | { readonly ask: 'overlaps'; readonly record: ConflictRecord; readonly after: number; readonly limit: number }

/** Of `ShowOptions`, what can be sent to a thread. */
type QuestionOptions = Omit<ShowOptions, 'by' | 'known' | 'gone'>

/** A conflict with less than all these is shown in some 10 ms, where its sides are at hand. */
const SMALL = { overlaps: 100, versions: 100, units: 64 * 1024, values: 1_000 }

export interface ConflictShowerParts {
  readonly storage: StorageView
  readonly desk: Desk<ConflictQuestion, Uint8Array>
}

/** Shows conflicts: small ones with their sides at hand on the event loop, all others beside it (SPEC OPS-8). */
export class ConflictShower {
  readonly #parts: ConflictShowerParts
  readonly #shared = new SharedWork<Uint8Array>()

  constructor(parts: ConflictShowerParts) {
    this.#parts = parts
  }

  /**
   * As part of an answer. The sides that the record names are on disk. Throws `document-deleted` where a purge has taken them
   * away since.
   */
  show(
    record: ConflictRecord,
    options: ShowOptions,
  ): ShownConflict | RenderedJson | Promise<ShownConflict | RenderedJson> {
    const shown = this.#show(record, options)
    if (!(shown instanceof Promise)) return shown
    return shown.catch(async (problem: unknown) => {
      throw (await this.#purgedSince(record)) ?? problem
    })
  }

  /** What a purge makes of a question about the record; null where there was none. */
  async #purgedSince({ document, current }: ConflictRecord): Promise<ParleyError | null> {
    const { storage } = this.#parts
    if (current.version === null || (await storage.logStart(document)) < current.version) return null
    const head = await storage.head(document)
    return head === null ? null : documentDeleted(document, head.version)
  }

  #show(record: ConflictRecord, options: ShowOptions): ShownConflict | Promise<ShownConflict | RenderedJson> {
    const { known } = options
    return known && isSmall(record, known)
      ? showConflict(this.#parts.storage, record, options)
      : this.#showBeside(record, options)
  }

  async #showBeside(record: ConflictRecord, options: ShowOptions): Promise<RenderedJson> {
    const { by = record.author, known, gone: _, ...rest } = options
    // What was refused may not be stored yet, or never.
    const incoming = known && record.incoming.version === null ? { incoming: known.sides.incoming } : {}
    const question = { ask: 'record', record, options: { ...rest, ...incoming } } as const
    return new RenderedJson(Buffer.from(await this.#parts.desk.ask(question, { by })).toString())
  }

  /** A whole answer; shared by all who ask for the same at once. */
  read(
    record: ConflictRecord,
    options: Pick<ShowOptions, 'contents' | 'linkBase'>,
    asking: Asking,
  ): Promise<Uint8Array> {
    return this.#ask(record, { ask: 'conflict', id: record.id, options }, options, asking)
  }

  /** Overlaps of a conflict: a page, as `overlapPage` says. */
  overlaps(
    record: ConflictRecord,
    page: { readonly after: number; readonly limit: number },
    asking: Asking,
  ): Promise<Uint8Array> {
    return this.#ask(record, { ask: 'overlaps', record, ...page }, page, asking)
  }

  #ask(
    { id, revision }: ConflictRecord,
    question: ConflictQuestion,
    what: unknown,
    { by, gone = null }: Asking,
  ): Promise<Uint8Array> {
    const key = JSON.stringify([question.ask, id, revision, what])
    return this.#shared.ask(key, gone, (givenUp) => this.#parts.desk.ask(question, { by, gone: givenUp }))
  }
}

function isSmall({ base, current }: ConflictRecord, { sides, merged }: NonNullable<ShowOptions['known']>): boolean {
  const versions = (current.version ?? 0) - (base.version ?? 0)
  if (versions > SMALL.versions || merged.overlaps.length > SMALL.overlaps) return false
  return [sides.base, sides.current, sides.incoming].every((content) => isSmallContent(content, SMALL))
}
