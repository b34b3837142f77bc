import * as encoding from 'lib0/encoding'
import * as Y from 'yjs'
import { common, type ClockSet } from '../model/clockSet.ts'

/**
 * The part of an update that lies below the clocks, with those of its deletes that are among `deletes`: what
 * a client has of an entry that was joined of several, of which it saw the first. Throws on malformed bytes.
 */
export function partOfUpdate(
  update: Uint8Array,
  { clocks, deletes }: { readonly clocks: ReadonlyMap<number, number>; readonly deletes: ClockSet },
): Uint8Array {
  const { structs, ds } = Y.decodeUpdate(update)
  const sections = new Map<number, (Y.Item | Y.GC | Y.Skip)[]>()
  for (const struct of structs) {
    const { client, clock } = struct.id
    const limit = clocks.get(client) ?? 0
    if (clock >= limit) continue
    if (clock + struct.length > limit) cut(struct, limit - clock)
    const section = sections.get(client)
    if (section) section.push(struct)
    else sections.set(client, [struct])
  }
  const encoder = new Y.UpdateEncoderV1()
  encoding.writeVarUint(encoder.restEncoder, sections.size)
  for (const [client, kept] of sections) {
    encoding.writeVarUint(encoder.restEncoder, kept.length)
    encoder.writeClient(client)
    encoding.writeVarUint(encoder.restEncoder, kept[0]?.id.clock ?? 0)
    for (const struct of kept) struct.write(encoder, 0)
  }
  const deleted = [...ds.clients].flatMap(([client, spans]) => {
    const limit = clocks.get(client) ?? 0
    const known = common(spans, deletes.get(client) ?? []).filter(({ clock }) => clock < limit)
    return known.length === 0 ? [] : [[client, known] as const]
  })
  encoding.writeVarUint(encoder.restEncoder, deleted.length)
  for (const [client, spans] of deleted) {
    encoding.writeVarUint(encoder.restEncoder, client)
    encoding.writeVarUint(encoder.restEncoder, spans.length)
    for (const { clock, len } of spans) {
      encoding.writeVarUint(encoder.restEncoder, clock)
      encoding.writeVarUint(encoder.restEncoder, len)
    }
  }
  return encoder.toUint8Array()
}

/** Leaves the first `length` clocks of a struct. */
function cut(struct: Y.Item | Y.GC | Y.Skip, length: number): void {
  if (struct instanceof Y.Item) struct.content.splice(length)
  struct.length = length
}
