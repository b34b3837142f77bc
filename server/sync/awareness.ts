/**
 * Who is in a room: the awareness states of its connections (SYNC-5).
 *
 *   awareness := varuint n, n × (varuint clientId, varuint clock, varstring JSON)
 *
 * A state is a JSON object, or `null` for somebody who left. A peer takes an entry whose clock is newer than
 * the one it knows, and a `null` on the same clock. The stock protocol lets anyone speak for anyone; here an id
 * belongs to the connection that announced it, and entries for other ids are ignored: honest clients echo them.
 *
 * Clocks that are told are Parley's own: those of the connection as long as these are newer than what was told of
 * the id before. So whoever comes after somebody who used the id with a huge clock is seen all the same.
 */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import type { PrincipalId } from '../foundation/ids.ts'
import { FORBIDDEN_KEY } from '../documents/admission/updateReader.ts'

/** A state past this is not taken: cursors and names are some hundred bytes, and every state goes to everyone. */
export const MAX_STATE_BYTES = 16 * 1024
/** Our own messages stay below this, and clients echo at most what we sent. */
const MESSAGE_BYTES = 128 * 1024
/** So one frame cannot hold more than some thousand states. */
const MAX_MESSAGE_BYTES = 1024 * 1024
/** A stock client's clock grows by one with each cursor movement and each 15 s. */
const MAX_CLOCK = 2 ** 31 - 1
/** What is told of an id begins at most here, so that clocks that clients echo stay below MAX_CLOCK. */
const MAX_FIRST_TOLD = 2 ** 30
/** A stock client tells of itself anew every 15 s, and drops whom it has not heard of for so long. */
const OUTDATED_MS = 30_000
/** A list of more people than this is worth no question: reading it costs the server more than a page's deletes do. */
const MAX_LISTED = 50
/** What an entry takes besides its state. */
const ENTRY_BYTES = 12
/** Ids remembered after their connection ended, so that late echoes cannot bring them back. */
const MAX_DEPARTED = 1024

export interface AwarenessEntry {
  readonly client: number
  readonly clock: number
  /** JSON text as it came; `'null'` for somebody who left. */
  readonly state: string
}

const LEFT = 'null'

/** A connection as awareness knows it; identity is what counts. */
export interface AwarenessMember {
  readonly principal: PrincipalId
  /** Who only reads gives way to whoever writes under the id. */
  readonly mayWrite: boolean
  /** Whether it has answered our SyncStep1. What it announces before that it cannot have heard from us. */
  readonly hasAnswered: boolean
}

interface KnownState extends AwarenessEntry {
  readonly member: AwarenessMember
  /** The newest clock that was told of the id. */
  readonly told: number
  /** When it was told last. */
  readonly atMs: number
}

/** What is kept of a presence whose connection ended. */
interface Departed {
  readonly told: number
  readonly by: Pick<AwarenessMember, 'principal' | 'mayWrite'>
}

/** Null unless every entry is well formed: one bad entry refuses all. */
export function decodeAwareness(body: Uint8Array): readonly AwarenessEntry[] | null {
  if (body.length > MAX_MESSAGE_BYTES) return null
  const decoder = decoding.createDecoder(body)
  const entries: AwarenessEntry[] = []
  try {
    const count = decoding.readVarUint(decoder)
    for (let i = 0; i < count; i++) {
      const client = decoding.readVarUint(decoder)
      const clock = decoding.readVarUint(decoder)
      const state = decoding.readVarString(decoder)
      if (!Number.isSafeInteger(client) || clock > MAX_CLOCK || !isState(state)) return null
      entries.push({ client, clock, state })
    }
  } catch {
    return null
  }
  return decoding.hasContent(decoder) ? null : entries
}

function isState(text: string): boolean {
  if (!text.includes(FORBIDDEN_KEY) && !text.includes('\\')) return isObjectOrNull(JSON.parse(text))
  // Only then may a key be it, in letters or escaped; to look at each takes three times as long.
  let hasForbiddenKey = false
  const state: unknown = JSON.parse(text, (key, value: unknown) => {
    hasForbiddenKey ||= key === FORBIDDEN_KEY
    return value
  })
  return isObjectOrNull(state) && !hasForbiddenKey
}

const isObjectOrNull = (state: unknown): boolean => typeof state === 'object' && !Array.isArray(state)

/** Awareness bodies that hold entries as `encodeEntry` made them, each of at most some 128 KiB. */
export function awarenessBodies(entries: readonly Uint8Array[]): Uint8Array[] {
  const bodies: Uint8Array[] = []
  let batch: Uint8Array[] = []
  let batchBytes = 0
  for (const entry of entries) {
    if (batch.length > 0 && batchBytes + entry.length > MESSAGE_BYTES) {
      bodies.push(bodyOf(batch))
      batch = []
      batchBytes = 0
    }
    batch.push(entry)
    batchBytes += entry.length
  }
  if (batch.length > 0) bodies.push(bodyOf(batch))
  return bodies
}

