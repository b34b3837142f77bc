import * as Y from 'yjs'
import { refuse, type Section, type Struct } from './updateReader.ts'

type Store = Y.Doc['store']

/** How far one section has been integrated. `state` is the next clock expected of its client. */
interface Progress {
  readonly section: Section
  next: number
  state: number
}

/** Something that waits: `progress` has to go on until its client's state is past `clock`. */
interface Wait {
  readonly progress: Progress
  readonly clock: number
}
const TO_ITS_END = Number.POSITIVE_INFINITY

/**
 * Goes through the structs of an update in an order in which each finds what it builds on, as applying it
 * would, without applying it. Refuses `missing-dependencies` where Yjs would keep a struct pending, and
 * `invalid-request` where no document could have made the update (a struct that builds on itself).
 */
export class Integration {
  readonly #store: Store
  readonly #progress = new Map<number, Progress>()

  constructor(store: Store, sections: ReadonlyMap<number, Section>) {
    this.#store = store
    for (const section of sections.values()) {
      this.#progress.set(section.client, { section, next: 0, state: this.knownOf(section.client) })
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

  /** Whether the section brings structs that the document lacks. */
  extends(section: Section): boolean {
    return this.stateOf(section.client) > this.knownOf(section.client)
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
  #runThrough(start: Progress, visit: (struct: Y.Item | Y.GC) => void): void {
    const waits: Wait[] = [{ progress: start, clock: TO_ITS_END }]
    const waiting = new Set([start])
    for (let wait = waits.at(-1); wait; wait = waits.at(-1)) {
      const { progress } = wait
      const struct = progress.section.structs[progress.next]
      if (progress.state > wait.clock || (!struct && wait.clock === TO_ITS_END)) {
        waits.pop()
        waiting.delete(progress)
        continue
      }
      if (!struct) return refuse('missing-dependencies', 'builds on something unknown')
      const missing = this.#missingOf(struct)
      if (missing === null) {
        this.#advance(progress, struct, visit)
        continue
      }
      const other = this.#progress.get(missing.client)
      if (!other || waiting.has(other)) refuse('missing-dependencies', 'builds on something unknown')
      waits.push({ progress: other, clock: missing.clock })
      waiting.add(other)
    }
  }

  #advance(progress: Progress, struct: Struct, visit: (struct: Y.Item | Y.GC) => void): void {
    const { clock } = struct.id
    const end = endOf(struct)
    if (clock > progress.state) refuse('missing-dependencies', 'a gap before a struct')
    if (end > progress.state) {
      if (struct instanceof Y.Skip) refuse('missing-dependencies', 'a gap inside the update')
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
    if (id.client !== struct.id.client) return id.clock < this.stateOf(id.client) ? null : id
    if (id.clock >= struct.id.clock) refuse('invalid-request', 'a struct that builds on itself')
    return id.clock < this.stateOf(id.client) ? null : refuse('missing-dependencies', 'a gap before a struct')
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
