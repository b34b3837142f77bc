import { readUpdate, type Struct } from '../documents/admission/updateReader.ts'
import { deletesOf } from '../documents/knowledge.ts'
import type { ClockSet } from '../model/clockSet.ts'

/** An update that a session brings, read only as far as somebody asks. */
export class Brought {
  readonly update: Uint8Array
  /** In which message it came. */
  readonly message: 'sync-step-2' | 'update'
  #clocks: ReadonlyMap<number, number> | null = null
  #deletes: ClockSet | null = null

  constructor(update: Uint8Array, message: Brought['message']) {
    this.update = update
    this.message = message
  }

  /** Whether it says nothing but what is deleted: its first byte is the number of clients that have structs. */
  get isBare(): boolean {
    return this.update[0] === 0
  }

  /** Throws a problem where the bytes are no update. */
  assertWellFormed(): void {
    void this.clocks
  }

  /** The next clock of each Yjs client that writes in it. */
  get clocks(): ReadonlyMap<number, number> {
    this.#clocks ??= new Map(
      [...readUpdate(this.update).sections].map(([client, { structs }]) => [client, endOf(structs)]),
    )
    return this.#clocks
  }

  get deletes(): ClockSet {
    this.#deletes ??= deletesOf(this.update)
    return this.#deletes
  }
}

function endOf(structs: readonly Struct[]): number {
  const last = structs.at(-1)
  return last ? last.id.clock + last.length : 0
}
