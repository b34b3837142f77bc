import type { Environment, Timer } from '../foundation/environment.ts'
import type { PrincipalId } from '../foundation/ids.ts'
import {
  Awareness,
  decodeAwareness,
  encodeEntry,
  JoinedEntries,
  type AwarenessEntry,
  type AwarenessMember,
} from './awareness.ts'
import type { Member } from './member.ts'
import { awarenessMessages, EMPTY_AWARENESS, type ServerMessage } from './messages.ts'

/**
 * Told in one turn: some three hundred people with a name and a cursor. Everybody is sent as much, and each who told something
 * gets a copy without that: in a room of hundreds some 20 ms.
 */
const TOLD_BYTES = 64 * 1024

/** What a session said of who is here. */
interface Said {
  /** It lists everybody it knows of. */
  readonly isList: boolean
  /** The Yjs client ids that are its own. */
  readonly own: readonly number[]
  /** It says something else of itself than before. */
  readonly isNews: boolean
}

/** What is to be told of an id, and whom it came from. */
interface News {
  readonly entry: AwarenessEntry
  readonly from: AwarenessMember
}

/** Who is in a room, told to everyone in it (SYNC-5). */
export class People {
  readonly awareness: Awareness
  readonly #environment: Environment
  readonly #members: () => Iterable<Member>
  /** There is something to tell. */
  readonly #soon: () => void
  /** By id, the newest: a cursor may move several times meanwhile. */
  readonly #news = new Map<number, News>()
  /** When awareness states are next looked through; null while there is none. */
  #outdating: Timer | null = null

  constructor(
    environment: Environment,
    members: () => Iterable<Member>,
    ownerOf: (client: number) => PrincipalId | null,
    soon: () => void,
  ) {
    this.awareness = new Awareness(ownerOf)
    this.#environment = environment
    this.#members = members
    this.#soon = soon
  }

  /** Takes what a session says; the others are told soon. Null where it is malformed. */
  announce(member: Member, body: Uint8Array): Said | null {
    const entries = decodeAwareness(body)
    if (!entries) return null
    const isList = this.awareness.isList(member, entries)
    const before = new Map(entries.map(({ client }) => [client, this.awareness.stateOf(client)]))
    const told = this.awareness.announce(member, entries, this.#nowMs())
    this.#dropOutdatedLater()
    this.#spread(told, member)
    const isNews = told.some(({ client, state }) => before.get(client) !== state)
    return { isList, own: told.map(({ client }) => client), isNews }
  }

  /** Everybody but the session itself. */
  others(member: Member): ServerMessage[] {
    return awarenessMessages(this.awareness.states(member).map(encodeEntry))
  }

  /** Tells a session who is here, or that nobody is. */
  list(member: Member): void {
    const messages = this.others(member)
    if (messages.length === 0) messages.push({ type: 'awareness', body: EMPTY_AWARENESS })
    for (const message of messages) member.sendAside(message)
  }

  left(member: Member): void {
    this.#spread(this.awareness.leave(member), member)
  }

  stop(): void {
    this.#outdating?.cancel()
  }

  /** Who is not heard of for a while is shown to nobody any more, as stock clients do by themselves. */
  #dropOutdatedLater(): void {
    const dueMs = this.#outdating ? null : this.awareness.outdatesAtMs
    if (dueMs === null) return
    this.#outdating = this.#environment.after(Math.max(dueMs - this.#nowMs(), 0), () => {
      this.#outdating = null
      for (const { entry, owner } of this.awareness.dropOutdated(this.#nowMs())) this.#spread([entry], owner)
      this.#dropOutdatedLater()
    })
  }

  /**
   * Tells everyone what is new but whom it came from: a client takes its own state from nobody. One message to each, most of
   * them the same; what does not fit waits for the next time.
   */
  tell(): void {
    const news = this.#takeNews()
    if (news.length === 0) return
    const joined = new JoinedEntries(news.map(({ encoded }) => encoded))
    const ownOf = new Map<AwarenessMember, number[]>()
    for (const [place, { from }] of news.entries()) ownOf.set(from, [...(ownOf.get(from) ?? []), place])
    const toOthers: ServerMessage = { type: 'awareness', body: joined.body() }
    for (const member of [...this.#members()]) {
      const own = ownOf.get(member)
      if (own === undefined) member.sendAside(toOthers)
      else if (own.length < news.length) member.sendAside({ type: 'awareness', body: joined.body(own) })
    }
    if (this.#news.size > 0) this.#soon()
  }

  /** The oldest, as many as are told in one turn. */
  #takeNews(): { readonly encoded: Uint8Array; readonly from: AwarenessMember }[] {
    const taken: { readonly encoded: Uint8Array; readonly from: AwarenessMember }[] = []
    let bytes = 0
    for (const [client, { entry, from }] of this.#news) {
      const encoded = encodeEntry(entry)
      bytes += encoded.length
      if (taken.length > 0 && bytes > TOLD_BYTES) break
      taken.push({ encoded, from })
      this.#news.delete(client)
    }
    return taken
  }

  #spread(entries: readonly AwarenessEntry[], from: AwarenessMember): void {
    for (const entry of entries) this.#news.set(entry.client, { entry, from })
    if (entries.length > 0) this.#soon()
  }

  #nowMs(): number {
    return this.#environment.monotonicMs()
  }
}
