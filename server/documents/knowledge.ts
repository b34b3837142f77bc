import * as Y from 'yjs'
import type { Kind } from '../content/content.ts'
import type { DocumentId, PrincipalId, Version } from '../foundation/ids.ts'
import { NO_VERSION, previousVersion, toVersion } from '../foundation/ids.ts'
import { yieldTurn } from '../foundation/turns.ts'
import type { Entry, LogReads } from '../storage/log.ts'
import { logPages } from './logPages.ts'
import { firstVersionOf } from './past.ts'
import { clockRanges } from './clockRanges.ts'
import { joinUpdates } from './joinUpdates.ts'
import type { Knowledge } from '../model/clientKnowledge.ts'
import { clockSet, common, holds, union, without, type ClockSet, type ClockSpan } from '../model/clockSet.ts'
import type { Replica } from './replica.ts'

/** An entry after the newest prefix of the log that the client has whole. */
interface LaterEntry {
  readonly version: Version
  readonly author: PrincipalId
  /** Whether the client has it; `partly` of an entry made of several that were joined. */
  readonly known: 'all' | 'partly' | 'none'
  /** Its Yjs update where the client has all of it: what that builds on, the client has too. */
  readonly update: Uint8Array | null
  /** What it brings that the client lacks, and what it deletes, where the client has not all of it. */
  readonly structs: Ranges
  readonly deletes: Ranges
}

type ReadEntry = Pick<LaterEntry, 'version' | 'author'>
type Ranges = readonly { readonly client: number; readonly clock: number; readonly length: number }[]

/** How the log divides for one client. */
export interface Divide {
  /** The client has every entry up to here; one before the first version: none. */
  readonly prefix: Version
  /** What came after, oldest first. */
  readonly later: readonly LaterEntry[]
}

/**
 * A session keeps so much of what it brought until its page has our answer, and so does what it leaves waiting on disk. Of
 * more the sides of what it writes meanwhile lack the values that lost, which the conflict of its return has.
 */
const MAX_BROUGHT_BYTES = 1024 * 1024
/**
 * Entries that are held together while the log is read backwards: few at first, because most who come back lack few, and again
 * where they are large; as many as some 2 ms of work where they are keystrokes.
 */
const BLOCK_ENTRIES = { first: 16, most: 128 }

type ReadReplica = Pick<Replica, 'id' | 'doc' | 'appliedHead' | 'whenCommitted'>

/** Whether the client has everything the document has by now. */
export function knowsAll(doc: Y.Doc, clocks: ReadonlyMap<number, number>, deletes: ClockSet): boolean {
  const { ahead, deleted } = unknownTo(doc, clocks, deletes)
  return ahead.size === 0 && deleted.size === 0
}

/** Whether an update has anything that the document lacks. Throws where the bytes are no update. */
export function bringsSomething(doc: Y.Doc, update: Uint8Array): boolean {
  const { structs, ds } = Y.decodeUpdate(update)
  if (structs.some(({ id, length }) => id.clock + length > Y.getState(doc.store, id.client))) return true
  if (ds.clients.size === 0) return false
  const deleted = Y.createDeleteSetFromStructStore(doc.store).clients
  return [...clockSet(ds.clients)].some(([client, spans]) => without(spans, deleted.get(client) ?? []).length > 0)
}

/** What a client has that has written this update, or brought it, besides what it had; of the update `taken` is taken in. */
export function withOwn(knowledge: Knowledge, update: Uint8Array, taken: Uint8Array): Knowledge {
  if (knowledge.by !== 'clocks') return knowledge
  const { structs, ds } = Y.decodeUpdate(update)
  const clocks = new Map(knowledge.clocks)
  for (const { id, length } of structs) {
    clocks.set(id.client, Math.max(id.clock + length, clocks.get(id.client) ?? 0))
  }
  const own = clockSet(ds.clients)
  return {
    ...knowledge,
    clocks,
    deletes: union(knowledge.deletes, own),
    brought: union(knowledge.brought, own),
    broughtUpdate: broughtWith(knowledge.broughtUpdate, taken),
  }
}

/** Only what was brought last where all of it is more than is kept, and nothing where that is alone. */
function broughtWith(before: Uint8Array | null, taken: Uint8Array): Uint8Array | null {
  if (taken.length > MAX_BROUGHT_BYTES) return null
  if (before === null || before.length + taken.length > MAX_BROUGHT_BYTES) return taken
  return joinUpdates([before, taken])
}

/** The deletes an update (or a whole state) carries. Throws where the bytes are no update. */
export const deletesOf = (update: Uint8Array): ClockSet => clockSet(Y.decodeUpdate(update).ds.clients)

/**
 * Divides the log as it is now at what the client has. Reads backwards, only as far as the client lacks
 * something. Rejects with what ended the replica, or `document-damaged`.
 */
