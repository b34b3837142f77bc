import { answerUnder, type Terms } from '../foundation/answer.ts'
import type { DocumentId } from '../foundation/ids.ts'
import type { DocumentReads } from '../storage/documents.ts'
import type { HistoryReads, HistoryWrites, VersionFacts } from '../storage/history.ts'
import { keptVersion, openLog } from './versions.ts'

/** Gives versions names (SPEC HIST-3). */
export class VersionLabels {
  readonly #storage: DocumentReads & HistoryReads & HistoryWrites

  constructor(storage: DocumentReads & HistoryReads & HistoryWrites) {
    this.#storage = storage
  }

  /** Names a version, or takes its name away. Of a deleted document nothing is named any more. */
  async label(
    document: DocumentId,
    version: number,
    label: string | null,
    terms: Terms<VersionFacts> | null = null,
  ): Promise<VersionFacts> {
    const log = await openLog(this.#storage, document, false)
    const facts = await keptVersion(this.#storage, log, version)
    const labelled: VersionFacts = { ...facts, label }
    const answer = await answerUnder(terms, labelled)
    const isSet = await this.#storage.setLabel(document, facts.version, label, answer)
    return isSet ? labelled : keptVersion(this.#storage, log, version)
  }
}
