import * as Y from 'yjs'
import type { EntryMessage } from './broadcast.ts'
import type { ServerMessage } from './messages.ts'
import type { StateVector } from '../model/clockSet.ts'

/**
 * Bytes given to the line before it has taken them. Enough to keep a fast line busy; what waits beyond stays
 * here, where it can be counted and dropped.
 */
const WINDOW_BYTES = 1024 * 1024
/** Entries that wait for one client, for each costs something besides its bytes. */
const MAX_WAITING_ENTRIES = 4_096

/** The way to one client, in its protocol. */
export interface MemberLine {
  /** The bytes of a message; the same object for the same message, where many sessions get it. */
  frameOf(message: ServerMessage): Uint8Array
  /** `taken` is called once the network took the frame, or never will. */
  write(frame: Uint8Array, taken: () => void): void
}

/** What is made when its turn to be sent comes. */
export interface QueuedAnswer {
  readonly messages: Iterable<ServerMessage>
  /** Resolves once what the messages show is on disk. */
  readonly ready: Promise<void>
  /** Called when the last message was given to the line. */
  readonly sent: () => void
}

/** Makes anew what was dropped for a client whose line is slow, as it is by then. */
export interface Again {
  /** What it lacks of the document: at least everything from these clocks on, and all deletes. */
  entries(lacking: StateVector): QueuedAnswer
  /** Everything that goes aside. */
  aside(): readonly ServerMessage[]
}

interface Sending {
  readonly messages: Iterator<ServerMessage>
  readonly sent: () => void
  isReady: boolean
}

type WaitingItem =
  | { readonly frame: Uint8Array }
  | { readonly frame: Uint8Array; readonly entry: EntryMessage }
  | { readonly sending: Sending }
  /** In place of entries that were dropped, which begin at these clocks. */
  | { readonly lacking: Map<number, number> }

/**
 * What one session is still to be sent. What concerns the document goes in order: an answer may be large and
 * waits until what it shows is on disk, and later entries wait behind it. Everything else (who is here, signs
 * of life) waits for no answer; the two take turns. A slow line costs a bounded memory, and its session goes on: past
 * the bound what waits is dropped, and made anew as one difference when the line has room for it.
 */
export class Outbox {
  readonly #line: MemberLine
  readonly #limitBytes: number
  readonly #again: Again
  #inOrder: WaitingItem[] = []
  #entries = { count: 0, bytes: 0 }
  #lacking: Map<number, number> | null = null
  #aside: Uint8Array[] = []
  #asideBytes = 0
  #lacksAside = false
  #isAsidesTurn = true
  #inFlightBytes = 0
  #isPumping = false
  #isStopped = false

  /** `limitBytes`: of entries that wait, and of what waits besides. */
  constructor(line: MemberLine, limitBytes: number, again: Again) {
    this.#line = line
    this.#limitBytes = limitBytes
    this.#again = again
  }

  /** Whether something waits for a line that has taken all it may be given at a time. */
  get isBlocked(): boolean {
    return this.#inFlightBytes >= WINDOW_BYTES && (this.#inOrder.length > 0 || this.#aside.length > 0)
  }

