import * as Y from 'yjs'
import { assertSameHistory } from './sameHistory.ts'
import { refuse, type Section, type Struct } from './updateReader.ts'

type Store = Y.Doc['store']

/** How far one section has been integrated. `state` is the next clock expected of its client. */
interface Integrated {
  readonly section: Section
  next: number
  state: number
  /** Why the struct at `next`, and so all after it, cannot be placed. */
  stuck: Hindrance | null
}

/** What keeps structs from being placed: something they build on is missing, or they are somebody else's to bring. */
export type Hindrance = 'missing' | 'foreign'

/** Something that waits: `progress` has to go on until its client's state is past `clock`. */
interface Wait {
  readonly progress: Integrated
  readonly clock: number
}
const TO_ITS_END = Number.POSITIVE_INFINITY

/**
 * Goes through the structs of an update in an order in which each finds what it builds on, as applying it would, without
 * applying it. Where Yjs would keep a struct pending, or it is new and of a client that `isForeign`, its section ends
 * there, and so does whatever builds on it. Refuses `invalid-request` where no document could have made the update (a
 * struct that builds on itself).
 */
export class Integration {
  readonly #store: Store
  readonly #progress = new Map<number, Integrated>()
  readonly #isForeign: (client: number) => boolean

  constructor(store: Store, sections: ReadonlyMap<number, Section>, isForeign: (client: number) => boolean) {
    this.#store = store
    this.#isForeign = isForeign
    for (const section of sections.values()) {
      this.#progress.set(section.client, { section, next: 0, state: this.knownOf(section.client), stuck: null })
    }
  }

  /** The next clock the document expects of the client. */
  knownOf(client: number): number {
    return Y.getState(this.#store, client)
  }

  /** The same with what of the update has been integrated so far. */
  stateOf(client: number): number {
    return this.#progress.get(client)?.state ?? this.knownOf(client)
  }

  /** Whether the section brings structs that the document lacks and that can be placed. */
  extends(section: Section): boolean {
    return this.stateOf(section.client) > this.knownOf(section.client)
  }

  /** The structs of a section that can be placed, and those that cannot. */
  divide({ client, structs }: Section): { readonly placed: readonly Struct[]; readonly left: readonly Struct[] } {
    const progress = this.#progress.get(client)
    const end = progress?.stuck ? progress.next : structs.length
    return { placed: structs.slice(0, end), left: structs.slice(end) }
  }

  /** What keeps structs of the update from being placed; null where all can be. */
  get hindrance(): Hindrance | null {
    let found: Hindrance | null = null
    for (const { stuck } of this.#progress.values()) if (stuck !== null && found !== 'foreign') found = stuck
    return found
  }

  /** The struct that holds the id, from the document or, where that lacks it, from the update. */
  find(id: Y.ID): Struct {
    if (id.clock < this.knownOf(id.client)) return Y.getItem(this.#store, id)
    const structs = this.#progress.get(id.client)?.section.structs ?? []
    return structAt(structs, id.clock) ?? refuse('missing-dependencies', 'builds on something unknown')
  }

  /** Calls `visit` for each struct that brings something new, after those it builds on. */
  run(visit: (struct: Y.Item | Y.GC) => void): void {
    for (const progress of this.#progress.values()) this.#runThrough(progress, visit)
  }

  /** The stack is never deeper than the update has clients: one that is needed while it waits is a circle. */
  #runThrough(start: Integrated, visit: (struct: Y.Item | Y.GC) => void): void {
    const waits: Wait[] = [{ progress: start, clock: TO_ITS_END }]
    const waiting = new Set([start])
    for (let wait = waits.at(-1); wait; wait = waits.at(-1)) {
      const { progress } = wait
      const struct = progress.section.structs[progress.next]
      if (progress.stuck !== null || progress.state > wait.clock || !struct) {
        waits.pop()
        waiting.delete(progress)
        continue
      }
      const missing = this.#missingOf(struct)
      if (missing === null) {
        this.#advance(progress, struct, visit)
        continue
      }
      const other = this.#progress.get(missing.client)
      if (!other || other.stuck !== null || other.next === other.section.structs.length || waiting.has(other)) {
        progress.stuck = other?.stuck ?? 'missing'
        continue
      }
      waits.push({ progress: other, clock: missing.clock })
      waiting.add(other)
    }
  }

  #advance(progress: Integrated, struct: Struct, visit: (struct: Y.Item | Y.GC) => void): void {
    const end = endOf(struct)
    const known = this.knownOf(struct.id.client)
    if (struct.id.clock < known) assertSameHistory(struct, this.#store, known)
    if (end > progress.state) {
      if (this.#isForeign(struct.id.client)) progress.stuck = 'foreign'
      else if (struct.id.clock > progress.state || struct instanceof Y.Skip) progress.stuck = 'missing'
      if (progress.stuck !== null || struct instanceof Y.Skip) return
      visit(struct)
      progress.state = end
    }
    progress.next += 1
  }

  /** The first id that the struct builds on and that is not integrated yet; known structs are asked as well. */
  #missingOf(struct: Struct): Y.ID | null {
    if (!(struct instanceof Y.Item)) return null
    return (
      this.#missing(struct, struct.origin) ??
      this.#missing(struct, struct.rightOrigin) ??
      this.#missing(struct, parentId(struct))
    )
  }

  #missing(struct: Y.Item, id: Y.ID | null): Y.ID | null {
    if (id === null) return null
    if (id.client === struct.id.client && id.clock >= struct.id.clock) {
      refuse('invalid-request', 'a struct that builds on itself')
    }
    return id.clock < this.stateOf(id.client) ? null : id
  }
}

/** The parent of a decoded struct where it is named by id; by name (a root) it is a string. */
export function parentId(item: Y.Item): Y.ID | null {
  const parent: unknown = item.parent
  return parent instanceof Y.ID ? parent : null
}

const endOf = (struct: Struct): number => struct.id.clock + struct.length

/** Structs are in clock order without holes. */
function structAt(structs: readonly Struct[], clock: number): Struct | null {
  let low = 0
  let high = structs.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const struct = structs[middle]
    if (!struct) return null
    if (clock < struct.id.clock) high = middle - 1
    else if (clock >= endOf(struct)) low = middle + 1
    else return struct
  }
  return null
}
