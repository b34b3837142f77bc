import type { CommittedUpdate } from '../documents/replica.ts'
import type { Environment } from '../foundation/environment.ts'
import type { Version } from '../foundation/ids.ts'
import { joinUpdates } from '../documents/joinUpdates.ts'
import type { ServerMessage } from './messages.ts'
import { Pace } from './pace.ts'
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

/** What all of a room are told, at its pace: what is committed, and what there is besides. */
export class Broadcast {
  readonly #pace: Pace
  #entries: CommittedUpdate[] = []

  /** Entries first, because cursors stand in what these bring. */
  constructor(
    environment: Environment,
    show: (shown: ShownEntries) => void,
    tellBesides: () => void = () => undefined,
  ) {
    this.#pace = new Pace(environment, () => {
      for (const shown of this.#take()) show(shown)
      tellBesides()
    })
  }

  add(entry: CommittedUpdate): void {
    this.#entries.push(entry)
    this.soon()
  }

  /** There is something to tell besides. */
  soon(): void {
    this.#pace.soon()
  }

  /** Tells at once what has come. */
  now(): void {
    this.#pace.now()
  }

  #take(): ShownEntries[] {
    const entries = this.#entries
    this.#entries = []
    return groups(entries).map(showing)
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