  /** Sends a message after everything that was pushed in order before it. */
  push(message: ServerMessage): void {
    if (this.#isStopped) return
    this.#inOrder.push({ frame: this.#line.frameOf(message) })
    this.#pump()
  }

  /** Sends what an entry brings, likewise; of a slow line it may come with later ones as one difference. */
  pushEntry(entry: EntryMessage): void {
    if (this.#isStopped) return
    if (this.#lacking) return lower(this.#lacking, entry)
    const frame = this.#line.frameOf(entry)
    this.#inOrder.push({ frame, entry })
    this.#count(frame, 1)
    this.#pump()
    if (this.#entries.bytes > this.#limitBytes || this.#entries.count > MAX_WAITING_ENTRIES) this.#dropEntries()
  }

  /** Sends a message that has nothing to do with the document as soon as the line is free. */
  pushAside(message: ServerMessage): void {
    if (this.#isStopped || this.#lacksAside) return
    const frame = this.#line.frameOf(message)
    this.#aside.push(frame)
    this.#asideBytes += frame.length
    this.#pump()
    if (this.#asideBytes <= this.#limitBytes) return
    this.#aside = []
    this.#asideBytes = 0
    this.#lacksAside = true
  }

  /** Sends the messages once they are ready, after everything that was pushed in order before. */
  pushAnswer(answer: QueuedAnswer): void {
    if (!this.#isStopped) this.#inOrder.push({ sending: this.#begin(answer) })
  }

  /** Drops what waits; nothing is sent any more. */
  stop(): void {
    this.#isStopped = true
    this.#inOrder = []
    this.#aside = []
    this.#lacksAside = false
  }

  #begin({ messages, ready, sent }: QueuedAnswer): Sending {
    const sending: Sending = { messages: messages[Symbol.iterator](), sent, isReady: false }
    const isReady = (): void => {
      sending.isReady = true
      this.#pump()
    }
    // A rejection means that the replica has ended, and with it the session.
    ready.then(isReady, () => undefined)
    return sending
  }

  /** What the first of them begins with takes the place of all entries that wait. */
  #dropEntries(): void {
    const lacking = new Map<number, number>()
    const kept: WaitingItem[] = []
    for (const one of this.#inOrder) {
      if (!('entry' in one)) kept.push(one)
      else {
        if (this.#lacking === null) kept.push({ lacking })
        this.#lacking = lacking
        lower(lacking, one.entry)
      }
    }
    this.#inOrder = kept
    this.#entries = { count: 0, bytes: 0 }
  }

  #count({ length }: Uint8Array, by: 1 | -1): void {
    this.#entries.count += by
    this.#entries.bytes += by * length
  }

  #pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    while (this.#inFlightBytes < WINDOW_BYTES && this.#sendNext());
    this.#isPumping = false
  }

  /** Whether there was something to be done. */
  #sendNext(): boolean {
    if (this.#isAsidesTurn) return this.#sendAside() || this.#sendInOrder()
    return this.#sendInOrder() || this.#sendAside()
  }

  #sendAside(): boolean {
    if (this.#lacksAside && this.#inFlightBytes === 0) {
      this.#lacksAside = false
      for (const message of this.#again.aside()) this.pushAside(message)
    }
    const frame = this.#aside.shift()
    if (!frame) return false
    this.#isAsidesTurn = false
    this.#asideBytes -= frame.length
    this.#write(frame)
    return true
  }

  /** Whether there was something to send, or an answer to begin or end. */
  #sendInOrder(): boolean {
    const [next] = this.#inOrder
    if (!next) return false
    this.#isAsidesTurn = true
    if ('sending' in next) return this.#send(next.sending)
    if ('lacking' in next) {
      this.#lacking = null
      this.#inOrder[0] = { sending: this.#begin(this.#again.entries(next.lacking)) }
      return true
    }
    this.#inOrder.shift()
    if ('entry' in next) this.#count(next.frame, -1)
    this.#write(next.frame)
    return true
  }

  #send({ messages, sent, isReady }: Sending): boolean {
    if (!isReady) return false
    const next = messages.next()
    if (next.done !== true) this.#write(this.#line.frameOf(next.value))
    else {
      this.#inOrder.shift()
      sent()
    }
    return true
  }

  #write(frame: Uint8Array): void {
    this.#inFlightBytes += frame.length
    this.#line.write(frame, () => {
      this.#inFlightBytes -= frame.length
      this.#pump()
    })
  }
}

/** Takes in where an entry begins. */
function lower(lacking: Map<number, number>, entry: EntryMessage): void {
  for (const [client, clock] of beginningOf(entry)) {
    lacking.set(client, Math.min(clock, lacking.get(client) ?? Number.POSITIVE_INFINITY))
  }
}

const beginnings = new WeakMap<EntryMessage, ReadonlyMap<number, number>>()

/** The first clock of each client in an entry; read once, however many sessions it waits for. */
function beginningOf(entry: EntryMessage): ReadonlyMap<number, number> {
  const known = beginnings.get(entry)
  if (known) return known
  const beginning = Y.parseUpdateMeta(entry.update).from
  beginnings.set(entry, beginning)
  return beginning
}
