import { overlapPage, seenVersion } from '../conflicts/overlapPage.ts'
import { answerVerdict, type SettledQuestion } from '../conflicts/settled.ts'
import { conflictNotFound, showConflict } from '../conflicts/show.ts'
import type { ConflictQuestion } from '../conflicts/shower.ts'
import { toTimestamp } from '../foundation/environment.ts'
import type { DocumentId } from '../foundation/ids.ts'
import { type DocumentBlame, HistoryReader } from '../history/reader.ts'
import { encodeCursor } from '../http/pagination.ts'
import type { StorageView } from '../storage/view.ts'
import type { Answering } from '../threads/desk.ts'

/** What is asked about the history of a document. */
export type HistoryQuestion = { readonly document: DocumentId; readonly isAdmin: boolean } & (
  | { readonly ask: 'blame' }
  | { readonly ask: 'diff'; readonly from: number; readonly to: number }
)

/** What takes long to answer, so that it is answered beside the event loop: as the UTF-8 of its JSON. */
export type LongQuestion = ConflictQuestion | SettledQuestion | HistoryQuestion

/** Answers questions from what is stored. */
export function answering(storage: StorageView): Answering<LongQuestion, Uint8Array> {
  const history = new HistoryReader(storage)
  return async (question, gone) => {
    const answer = await answerTo(storage, history, question, gone)
    // Of a memory of its own, so that it can be handed over.
    return new TextEncoder().encode(JSON.stringify(answer))
  }
}

async function answerTo(
  storage: StorageView,
  history: HistoryReader,
  question: LongQuestion,
  gone: AbortSignal | null,
): Promise<object> {
  switch (question.ask) {
    case 'conflict':
      return storage.read(async (view) => {
        const record = await view.conflict(question.id)
        if (record === null) throw conflictNotFound()
        return showConflict(view, record, { ...question.options, gone })
      })
    case 'record':
      return showConflict(storage, question.record, { ...question.options, gone })
    case 'overlaps': {
      const { items, next } = await storage.read(async (view) => {
        // Erased while the question waited: then its versions are gone, and the log is not damaged.
        if ((await view.conflict(question.record.id)) === null) throw conflictNotFound()
        return overlapPage(view, question.record, question)
      })
      return next === null ? { items } : { items, nextCursor: encodeCursor([next, seenVersion(question.record)]) }
    }
    case 'settled':
      return answerVerdict(storage, question)
    case 'diff':
      return history.diff(question.document, question.isAdmin, question, gone)
    case 'blame':
      return shownBlame(await history.blame(question.document, question.isAdmin, gone))
  }
}

function shownBlame({ version, places, truncated }: DocumentBlame): object {
  const blame = places.map(({ by, ...place }) => ({
    ...place,
    author: by?.author ?? null,
    version: by?.version ?? null,
    at: by && toTimestamp(by.at),
  }))
  return { version, blame, truncated }
}