const bodyOf = (entries: readonly Uint8Array[]): Uint8Array => new JoinedEntries(entries).body()

/** Entries as `encodeEntry` made them, side by side: a body without some of them is a copy of what lies between. */
export class JoinedEntries {
  readonly #bytes: Uint8Array
  /** Where each begins, and the last one ends. */
  readonly #starts: readonly number[]

  constructor(entries: readonly Uint8Array[]) {
    this.#bytes = Buffer.concat(entries)
    let end = 0
    this.#starts = [0, ...entries.map(({ length }) => (end += length))]
  }

  /** The body of all entries but those at these places, which are in order. */
  body(without: readonly number[] = []): Uint8Array {
    const encoder = encoding.createEncoder()
    encoding.writeVarUint(encoder, this.#starts.length - 1 - without.length)
    const parts: Uint8Array[] = [encoding.toUint8Array(encoder)]
    let start = 0
    for (const place of without) {
      parts.push(this.#bytes.subarray(start, this.#starts[place]))
      start = this.#starts[place + 1] ?? start
    }
    return Buffer.concat([...parts, this.#bytes.subarray(start)])
  }
}

/** One entry, as it stands in bodies. */
export function encodeEntry({ client, clock, state }: AwarenessEntry): Uint8Array {
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, client)
  encoding.writeVarUint(encoder, clock)
  encoding.writeVarString(encoder, state)
  return encoding.toUint8Array(encoder)
}

/** The awareness of one room. A connection has at most one id: a stock client announces its own at once. */
export class Awareness {
  readonly #present = new Map<number, KnownState>()
  /** Oldest first. */
  readonly #departed = new Map<number, Departed>()
  readonly #ids = new Map<AwarenessMember, number>()
  readonly #said = new WeakMap<AwarenessMember, number>()
  /** The id of each connection, also once it has left: what it brought may go in later. */
  readonly #announced = new WeakMap<AwarenessMember, number>()
  readonly #ownerOf: (client: number) => PrincipalId | null

  /** `ownerOf`: who wrote the first struct of a Yjs client id; null where nobody has, or it is not known. */
  constructor(ownerOf: (client: number) => PrincipalId | null = () => null) {
    this.#ownerOf = ownerOf
  }

  /** The states of everyone present, without one's own. */
  states(except: AwarenessMember): readonly AwarenessEntry[] {
    const shown = [...this.#present.values()].filter((one) => one.member !== except && one.state !== LEFT)
    return shown.map(asTold)
  }

  /** Whether the connection has announced an id of its own, be it gone or not. */
  hasId(member: AwarenessMember): boolean {
    return this.#announced.has(member)
  }

  /** About how long a list of everybody is that the connection sends; null where that cannot be told from other news. */
  listBytes(member: AwarenessMember): number | null {
    if (!this.#ids.has(member) || this.#present.size > MAX_LISTED) return null
    const shown = [...this.#present.values()].filter(({ state }) => state !== LEFT)
    if (!shown.some((one) => one.member !== member)) return null
    return shown.reduce((sum, { state }) => sum + Buffer.byteLength(state) + ENTRY_BYTES, 0)
  }

  /**
   * Whether these are all states that the client knows of, as it answers a query: its own stands beside others'. What it
   * tells unasked is its own alone, or an echo of others', which never holds its own, because that is sent to it by nobody.
   */
  isList(member: AwarenessMember, entries: readonly AwarenessEntry[]): boolean {
    const own = this.#ids.get(member)
    return entries.length > 1 && entries.some(({ client }) => client === own)
  }

  /**
   * Whether the connection says of itself that it writes under the id. What it announces first, before it has answered
   * our SyncStep1, it cannot have heard from us, also where the id is another's still.
   */
  says(member: AwarenessMember, client: number): boolean {
    return this.#announced.get(member) === client || this.#said.get(member) === client
  }

  /** The id that the connection said first that it writes under. */
  saidBy(member: AwarenessMember): number | null {
    return this.#said.get(member) ?? null
  }

  /** What is said under the id; null where nobody does. */
  stateOf(client: number): string | null {
    return this.#present.get(client)?.state ?? null
  }

  /** Takes what the connection may say; answers what the others are to be told, which may be nothing. */
  announce(member: AwarenessMember, entries: readonly AwarenessEntry[], nowMs: number): readonly AwarenessEntry[] {
    const [first] = entries
    if (first && entries.length === 1 && !member.hasAnswered && !this.#said.has(member)) {
      this.#said.set(member, first.client)
    }
    return entries.flatMap((entry) => {
      const presence = this.#take(member, entry, nowMs)
      return presence ? [asTold(presence)] : []
    })
  }

  /** When the oldest state is outdated; null where there is none. */
  get outdatesAtMs(): number | null {
    let oldest: number | null = null
    for (const { state, atMs } of this.#present.values()) {
      if (state !== LEFT && (oldest === null || atMs < oldest)) oldest = atMs
    }
    return oldest === null ? null : oldest + OUTDATED_MS
  }

  /** Drops whom nothing was heard of for too long; answers what the others are to be told. A newer state brings them back. */
  dropOutdated(nowMs: number): readonly { readonly entry: AwarenessEntry; readonly owner: AwarenessMember }[] {
    const outdated = [...this.#present.values()].filter((one) => one.state !== LEFT && nowMs - one.atMs >= OUTDATED_MS)
    return outdated.map((one) => {
      const left = { ...one, state: LEFT }
      this.#present.set(one.client, left)
      return { entry: asTold(left), owner: one.member }
    })
  }

  /** Ends the connection's presence; answers what the others are to be told. */
  leave(member: AwarenessMember): readonly AwarenessEntry[] {
    const client = this.#ids.get(member)
    this.#ids.delete(member)
    const presence = client === undefined ? undefined : this.#present.get(client)
    if (presence?.member !== member) return []
    this.#present.delete(presence.client)
    this.#rememberDeparted(presence)
    return presence.state === LEFT ? [] : [asTold({ ...presence, state: LEFT })]
  }

  /** What is known of the id from now on; null where nothing of it changes. */
  #take(member: AwarenessMember, entry: AwarenessEntry, nowMs: number): KnownState | null {
    if (Buffer.byteLength(entry.state) > MAX_STATE_BYTES) return null
    const known = this.#present.get(entry.client)
    const presence =
      known?.member === member ? updated(known, entry, nowMs) : this.#introduced(member, entry, known, nowMs)
    if (presence) this.#present.set(entry.client, presence)
    return presence
  }

  #introduced(
    member: AwarenessMember,
    entry: AwarenessEntry,
    present: KnownState | undefined,
    nowMs: number,
  ): KnownState | null {
    const last = present ?? this.#departed.get(entry.client)
    if (!this.#mayIntroduce(member, entry, present)) return null
    this.#departed.delete(entry.client)
    this.#ids.set(member, entry.client)
    this.#announced.set(member, entry.client)
    // Others take another state on a newer clock only.
    const least = last === undefined ? 0 : last.told + (present?.state === entry.state ? 0 : 1)
    return { ...entry, member, atMs: nowMs, told: Math.max(least, Math.min(entry.clock, MAX_FIRST_TOLD)) }
  }

  /**
   * Whether the connection may make this id its own. An id under which somebody has written is theirs, unless the page says
   * first of all that it goes on under it. An echo of what we told it must not: it has no newer clock than we told, and it
   * comes after the connection's answer to our SyncStep1, because clients answer in order.
   */
  #mayIntroduce(member: AwarenessMember, entry: AwarenessEntry, present: KnownState | undefined): boolean {
    if (entry.state === LEFT || this.#ids.has(member)) return false
    const owner = this.#ownerOf(entry.client)
    if (owner !== null && owner !== member.principal && this.#said.get(member) !== entry.client) return false
    const last = present ? { told: present.told, by: present.member } : this.#departed.get(entry.client)
    if (!last) return true
    const isOwn = owner === member.principal || last.by.principal === member.principal
    const hasTheId = isOwn || (member.mayWrite && !last.by.mayWrite)
    if (hasTheId && !member.hasAnswered) return true
    return entry.clock > last.told && (hasTheId || (present === undefined && member.mayWrite))
  }

  #rememberDeparted({ client, told, member }: KnownState): void {
    this.#departed.delete(client)
    this.#departed.set(client, { told, by: member })
    const [oldest] = this.#departed.keys()
    if (this.#departed.size > MAX_DEPARTED && oldest !== undefined) this.#departed.delete(oldest)
  }
}

/** What the connection that has the id says anew; null for what is not newer. */
function updated(known: KnownState, entry: AwarenessEntry, nowMs: number): KnownState | null {
  const leaves = entry.state === LEFT && known.state !== LEFT
  if (entry.clock < known.clock || (entry.clock === known.clock && !leaves)) return null
  const told =
    entry.clock === known.clock ? known.told : Math.max(known.told + 1, Math.min(entry.clock, MAX_FIRST_TOLD))
  return { ...entry, member: known.member, told, atMs: nowMs }
}

const asTold = ({ client, told, state }: KnownState): AwarenessEntry => ({ client, clock: told, state })
