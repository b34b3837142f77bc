import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { WebSocket } from 'ws'
import * as Y from 'yjs'
import { eventually } from './waitFor.ts'

/** A frame of the server, read as far as tests look into it. */
export type ServerFrame =
  | { readonly type: 'sync-step-1'; readonly stateVector: Map<number, number> }
  | { readonly type: 'sync-step-2'; readonly update: Uint8Array }
  | { readonly type: 'update'; readonly update: Uint8Array }
  | { readonly type: 'awareness'; readonly entries: readonly AwarenessEntry[] }
  | { readonly type: 'query-awareness' }
  | { readonly type: 'denied'; readonly reason: string }

export interface AwarenessEntry {
  readonly client: number
  readonly clock: number
  readonly state: unknown
}

/** Frames of a client, written by hand so that tests can also write what no client would. */
export const frames = {
  syncStep1: (stateVector: Uint8Array = Uint8Array.of(0)) => frame([0, 0], stateVector),
  syncStep2: (update: Uint8Array) => frame([0, 1], update),
  update: (update: Uint8Array) => frame([0, 2], update),
  awareness: (body: Uint8Array) => frame([1], body),
  states: (entries: readonly AwarenessEntry[]) => frame([1], awarenessBody(entries)),
  queryAwareness: () => Uint8Array.of(3),
}

function frame(head: readonly number[], body: Uint8Array): Uint8Array {
  const encoder = encoding.createEncoder()
  for (const byte of head) encoding.writeVarUint(encoder, byte)
  encoding.writeVarUint8Array(encoder, body)
  return encoding.toUint8Array(encoder)
}

export function awarenessBody(entries: readonly AwarenessEntry[]): Uint8Array {
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, entries.length)
  for (const { client, clock, state } of entries) {
    encoding.writeVarUint(encoder, client)
    encoding.writeVarUint(encoder, clock)
    encoding.writeVarString(encoder, JSON.stringify(state))
  }
  return encoding.toUint8Array(encoder)
}

export const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'))

export function readFrame(bytes: Uint8Array): ServerFrame {
  const decoder = decoding.createDecoder(bytes)
  const read = readBody(decoder, decoding.readVarUint(decoder))
  if (decoding.hasContent(decoder)) throw new Error('the server sent bytes after a message')
  return read
}

function readBody(decoder: decoding.Decoder, type: number): ServerFrame {
  if (type === 0) {
    const step = decoding.readVarUint(decoder)
    const body = decoding.readVarUint8Array(decoder)
    if (step === 0) return { type: 'sync-step-1', stateVector: Y.decodeStateVector(body) }
    return { type: step === 1 ? 'sync-step-2' : 'update', update: body }
  }
  if (type === 1) return { type: 'awareness', entries: readAwareness(decoding.readVarUint8Array(decoder)) }
  if (type === 3) return { type: 'query-awareness' }
  if (type === 2 && decoding.readVarUint(decoder) === 0)
    return { type: 'denied', reason: decoding.readVarString(decoder) }
  throw new Error(`the server sent a message of type ${type}`)
}

export function readAwareness(body: Uint8Array): AwarenessEntry[] {
  const decoder = decoding.createDecoder(body)
  return Array.from({ length: decoding.readVarUint(decoder) }, () => ({
    client: decoding.readVarUint(decoder),
    clock: decoding.readVarUint(decoder),
    state: JSON.parse(decoding.readVarString(decoder)) as unknown,
  }))
}

/** A client that sends what it is told and keeps what it gets: for everything a stock client would never do. */
export class RawClient {
  readonly socket: WebSocket
  /** Whatever the server sent, oldest first. */
  readonly received: ServerFrame[] = []
  readonly opened: Promise<void>
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>
  isClosed = false
  /** Answers no questions. */
  isMute = false

  constructor(url: string, options: { protocols?: string[]; headers?: Record<string, string> } = {}) {
    this.socket = new WebSocket(url, options.protocols ?? [], { headers: options.headers ?? {} })
    this.socket.on('message', (data: Buffer) => {
      const frame = readFrame(Uint8Array.from(data))
      this.received.push(frame)
      // As every client does; what it has to bring, tests send themselves.
      if (frame.type === 'sync-step-1' && !this.isMute) this.send(frames.syncStep2(Uint8Array.of(0, 0)))
    })
    this.socket.on('error', () => undefined)
    this.opened = new Promise((resolve) => this.socket.once('open', () => resolve()))
    this.closed = new Promise((resolve) => {
      this.socket.once('close', (code, reason) => {
        this.isClosed = true
        resolve({ code, reason: reason.toString() })
      })
    })
  }

  send(bytes: Uint8Array | string): void {
    this.socket.send(bytes)
  }

  /** Waits until a frame of the type is there, the `n`-th one (counted from 1). */
  async frame<T extends ServerFrame['type']>(type: T, n = 1): Promise<Extract<ServerFrame, { type: T }>> {
    return eventually(() => {
      const found = this.of(type)[n - 1]
      if (!found) throw new Error(`no ${type} number ${n} among ${this.received.map((one) => one.type).join(', ')}`)
      return found
    })
  }

  of<T extends ServerFrame['type']>(type: T): Extract<ServerFrame, { type: T }>[] {
    return this.received.filter((one): one is Extract<ServerFrame, { type: T }> => one.type === type)
  }

  /** The document as the frames so far make it. */
  doc(): Y.Doc {
    const doc = new Y.Doc()
    for (const one of this.received) if ('update' in one) Y.applyUpdate(doc, one.update)
    return doc
  }

  get text(): string {
    return this.doc().getText('content').toString()
  }

  /** Asks for the document and waits for the answer. */
  async sync(): Promise<this> {
    await this.opened
    this.send(frames.syncStep1())
    await this.frame('sync-step-2')
    return this
  }

  close(): void {
    this.socket.terminate()
  }
}
