import * as Y from 'yjs'
import { describe, expect, it } from 'vitest'
import {
  assertDecodersStopAtTheEnd,
  decodeMessage,
  decodeStateVector,
  encodeMessage,
} from '../../server/sync/yProtocol.ts'
import type { ServerMessage } from '../../server/sync/messages.ts'
import { MAX_CLIENT_IDS } from '../../server/documents/admission/admission.ts'
import { frames, fromHex, readFrame } from '../support/rawClient.ts'
import { sharedFrame } from '../../server/sync/sharedFrame.ts'

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

describe('decodeMessage', () => {
  it.each([
    ['SyncStep1 of an empty document', [0, 0, 1, 0], { type: 'sync-step-1', stateVector: new Map() }],
    ['SyncStep1', [0, 0, 3, 1, 7, 9], { type: 'sync-step-1', stateVector: new Map([[7, 9]]) }],
    ['SyncStep2', [0, 1, 2, 0, 0], { type: 'sync-step-2', update: bytes(0, 0) }],
    ['Update', [0, 2, 2, 0, 0], { type: 'update', update: bytes(0, 0) }],
    ['Awareness', [1, 1, 0], { type: 'awareness', body: bytes(0) }],
    ['QueryAwareness', [3], { type: 'query-awareness' }],
  ])('[SYNC-1] reads %s', (_name, frame, message) => {
    expect(decodeMessage(bytes(...frame))).toEqual(message)
  })

  it.each([
    ['an empty frame', []],
    ['an unknown type', [4]],
    ['Auth, which only the server sends', [2, 0, 0]],
    ['an unknown sync step', [0, 3, 0]],
    ['a sync message without a step', [0]],
    ['a length past the end', [0, 2, 5, 0, 0]],
    ['a length that is no safe integer', [0, 2, 255, 255, 255, 255, 255, 255, 255, 255, 127]],
    ['a type that never ends', [255, 255, 255]],
    ['bytes after the message', [1, 1, 0, 0]],
    ['bytes after QueryAwareness', [3, 0]],
    ['two messages in a frame', [0, 0, 1, 0, 0, 0, 1, 0]],
    ['a state vector that ends early', [0, 0, 2, 1, 7]],
    ['a state vector with more bytes than it says', [0, 0, 2, 0, 0]],
    ['a state vector with one client twice', [0, 0, 5, 2, 7, 1, 7, 1]],
    ['a state vector that says it has 2^27 clients', [0, 0, 4, 255, 255, 255, 63]],
  ])('[SYNC-6] refuses %s', (_name, frame) => {
    expect(decodeMessage(bytes(...frame))).toMatchObject({ type: 'malformed' })
  })

  it('[SYNC-6] takes a state vector of as many clients as a document may have; a larger one only waits', () => {
    const clients = new Map(Array.from({ length: MAX_CLIENT_IDS }, (_, i) => [4_000_000_000 + i, 2 ** 31 - 1]))
    expect(decodeStateVector(Y.encodeStateVector(clients))?.size).toBe(MAX_CLIENT_IDS)
    const tooLarge = frames.syncStep1(new Uint8Array(MAX_CLIENT_IDS * 16 + 1))
    expect(decodeMessage(tooLarge)).toMatchObject({ type: 'malformed', code: 'overloaded' })
    expect(decodeMessage(bytes(9))).toMatchObject({ type: 'malformed', code: 'invalid-request' })
  })
})

describe('encodeMessage', () => {
  const messages: ServerMessage[] = [
    { type: 'sync-step-1', stateVector: bytes(0) },
    { type: 'sync-step-2', update: bytes(0, 0) },
    { type: 'update', update: bytes(0, 0) },
    { type: 'awareness', body: bytes(0) },
    { type: 'permission-denied', reason: 'Nö' },
  ]

  it('[SYNC-1] writes what a client reads', () => {
    expect(messages.map((message) => [...encodeMessage(message)])).toEqual([
      [0, 0, 1, 0],
      [0, 1, 2, 0, 0],
      [0, 2, 2, 0, 0],
      [1, 1, 0],
      [2, 0, 3, 0x4e, 0xc3, 0xb6],
    ])
    expect(messages.map((message) => readFrame(encodeMessage(message)).type)).toEqual([
      'sync-step-1',
      'sync-step-2',
      'update',
      'awareness',
      'denied',
    ])
  })

  it('encodes a message that goes to many once', () => {
    const [message, other] = [messages[2], messages[3]]
    if (!message || !other) throw new Error('there are messages')
    expect(sharedFrame(message)).toBe(sharedFrame(message))
    expect(sharedFrame(message)).not.toBe(sharedFrame(other))
  })
})

describe('lib0', () => {
  it('[SYNC-6] does not read past the end of a frame', () => {
    expect(assertDecodersStopAtTheEnd).not.toThrow()
    const secret = Buffer.from('ANOTHER USERS PRIVATE TEXT')
    const pool = Buffer.concat([fromHex('0101050004010174c801'), secret, Buffer.alloc(200)])
    expect(() => Y.decodeUpdate(pool.subarray(0, 10))).toThrow()
  })
})
