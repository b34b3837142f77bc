/**
 * The y-websocket protocol, byte by byte. One message per binary WebSocket frame, nothing after it.
 *
 *   message   := varuint type, body
 *   varuint   := little-endian base 128, the high bit of a byte says that another follows
 *   varbytes  := varuint length, that many bytes
 *   varstring := varbytes of UTF-8
 *
 *   type          body                                        client  server
 *   0 sync        0 SyncStep1  varbytes stateVector             yes     yes    what the sender has; asks for the rest
 *   0 sync        1 SyncStep2  varbytes update                  yes     yes    the rest; makes a client "synced"
 *   0 sync        2 Update     varbytes update                  yes     yes    one change, or a slice of a large answer
 *   1 awareness   varbytes awareness                            yes     yes    who is here, cursors
 *   2 auth        0 PermissionDenied varstring reason            no     yes    followed by a close some seconds later
 *   3 query       (empty)                                       yes     yes    asks for all awareness states
 *
 *   stateVector := varuint n, n × (varuint clientId, varuint clock)   clock: the next one expected of that client
 *   update      := a Yjs v1 update; documents/admission reads it
 *   awareness   := varuint n, n × (varuint clientId, varuint clock, varstring JSON); awareness.ts reads it
 *
 * `[0,0,1,0]` is SyncStep1 of an empty document, `[0,1,2,0,0]` an empty SyncStep2, `[1,1,0]` an empty awareness.
 * The server sends its SyncStep1 before anything else (WIRE), answers SyncStep1 with Updates and a SyncStep2,
 * asks later by a SyncStep1 or a query what the page has read (CONF-6), and sends no text frame and no type a stock client does not know. A session that may only read has its
 * SyncStep2 and Update ignored. What stands in no `yes` cell closes the connection with 4400.
 */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import * as Y from 'yjs'
import { MAX_CLIENT_IDS } from '../documents/admission/admission.ts'
import { assertNever, invariant } from '../foundation/assert.ts'
import type { StateVector } from '../model/clockSet.ts'
import type { ClientMessage, ServerMessage } from './messages.ts'

const SYNC = 0
const AWARENESS = 1
const AUTH = 2
const QUERY_AWARENESS = 3

const SYNC_STEP_1 = 0
const SYNC_STEP_2 = 1
const UPDATE = 2

const PERMISSION_DENIED = 0

/** A frame that is no message: `reason` is for the close frame and the log. */
export interface Malformed {
  readonly type: 'malformed'
  /** `overloaded`: nothing is wrong with it but its size. */
  readonly code: 'invalid-request' | 'overloaded'
  readonly reason: string
}

const malformed = (reason: string, code: Malformed['code'] = 'invalid-request'): Malformed => ({
  type: 'malformed',
  code,
  reason,
})

/** Larger ones are refused for now: as many ids as a document may have, with the largest ids and clocks, fit in. */
const STATE_VECTOR_MAX_BYTES = MAX_CLIENT_IDS * 16

/**
 * Reads one frame. The caller hands in bytes of its own (a copy of what the socket lent), for the
 * message keeps views of them.
 */
export function decodeMessage(frame: Uint8Array): ClientMessage | Malformed {
  const decoder = decoding.createDecoder(frame)
  try {
    const message = readMessage(decoder)
    return decoding.hasContent(decoder) ? malformed('bytes after the message') : message
  } catch {
    return malformed('the message ends too early')
  }
}

function readMessage(decoder: decoding.Decoder): ClientMessage | Malformed {
  const type = decoding.readVarUint(decoder)
  switch (type) {
    case SYNC:
      return readSync(decoder)
    case AWARENESS:
      return { type: 'awareness', body: decoding.readVarUint8Array(decoder) }
    case QUERY_AWARENESS:
      return { type: 'query-awareness' }
    default:
      return malformed(`unknown message type ${type}`)
  }
}

function readSync(decoder: decoding.Decoder): ClientMessage | Malformed {
  const step = decoding.readVarUint(decoder)
  const body = decoding.readVarUint8Array(decoder)
  switch (step) {
    case SYNC_STEP_1: {
      if (body.length > STATE_VECTOR_MAX_BYTES) return malformed('a state vector of too many clients', 'overloaded')
      const stateVector = decodeStateVector(body)
      return stateVector ? { type: 'sync-step-1', stateVector } : malformed('not a state vector')
    }
    case SYNC_STEP_2:
      return { type: 'sync-step-2', update: body }
    case UPDATE:
      return { type: 'update', update: body }
    default:
      return malformed(`unknown sync step ${step}`)
  }
}

/** Null when the bytes are not exactly one state vector with safe integers and no client twice. */
export function decodeStateVector(bytes: Uint8Array): StateVector | null {
  const decoder = decoding.createDecoder(bytes)
  const clocks = new Map<number, number>()
  try {
    const count = decoding.readVarUint(decoder)
    for (let i = 0; i < count; i++) {
      const client = decoding.readVarUint(decoder)
      const clock = decoding.readVarUint(decoder)
      if (!Number.isSafeInteger(client) || !Number.isSafeInteger(clock) || clocks.has(client)) return null
      clocks.set(client, clock)
    }
  } catch {
    return null
  }
  return decoding.hasContent(decoder) ? null : clocks
}

/** One frame of the y-websocket protocol. */
export function encodeMessage(message: ServerMessage): Uint8Array {
  const encoder = encoding.createEncoder()
  switch (message.type) {
    case 'sync-step-1':
      writeSync(encoder, SYNC_STEP_1, message.stateVector)
      break
    case 'sync-step-2':
      writeSync(encoder, SYNC_STEP_2, message.update)
      break
    case 'update':
      writeSync(encoder, UPDATE, message.update)
      break
    case 'awareness':
      encoding.writeVarUint(encoder, AWARENESS)
      encoding.writeVarUint8Array(encoder, message.body)
      break
    case 'query-awareness':
      encoding.writeVarUint(encoder, QUERY_AWARENESS)
      break
    case 'permission-denied':
      encoding.writeVarUint(encoder, AUTH)
      encoding.writeVarUint(encoder, PERMISSION_DENIED)
      encoding.writeVarString(encoder, message.reason)
      break
    default:
      assertNever(message)
  }
  return encoding.toUint8Array(encoder)
}

function writeSync(encoder: encoding.Encoder, step: number, body: Uint8Array): void {
  encoding.writeVarUint(encoder, SYNC)
  encoding.writeVarUint(encoder, step)
  encoding.writeVarUint8Array(encoder, body)
}

/**
 * Before lib0 0.2.118 a length prefix past the end of a frame read neighbouring memory into the document
 * (CVE-2026-102360). Yjs allows older ones, so an old lockfile could bring the hole back: try it at start.
 */
export function assertDecodersStopAtTheEnd(): void {
  const neighbour = new Uint8Array(256).fill(0x78)
  const stringLongerThanFrame = Uint8Array.of(1, 1, 5, 0, 4, 1, 1, 0x74, 200, 1)
  neighbour.set(stringLongerThanFrame)
  const frame = neighbour.subarray(0, stringLongerThanFrame.length)
  invariant(
    throws(() => Y.decodeUpdate(frame)),
    'Yjs must use lib0 0.2.118 or newer',
  )
  invariant(
    throws(() => decoding.readVarUint8Array(decoding.createDecoder(frame.subarray(8)))),
    'Parley must use lib0 0.2.118 or newer',
  )
}

function throws(attempt: () => unknown): boolean {
  try {
    attempt()
    return false
  } catch {
    return true
  }
}
