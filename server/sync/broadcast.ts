import type { CommittedUpdate } from '../documents/replica.ts'
import type { Environment } from '../foundation/environment.ts'
import type { Version } from '../foundation/ids.ts'
import { joinUpdates } from '../documents/joinUpdates.ts'
import { yieldTurn } from '../foundation/turns.ts'
import type { ServerMessage } from './messages.ts'
import { slices } from './slices.ts'

/** Entries joined to one message: some 4 ms of work … */
const JOINED_ENTRIES = 256
/** … and of what is larger than this, joining costs more than a write to each socket saves. */
const JOINED_BYTES = 16 * 1024

export type EntryMessage = Extract<ServerMessage, { readonly type: 'update' }>

/** Committed entries that go out together, and the messages that bring them. */
export interface ShownEntries {
  readonly entries: readonly CommittedUpdate[]
  readonly messages: readonly EntryMessage[]
}

/** Of the time of the process, a room takes at most one part of so many for showing what is committed … */
const SHARE = 8
/** … as long as nobody waits for more than this, which a person does not see … */
const MAX_GATHERING_MS = 50
/** … nor for less than this, which is a room of some seventy: in a smaller one a keystroke goes on at once. */
const MIN_GATHERING_MS = 5

/**
 * What is committed goes out together: encoded once, and written once to each socket, which is what costs in a crowd. An
 * entry that is alone does not wait for others; where there are many readers, the next ones are gathered for seven times as
 * long as it took to show the last ones.
 */
export class Broadcast {
  readonly #environment: Environment
  readonly #show: (shown: ShownEntries) => void
  #entries: CommittedUpdate[] = []
  /** When the next ones may go out, by the monotonic clock. */
  #nextMs = Number.NEGATIVE_INFINITY

  constructor(environment: Environment, show: (shown: ShownEntries) => void) {
    this.#environment = environment
    this.#show = show
  }

  add(entry: CommittedUpdate): void {
    this.#entries.push(entry)
    if (this.#entries.length > 1) return
    const waitMs = this.#nextMs - this.#environment.monotonicMs()
    if (waitMs >= MIN_GATHERING_MS) this.#environment.after(waitMs, () => this.now())
    else void yieldTurn().then(() => this.now())
  }

  /** Shows at once what has come. */
  now(): void {
    const entries = this.#entries
    this.#entries = []
    const startMs = this.#environment.monotonicMs()
    for (const group of groups(entries)) this.#show(showing(group))
    const endMs = this.#environment.monotonicMs()
    this.#nextMs = endMs + Math.min((SHARE - 1) * (endMs - startMs), MAX_GATHERING_MS)
  }
}

/** These entries, as one. */
function showing(entries: readonly CommittedUpdate[]): ShownEntries {
  const update = joinUpdates(entries.map((entry) => entry.update))
  return { entries, messages: [...slices(update)].map((slice) => ({ type: 'update', update: slice })) }
}

/** Those of the versions: a lock keeps some from a session, and the answer to its question holds others. */
export function partOf(shown: ShownEntries, versions: readonly Version[]): ShownEntries {
  if (versions.length === shown.entries.length) return shown
  return showing(shown.entries.filter(({ version }) => versions.includes(version)))
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
