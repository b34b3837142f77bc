import type { CommittedUpdate } from '../documents/replica.ts'
import { joinUpdates } from '../documents/joinUpdates.ts'
import { yieldTurn } from '../foundation/turns.ts'
import type { ServerMessage } from './messages.ts'
import { slices } from './slices.ts'

/** Entries joined to one message: some 1 ms of work … */
const JOINED_ENTRIES = 64
/** … and of what is larger than this, joining costs more than a write to each socket saves. */
const JOINED_BYTES = 16 * 1024

export type EntryMessage = Extract<ServerMessage, { readonly type: 'update' }>

/** Committed entries that go out together, and the messages that bring them. */
export interface ShownEntries {
  readonly entries: readonly CommittedUpdate[]
  readonly messages: readonly EntryMessage[]
}

/**
 * What is committed in one turn of the event loop goes out together: encoded once, and written once to each socket, which is
 * what costs in a crowd. An entry that is alone does not wait for others.
 */
export class Broadcast {
  readonly #show: (shown: ShownEntries) => void
  #entries: CommittedUpdate[] = []

  constructor(show: (shown: ShownEntries) => void) {
    this.#show = show
  }

  add(entry: CommittedUpdate): void {
    this.#entries.push(entry)
    if (this.#entries.length === 1) void yieldTurn().then(() => this.now())
  }

  /** Shows at once what has come. */
  now(): void {
    const entries = this.#entries
    this.#entries = []
    for (const group of groups(entries)) this.#show(showing(group))
  }
}

/** These entries, as one. */
export function showing(entries: readonly CommittedUpdate[]): ShownEntries {
  const update = joinUpdates(entries.map((entry) => entry.update))
  return { entries, messages: [...slices(update)].map((slice) => ({ type: 'update', update: slice })) }
}

function groups(entries: readonly CommittedUpdate[]): CommittedUpdate[][] {
  const found: CommittedUpdate[][] = []
  let group: CommittedUpdate[] = []
  let bytes = 0
  for (const entry of entries) {
    if (group.length === 0 || group.length === JOINED_ENTRIES || bytes + entry.update.length > JOINED_BYTES) {
      group = []
      bytes = 0
      found.push(group)
    }
    group.push(entry)
    bytes += entry.update.length
  }
  return found
}
