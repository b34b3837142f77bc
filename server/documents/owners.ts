import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { toPrincipalId, type PrincipalId } from '../foundation/ids.ts'

/** Who wrote the first struct of each Yjs client id (SPEC SYNC-6), as far as that is known. */
export type Owners = ReadonlyMap<number, PrincipalId>

/**
 * Owners as a snapshot keeps them: each principal once, with the distances between their ids in order, so that an id takes a
 * few bytes.
 *
 *   owners := varuint n, n × (varstring principal, varuint m, m × varuint distance)
 */
export function encodeOwners(owners: Owners): Uint8Array {
  const clients = new Map<PrincipalId, number[]>()
  for (const [client, owner] of owners) {
    const own = clients.get(owner)
    if (own) own.push(client)
    else clients.set(owner, [client])
  }
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, clients.size)
  for (const [owner, own] of clients) {
    encoding.writeVarString(encoder, owner)
    encoding.writeVarUint(encoder, own.length)
    let last = 0
    for (const client of own.sort((a, b) => a - b)) {
      encoding.writeVarUint(encoder, client - last)
      last = client
    }
  }
  return encoding.toUint8Array(encoder)
}

export function decodeOwners(bytes: Uint8Array): Map<number, PrincipalId> {
  const owners = new Map<number, PrincipalId>()
  const decoder = decoding.createDecoder(bytes)
  for (let left = decoding.readVarUint(decoder); left > 0; left--) {
    const owner = toPrincipalId(decoding.readVarString(decoder))
    let client = 0
    for (let more = decoding.readVarUint(decoder); more > 0; more--) {
      client += decoding.readVarUint(decoder)
      owners.set(client, owner)
    }
  }
  return owners
}