export async function divide(
  storage: LogReads,
  replica: ReadReplica,
  { author, knowledge }: { readonly author: PrincipalId; readonly knowledge: Knowledge },
): Promise<Divide> {
  const { version, firstVersion } = replica.appliedHead
  const reading =
    knowledge.by === 'clocks' ? new ClockReading(replica.doc, author, knowledge) : new VersionReading(knowledge)
  await replica.whenCommitted(version)
  const later: LaterEntry[] = []
  let end = version
  let size = BLOCK_ENTRIES.first
  while (end >= firstVersion && !reading.isCovered(end)) {
    const { entries, pages } = await blockBefore(storage, replica.id, end, Math.min(size, end - firstVersion + 1))
    size = pages > 1 ? Math.ceil(size / 2) : Math.min(size * 2, BLOCK_ENTRIES.most)
    for (const entry of entries.toReversed()) {
      if (reading.isCovered(entry.version)) break
      const { structs, deletes } = clockRanges(entry.update)
      const known = reading.read(entry, structs, deletes)
      later.push({
        version: entry.version,
        author: entry.author,
        known,
        update: known === 'all' ? entry.update : null,
        structs: known === 'all' ? [] : lacking(structs, knowledge),
        deletes: known === 'all' ? [] : deletes,
      })
      end = previousVersion(firstVersionOf(entry))
    }
    if (entries.length === 0) break
    await yieldTurn()
  }
  return extended({ prefix: end, later: later.reverse() })
}

/** All entries of the last so many versions up to one, oldest first, and in how many pages they came. */
async function blockBefore(
  storage: LogReads,
  document: DocumentId,
  end: Version,
  size: number,
): Promise<{ readonly entries: readonly Entry[]; readonly pages: number }> {
  const read = (after: Version): Promise<readonly Entry[]> => storage.entries(document, after, end, size)
  const entries: Entry[] = []
  let pages = 0
  for await (const page of logPages(read, toVersion(end - size), end)) {
    entries.push(...page)
    pages += 1
  }
  return { entries, pages }
}

/** The parts of structs that the client does not have: of an entry joined of several it may have the first. */
function lacking(structs: Ranges, knowledge: Knowledge): Ranges {
  if (knowledge.by !== 'clocks') return structs
  return structs.flatMap(({ client, clock, length }) => {
    const start = Math.max(clock, knowledge.clocks.get(client) ?? 0)
    return start < clock + length ? [{ client, clock: start, length: clock + length - start }] : []
  })
}

/** With the entries right after the prefix that the client has whole. */
function extended({ prefix, later }: Divide): Divide {
  let known = 0
  while (later[known]?.known === 'all') known += 1
  return { prefix: later[known - 1]?.version ?? prefix, later: later.slice(known) }
}

/**
 * The same with what the edits themselves show: who builds on an entry, or deletes of it, has seen it, and with it all
 * that was sent before it.
 */
export function withEvidence(divide: Divide, update: Uint8Array, { by }: Knowledge, kind: Kind): Divide {
  const owners = new Map<number, { clock: number; end: number; version: Version }[]>()
  for (const { version, known, structs } of divide.later) {
    if (known === 'all') continue
    for (const { client, clock, length } of structs) {
      const list = owners.get(client) ?? []
      list.push({ clock, end: clock + length, version })
      owners.set(client, list)
    }
  }
  if (owners.size === 0) return divide
  let seen = divide.prefix
  const see = (id: Y.ID | null): void => {
    const owner = id && owners.get(id.client)?.find(({ clock, end }) => clock <= id.clock && id.clock < end)
    if (owner && owner.version > seen) seen = owner.version
  }
  seeIdsOf(update, by !== 'stored', see)
  // In the log stands also what Yjs deleted: of two values of one key the one that lost.
  const tells = by === 'versions' && kind === 'text'
  for (const entry of divide.later) if (entry.update) seeIdsOf(entry.update, tells, see)
  if (seen === divide.prefix) return divide
  return {
    prefix: divide.prefix,
    later: divide.later.map((entry) => (entry.version <= seen ? { ...entry, known: 'all' } : entry)),
  }
}

/** Hands on every id that an update shows its author to have known; `tells`: by what it deletes too. */
function seeIdsOf(update: Uint8Array, tells: boolean, see: (id: Y.ID | null) => void): void {
  if (update.length === 0) return
  const { structs, ds } = Y.decodeUpdate(update)
  for (const struct of structs) {
    if (struct.id.clock > 0) see(Y.createID(struct.id.client, struct.id.clock - 1))
    if (!(struct instanceof Y.Item)) continue
    see(struct.origin)
    see(struct.rightOrigin)
    const parent: unknown = struct.parent
    if (parent instanceof Y.ID) see(parent)
  }
  if (!tells) return
  for (const [client, spans] of ds.clients) {
    for (const { clock, len } of spans) {
      see(Y.createID(client, clock))
      see(Y.createID(client, clock + len - 1))
    }
  }
}

