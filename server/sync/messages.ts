import { awarenessBodies } from './awareness.ts'
import type { StateVector } from '../model/clockSet.ts'
import { SLICE_BYTES, slices } from './slices.ts'

/** What a client may send, whatever protocol carried it. */
export type ClientMessage =
  | { readonly type: 'sync-step-1'; readonly stateVector: StateVector }
  | { readonly type: 'sync-step-2'; readonly update: Uint8Array }
  | { readonly type: 'update'; readonly update: Uint8Array }
  | { readonly type: 'awareness'; readonly body: Uint8Array }
  | { readonly type: 'query-awareness' }

/** What the server may send, whatever protocol carries it. */
export type ServerMessage =
  | { readonly type: 'sync-step-1'; readonly stateVector: Uint8Array }
  | { readonly type: 'sync-step-2'; readonly update: Uint8Array }
  | { readonly type: 'update'; readonly update: Uint8Array }
  | { readonly type: 'awareness'; readonly body: Uint8Array }
  | { readonly type: 'query-awareness' }
  | { readonly type: 'permission-denied'; readonly reason: string }

/** An update that changes nothing: no structs, no deletes. */
export const EMPTY_UPDATE = Uint8Array.of(0, 0)
/** An awareness that tells nothing: what keeps a stock client's 30 s watchdog content. */
export const EMPTY_AWARENESS = Uint8Array.of(0)

export const QUERY_AWARENESS_MESSAGE: ServerMessage = { type: 'query-awareness' }

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

/** Who is here, or is not any more: entries as `encodeEntry` made them. */
export function awarenessMessages(entries: readonly Uint8Array[]): ServerMessage[] {
  return awarenessBodies(entries).map((body) => ({ type: 'awareness', body }))
}
