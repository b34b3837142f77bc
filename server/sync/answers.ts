import * as Y from 'yjs'
import { answerMessages, updateMessages } from './messages.ts'
import type { LiveReplica } from './liveReplica.ts'
import type { QueuedAnswer } from './outbox.ts'
import type { ServerMessage } from './messages.ts'
import type { StateVector } from '../model/clockSet.ts'
import { Remembered } from './remembered.ts'

/** What the sessions of one document are answered and asked, made once however many it goes to. */
export class Answers {
  readonly #replica: LiveReplica
  /** The last answer to an empty state vector: what everybody gets who opens the document anew. */
  #full: { readonly version: number; readonly messages: Iterable<ServerMessage> } | null = null
  #question: { readonly version: number; readonly message: ServerMessage } | null = null

  constructor(replica: LiveReplica) {
    this.#replica = replica
  }

  /** What a session lacks that asked with this state vector. `sent` is called when all of it was given to its line. */
  to(stateVector: StateVector, sent: () => void): QueuedAnswer {
    return { messages: this.#messages(stateVector), ready: this.#onDisk(), sent }
  }

  /** The same as updates, for a session that has not asked. */
  difference(stateVector: StateVector): QueuedAnswer {
    return { messages: updateMessages(this.#encode(stateVector)), ready: this.#onDisk(), sent: () => undefined }
  }

  /** What a session lacks for which entries were dropped that begin at these clocks. */
  since(lacking: StateVector): QueuedAnswer {
    const clocks = new Map(Y.decodeStateVector(Y.encodeStateVector(this.#replica.doc)))
    for (const [client, clock] of lacking) clocks.set(client, Math.min(clock, clocks.get(client) ?? 0))
    return this.difference(clocks)
  }

  /** Asks for all that a session has and the document lacks. */
  question(): ServerMessage {
    const { appliedVersion: version, doc } = this.#replica
    if (this.#question?.version !== version) {
      this.#question = { version, message: { type: 'sync-step-1', stateVector: Y.encodeStateVector(doc) } }
    }
    return this.#question.message
  }

  #messages(stateVector: StateVector): Iterable<ServerMessage> {
    if (stateVector.size > 0) return answerMessages(this.#encode(stateVector))
    const version = this.#replica.appliedVersion
    if (this.#full?.version !== version) {
      this.#full = { version, messages: new Remembered(answerMessages(this.#encode(stateVector))) }
    }
    return this.#full.messages
  }

  #onDisk(): Promise<void> {
    return this.#replica.whenCommitted(this.#replica.appliedVersion)
  }

  #encode(stateVector: StateVector): Uint8Array {
    return Y.encodeStateAsUpdate(this.#replica.doc, Y.encodeStateVector(new Map(stateVector)))
  }
}