/**
 * Whether an update may mean something to a judgement: it brings something, or it deletes what an entry deleted
 * that the client does not have.
 */
export function mayMatter(doc: Y.Doc, { later }: Divide, update: Uint8Array): boolean {
  if (bringsSomething(doc, update)) return true
  const own = deletesOf(update)
  return later.some(({ known, deletes }) => {
    if (known === 'all') return false
    return deletes.some(({ client, clock, length }) => {
      return common([{ clock, len: length }], own.get(client) ?? []).length > 0
    })
  })
}

/** Clocks of clients that are ahead of what is known, and deletes of known structs that are not known. */
function unknownTo(
  doc: Y.Doc,
  clocks: ReadonlyMap<number, number>,
  deletes: ClockSet,
): { ahead: Map<number, number>; deleted: Map<number, ClockSpan[]> } {
  const ahead = new Map<number, number>()
  for (const client of doc.store.clients.keys()) {
    const state = Y.getState(doc.store, client)
    if (state > (clocks.get(client) ?? 0)) ahead.set(client, state)
  }
  const deleted = new Map<number, ClockSpan[]>()
  for (const [client, spans] of Y.createDeleteSetFromStructStore(doc.store).clients) {
    const unknown = without(spans, deletes.get(client) ?? [], clocks.get(client) ?? 0)
    if (unknown.length > 0) deleted.set(client, unknown)
  }
  return { ahead, deleted }
}

/** Going back through the log: whether what is left is known to a client that named clocks and deletes. */
class ClockReading {
  readonly #clocks: ReadonlyMap<number, number>
  readonly #deletes: ClockSet
  /** By client, the clock up to which what is left goes; only while that is more than the client has. */
  readonly #ahead: Map<number, number>
  /** Deletes in what is left that the client has not made. */
  readonly #deleted: Map<number, ClockSpan[]>

  readonly #sentUpTo: Version
  readonly #author: PrincipalId
  /** Whether the client has something newer than what is left. */
  #hasLater = false

  constructor(doc: Y.Doc, author: PrincipalId, { clocks, deletes, sentUpTo }: Extract<Knowledge, { by: 'clocks' }>) {
    this.#author = author
    this.#sentUpTo = sentUpTo ?? NO_VERSION
    this.#clocks = clocks
    this.#deletes = deletes
    const { ahead, deleted } = unknownTo(doc, clocks, deletes)
    this.#ahead = ahead
    this.#deleted = deleted
  }

  isCovered(version: Version): boolean {
    if (this.#ahead.size > 0 || this.#deleted.size > 0) return false
    return this.#hasLater || version <= this.#sentUpTo
  }

  read(entry: ReadEntry, structs: Ranges, deletes: Ranges): LaterEntry['known'] {
    for (const { client, clock, length } of structs) {
      if (this.#ahead.has(client) && clock <= (this.#clocks.get(client) ?? 0)) this.#ahead.delete(client)
      this.#forget(client, { clock, len: length })
    }
    for (const { client, clock, length } of deletes) this.#forget(client, { clock, len: length })
    const known = this.#known(entry, structs, deletes)
    // Something that was sent after it reached the client, by whatever way; so what came before has too.
    if (known === 'all' && structs.length > 0 && this.#isAfterLast(entry.version)) this.#hasLater = true
    return known
  }

  #isAfterLast(version: Version): boolean {
    return version > this.#sentUpTo
  }

  #known({ version, author }: ReadEntry, structs: Ranges, deletes: Ranges): LaterEntry['known'] {
    if (structs.length === 0) {
      if (this.#isAfterLast(version) && !this.#hasLater && author !== this.#author) return 'none'
      const isDone = deletes.every(({ client, clock, length }) => holds(this.#deletes, client, { clock, len: length }))
      return isDone ? 'all' : 'none'
    }
    const isBelow = (client: number, clock: number): boolean => clock <= (this.#clocks.get(client) ?? 0)
    if (structs.every(({ client, clock, length }) => isBelow(client, clock + length))) return 'all'
    return structs.some(({ client, clock }) => isBelow(client, clock + 1)) ? 'partly' : 'none'
  }

  /** These are not in what is left. */
  #forget(client: number, span: ClockSpan): void {
    const spans = this.#deleted.get(client)
    if (!spans) return
    const left = without(spans, [span])
    if (left.length === 0) this.#deleted.delete(client)
    else this.#deleted.set(client, left)
  }
}

class VersionReading {
  readonly #seen: Version
  readonly #own: ReadonlySet<Version>

  constructor(knowledge: Exclude<Knowledge, { by: 'clocks' }>) {
    this.#seen = knowledge.seen
    this.#own = new Set(knowledge.by === 'versions' ? knowledge.own : [])
  }

  isCovered(version: Version): boolean {
    return version <= this.#seen
  }

  read({ version }: ReadEntry): LaterEntry['known'] {
    return this.#own.has(version) ? 'all' : 'none'
  }
}
