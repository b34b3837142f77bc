import * as encoding from 'lib0/encoding'

export type RawId = readonly [client: number, clock: number]

type RawContent =
  | { readonly deleted: number }
  | { readonly json: readonly string[] }
  | { readonly bytes: Uint8Array }
  | { readonly text: string }
  | { readonly embed: string }
  | { readonly format: readonly [key: string, json: string] }
  | { readonly type: number; readonly name?: string }
  | { readonly any: readonly unknown[] }
  | { readonly document: string }

interface RawPlace {
  readonly origin?: RawId
  readonly right?: RawId
  /** A root by name or a parent by id; told only where there is no origin. */
  readonly parent?: string | RawId
  readonly key?: string
}

export type RawStruct = { readonly gc: number } | { readonly skip: number } | (RawPlace & RawContent)

export interface RawSection {
  readonly client: number
  readonly clock?: number
  readonly structs: readonly RawStruct[]
}

/** Numbers of the types in an update. */
export const TYPES = { array: 0, map: 1, text: 2, xmlElement: 3 } as const

/** A Yjs v1 update written by hand, so that it may say what Yjs never would. */
export function rawUpdate(
  sections: readonly RawSection[],
  deletes: readonly (readonly [client: number, clock: number, length: number])[] = [],
): Uint8Array {
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, sections.length)
  for (const { client, clock = 0, structs } of sections) {
    for (const number of [structs.length, client, clock]) encoding.writeVarUint(encoder, number)
    for (const struct of structs) writeStruct(encoder, struct)
  }
  encoding.writeVarUint(encoder, deletes.length)
  for (const [client, clock, length] of deletes) {
    for (const number of [client, 1, clock, length]) encoding.writeVarUint(encoder, number)
  }
  return encoding.toUint8Array(encoder)
}

function writeStruct(encoder: encoding.Encoder, struct: RawStruct): void {
  if ('gc' in struct || 'skip' in struct) {
    encoding.writeUint8(encoder, 'gc' in struct ? 0 : 10)
    encoding.writeVarUint(encoder, 'gc' in struct ? struct.gc : struct.skip)
    return
  }
  const { origin, right, parent = 'content', key } = struct
  const flags = (origin ? 128 : 0) | (right ? 64 : 0) | (key === undefined ? 0 : 32)
  encoding.writeUint8(encoder, flags | contentNumber(struct))
  if (origin) writeId(encoder, origin)
  if (right) writeId(encoder, right)
  if (!origin && !right) {
    encoding.writeVarUint(encoder, typeof parent === 'string' ? 1 : 0)
    if (typeof parent === 'string') encoding.writeVarString(encoder, parent)
    else writeId(encoder, parent)
    if (key !== undefined) encoding.writeVarString(encoder, key)
  }
  writeContent(encoder, struct)
}

function writeId(encoder: encoding.Encoder, [client, clock]: RawId): void {
  encoding.writeVarUint(encoder, client)
  encoding.writeVarUint(encoder, clock)
}

function contentNumber(content: RawContent): number {
  const numbers = { deleted: 1, json: 2, bytes: 3, text: 4, embed: 5, format: 6, type: 7, any: 8, document: 9 }
  return Object.entries(numbers).find(([name]) => name in content)?.[1] ?? 0
}

function writeContent(encoder: encoding.Encoder, content: RawContent): void {
  if ('deleted' in content) encoding.writeVarUint(encoder, content.deleted)
  else if ('bytes' in content) encoding.writeVarUint8Array(encoder, content.bytes)
  else if ('text' in content) encoding.writeVarString(encoder, content.text)
  else if ('embed' in content) encoding.writeVarString(encoder, content.embed)
  else if ('format' in content) for (const text of content.format) encoding.writeVarString(encoder, text)
  else if ('type' in content) {
    encoding.writeVarUint(encoder, content.type)
    if (content.name !== undefined) encoding.writeVarString(encoder, content.name)
  } else if ('document' in content) {
    encoding.writeVarString(encoder, content.document)
    encoding.writeAny(encoder, {})
  } else if ('json' in content) {
    encoding.writeVarUint(encoder, content.json.length)
    for (const json of content.json) encoding.writeVarString(encoder, json)
  } else {
    encoding.writeVarUint(encoder, content.any.length)
    // lib0 writes whatever it is given; its types allow less.
    for (const value of content.any) encoding.writeAny(encoder, value as null)
  }
}
