import * as Y from 'yjs'

type Observer = (...args: readonly unknown[]) => void

type Structs = Y.Doc['store']['clients'] extends Map<number, infer List> ? List : never

/** To read which ids an update extends takes as long as to go through some. */
const MANY_IDS = 64

/**
 * A Y.Doc that costs what is done in it, and not what there is. It tells of what somebody listens for, and of nothing else:
 * for each of the ten events of a transaction Yjs would make a map and a list first, which is a tenth of a small write.
 */
export class ReplicaDoc extends Y.Doc {
  readonly #structs = new StructsByClient()

  constructor(options: ConstructorParameters<typeof Y.Doc>[0]) {
    super(options)
    this.store.clients = this.#structs
  }

  override emit(...[name, args]: Parameters<Y.Doc['emit']>): void {
    this.#complete(name, args[0])
    const observers: ReadonlySet<Observer> | undefined = this._observers.get(name)
    // A copy, for some go when they have heard it once.
    if (observers) for (const observer of [...observers]) observer(...args)
  }

  /** Each of these events comes right after Yjs has noted the states that it goes on with. */
  #complete(name: string, transaction: unknown): void {
    if (!(transaction instanceof Y.Transaction)) return
    if (name === 'beforeTransaction') transaction.beforeState = this.#structs.completed(transaction.beforeState)
    if (name === 'beforeObserverCalls') transaction.afterState = this.#structs.completed(transaction.afterState)
  }

  /** Takes in an update of which only the ids are known that it names itself. */
  take(update: Uint8Array): void {
    const { clients, pendingStructs } = this.store
    // What waited for this update is of other ids.
    if (clients.size < MANY_IDS || pendingStructs !== null) Y.applyUpdate(this, update)
    else this.extending([...Y.parseUpdateMeta(update).to.keys()], () => Y.applyUpdate(this, update))
  }

  /** Makes a change that adds structs of these Yjs client ids only. */
  extending(clients: readonly number[], change: () => void): void {
    this.#structs.goThrough(clients, change)
  }
}

/**
 * Yjs goes through all client ids of a document three times for each transaction (yjs 13.6: the state before and after, and
 * what the update is encoded from), to find those that have new structs. A room of hundreds spends a fifth of its time on
 * that. Who knows which ids a change extends lets Yjs go through these alone.
 */
class StructsByClient extends Map<number, Structs> {
  #extended: ReadonlySet<number> | null = null

  goThrough(clients: readonly number[], change: () => void): void {
    this.#extended = new Set(clients)
    try {
      change()
    } finally {
      this.#extended = null
    }
  }

  /** States of the ids that are gone through, with those of all others. */
  completed(states: Map<number, number>): Map<number, number> {
    return this.#extended === null ? states : new CompletedStates(states, this, this.#extended)
  }

  override forEach(take: (structs: Structs, client: number, all: Map<number, Structs>) => void): void {
    if (this.#extended === null) return super.forEach(take)
    for (const client of this.#extended) {
      const structs = this.get(client)
      if (structs !== undefined) take(structs, client, this)
    }
  }
}

/** The states of ids that a change extends, to be gone through; asked for any other, it answers what that has all the time. */
class CompletedStates extends Map<number, number> {
  readonly #all: StructsByClient
  readonly #extended: ReadonlySet<number>

  constructor(states: ReadonlyMap<number, number>, all: StructsByClient, extended: ReadonlySet<number>) {
    super(states)
    this.#all = all
    this.#extended = extended
  }

  override get(client: number): number | undefined {
    const known = super.get(client)
    if (known !== undefined || this.#extended.has(client)) return known
    const last = this.#all.get(client)?.at(-1)
    return last && last.id.clock + last.length
  }
}
