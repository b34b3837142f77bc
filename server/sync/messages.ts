import { encodeAwareness, type AwarenessEntry } from './awareness.ts'
import { EMPTY_UPDATE, type ServerMessage } from './protocol.ts'
import { SLICE_BYTES, slices } from './slices.ts'

/** An answer to a SyncStep1: in slices where it is large, and then an empty SyncStep2, which ends it (SYNC-9). */
export function* answerMessages(update: Uint8Array): Generator<ServerMessage> {
  const isWhole = update.length <= SLICE_BYTES
  if (!isWhole) yield* updateMessages(update)
  yield { type: 'sync-step-2', update: isWhole ? update : EMPTY_UPDATE }
}

/** An update in slices that a slow line can carry one by one. */
export function* updateMessages(update: Uint8Array): Generator<ServerMessage> {
  for (const slice of slices(update)) yield { type: 'update', update: slice }
}

/** Who is here, or is not any more. */
export function awarenessMessages(entries: readonly AwarenessEntry[]): ServerMessage[] {
  return encodeAwareness(entries).map((body) => ({ type: 'awareness', body }))
}
