import * as encoding from 'lib0/encoding'
import * as Y from 'yjs'
import { readUpdate } from './admission/updateReader.ts'

type WrittenStruct = Y.Item | Y.GC | Y.Skip

interface WrittenSection {
  readonly client: number
  readonly clock: number
  count: number
  readonly encoder: Y.UpdateEncoderV1
}

/** At most, of what stands before the structs of a client. */
const SECTION_HEAD_BYTES = 20
/** At most, of a delete range. */
const RANGE_BYTES = 10

/** The update without what these Yjs clients wrote in it; itself where they wrote nothing, null where nothing else is in it. */
export function withoutClients(update: Uint8Array, isLeftOut: (client: number) => boolean): Uint8Array | null {
  const { sections, deletes } = readUpdate(update)
  const kept = [...sections.values()].filter(({ client }) => !isLeftOut(client))
  if (kept.length === 0 && deletes.length === 0) return null
  if (kept.length === sections.size) return update
  const writer = new UpdateWriter()
  for (const { structs } of kept) for (const struct of structs) writer.add(struct)
  for (const { client, clock, length } of deletes) writer.delete(client, { clock, len: length })
  return writer.finish()
}

/** Writes an update, struct by struct: those of a client in the order of their clocks, clients in any order. */
export class UpdateWriter {
  readonly #sections = new Map<number, WrittenSection>()
  readonly #deletes = new Map<number, { clock: number; len: number }[]>()
  #bytes = 0

  /** How many bytes it has come to, or a few less. */
  get bytes(): number {
    return this.#bytes
  }

  add(struct: WrittenStruct): void {
    const { client, clock } = struct.id
    let section = this.#sections.get(client)
    if (!section) {
      section = { client, clock, count: 0, encoder: new Y.UpdateEncoderV1() }
      this.#sections.set(client, section)
      this.#bytes += SECTION_HEAD_BYTES
    }
    const before = encoding.length(section.encoder.restEncoder)
    struct.write(section.encoder, 0)
    section.count += 1
    this.#bytes += encoding.length(section.encoder.restEncoder) - before
  }

  delete(client: number, range: { readonly clock: number; readonly len: number }): void {
    const ranges = this.#deletes.get(client)
    if (ranges) ranges.push(range)
    else {
      this.#deletes.set(client, [range])
      this.#bytes += SECTION_HEAD_BYTES
    }
    this.#bytes += RANGE_BYTES
  }

  finish(): Uint8Array {
    const encoder = encoding.createEncoder()
    const sections = [...this.#sections.values()]
    encoding.writeVarUint(encoder, sections.length)
    // As Yjs has them, which relies on that when it merges updates.
    for (const section of sections.sort((one, other) => other.client - one.client)) {
      encoding.writeVarUint(encoder, section.count)
      encoding.writeVarUint(encoder, section.client)
      encoding.writeVarUint(encoder, section.clock)
      encoding.writeUint8Array(encoder, encoding.toUint8Array(section.encoder.restEncoder))
    }
    const deletes = [...this.#deletes]
    encoding.writeVarUint(encoder, deletes.length)
    for (const [client, ranges] of deletes.sort(([one], [other]) => other - one)) {
      encoding.writeVarUint(encoder, client)
      encoding.writeVarUint(encoder, ranges.length)
      for (const { clock, len } of ranges) {
        encoding.writeVarUint(encoder, clock)
        encoding.writeVarUint(encoder, len)
      }
    }
    return encoding.toUint8Array(encoder)
  }
}
