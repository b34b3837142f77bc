import { MAX_POINTER_UNITS } from '../../content/limits.ts'
import * as decoding from 'lib0/decoding'
import * as Y from 'yjs'
import { ParleyError } from '../../foundation/problems.ts'
import type { ProblemCode } from '../../foundation/problemTable.ts'

/** The key that would set the prototype of a plain object; refused wherever a key can stand (SPEC, Terms). */
export const FORBIDDEN_KEY = '__proto__'

/**
 * Structs and delete ranges of one update, each counted by itself. A struct takes two bytes of a frame but
 * some 100 of memory, so the frame limit alone would let one frame take gigabytes. The largest editing trace
 * at hand (260,000 keystrokes) has 11,000 structs and as many delete ranges.
 */
const MAX_STRUCTS = 400_000
const MAX_DELETE_RANGES = 400_000
/** Clocks stay below 2^31: one client would have to type two thousand million characters. */
const MAX_CLOCK = 2 ** 31 - 1
/**
 * Deeper JSON inside one value is refused while it is read, before recursion could overflow the stack. Above
 * any depth limit that can be configured; placement.ts applies that one.
 */
const MAX_VALUE_DEPTH = 256
/** Documents inside a document, each some 2 KB of memory for 3 bytes of a frame. */
export const MAX_SUBDOCUMENTS = 1_000

/** Low five bits of a struct's info byte. */
const CONTENT_DOCUMENT = 9

const ANY_OBJECT = 118
const ANY_ARRAY = 117

export type Struct = Y.Item | Y.GC | Y.Skip

/** The consecutive structs of one Yjs client in an update. */
export interface Section {
  readonly client: number
  readonly structs: readonly Struct[]
}

export interface DeleteRange {
  readonly client: number
  readonly clock: number
  readonly length: number
}

/** A Yjs v1 update as bytes say it, held against no document yet. */
export interface ReadUpdate {
  readonly sections: ReadonlyMap<number, Section>
  readonly deletes: readonly DeleteRange[]
}

/** Refuses an update; `reason` is for a person. Thrown inside the reader and the guard, caught at `admit`. */
export function refuse(code: ProblemCode, reason: string): never {
  throw new ParleyError(code, reason)
}

/**
 * Decodes an update without touching any document, by Yjs' own reader, so that both see the same structs.
 * Throws ParleyError: `invalid-request` for bytes that are no update, trailing bytes, a client or clock out
 * of range, an empty struct, a forbidden key; `content-too-complex` past a count.
 */
export function readUpdate(update: Uint8Array): ReadUpdate {
  if (newest?.update === update) return newest.read
  const decoded = decode(update)
  const read = { sections: sectionsOf(decoded.structs), deletes: deletesOf(decoded.ds.clients) }
  newest = update.length <= REMEMBERED_BYTES ? { update, read } : null
  return read
}

/** What rules an update out by its bytes alone; null where nothing does. */
export function malformed(update: Uint8Array): ParleyError | null {
  try {
    readUpdate(update)
    return null
  } catch (problem) {
    if (problem instanceof ParleyError) return problem
    throw problem
  }
}

/** Of keystrokes, which several look at one after the other; what a large update says takes a hundred times its bytes. */
const REMEMBERED_BYTES = 4 * 1024
let newest: { readonly update: Uint8Array; readonly read: ReadUpdate } | null = null

function decode(update: Uint8Array): ReturnType<typeof Y.decodeUpdateV2> {
  try {
    const decoded = Y.decodeUpdateV2(update, StrictDecoder)
    if (newestDecoder?.pos !== update.length) refuse('invalid-request', 'bytes after the update')
    return decoded
  } catch (cause) {
    if (cause instanceof ParleyError) throw cause
    throw new ParleyError('invalid-request', 'not a Yjs update', { cause })
  } finally {
    newestDecoder = null
  }
}

function sectionsOf(structs: readonly Struct[]): Map<number, Section> {
  const sections = new Map<number, { client: number; structs: Struct[] }>()
  for (const struct of structs) {
    const { client, clock } = struct.id
    if (struct.length < 1) refuse('invalid-request', 'an empty struct')
    if (!isClient(client) || clock + struct.length > MAX_CLOCK) refuse('invalid-request', 'a clock out of range')
    const section = sections.get(client)
    if (section) section.structs.push(struct)
    else sections.set(client, { client, structs: [struct] })
  }
  return sections
}

function deletesOf(clients: ReadonlyMap<number, readonly { clock: number; len: number }[]>): DeleteRange[] {
  const deletes: DeleteRange[] = []
  for (const [client, ranges] of clients) {
    if (!isClient(client)) refuse('invalid-request', 'a client id out of range')
    if (deletes.length + ranges.length > MAX_DELETE_RANGES) refuse('content-too-complex', 'too many delete ranges')
    for (const { clock, len } of ranges) {
      if (len < 1 || clock + len > MAX_CLOCK) refuse('invalid-request', 'a delete range out of range')
      deletes.push({ client, clock, length: len })
    }
  }
  return deletes
}

const isClient = (client: number): boolean => Number.isSafeInteger(client)

/** `decodeUpdateV2` makes its decoder itself and keeps it; reading is synchronous, so the newest is the one. */
let newestDecoder: decoding.Decoder | null = null

/** Yjs' decoder, refusing on the way what cannot be told (or is costly) once the structs are built. */
class StrictDecoder extends Y.UpdateDecoderV1 {
  readonly #sectionClients = new Set<number>()
  #structs = 0
  #subdocuments = 0

  constructor(decoder: decoding.Decoder) {
    super(decoder)
    newestDecoder = decoder
  }

  /** Called once a section. Applying an update silently keeps only the last section of a client. */
  override readClient(): number {
    const client = super.readClient()
    if (this.#sectionClients.has(client)) refuse('invalid-request', 'a client has two sections')
    this.#sectionClients.add(client)
    return client
  }

  /** Called once a struct. */
  override readInfo(): number {
    if (++this.#structs > MAX_STRUCTS) refuse('content-too-complex', 'too many structs')
    const info = super.readInfo()
    if ((info & 31) === CONTENT_DOCUMENT && ++this.#subdocuments > MAX_SUBDOCUMENTS) {
      refuse('content-too-complex', 'too many documents inside a document')
    }
    return info
  }

  /** Keys of formats, names of XML elements. */
  override readKey(): string {
    return allowedKey(super.readKey())
  }

  /** Values of formats and embeds. */
  override readJSON(): unknown {
    const value: unknown = super.readJSON()
    assertKeys(value, 1)
    return value
  }

  override readAny(): unknown {
    return readAny(this.restDecoder, 1)
  }
}

/** lib0's `readAny`, but for what no value may be. `depth` counts the objects and arrays around. */
function readAny(decoder: decoding.Decoder, depth: number): unknown {
  const type = decoder.arr[decoder.pos]
  if (type !== ANY_OBJECT && type !== ANY_ARRAY) return decoding.readAny(decoder)
  decoder.pos += 1
  return type === ANY_OBJECT ? readObject(decoder, inside(depth)) : readArray(decoder, inside(depth))
}

function readObject(decoder: decoding.Decoder, depth: number): Record<string, unknown> {
  const members: Record<string, unknown> = {}
  const count = decoding.readVarUint(decoder)
  for (let i = 0; i < count; i++) {
    const key = allowedKey(decoding.readVarString(decoder))
    members[key] = readAny(decoder, depth)
  }
  return members
}

function readArray(decoder: decoding.Decoder, depth: number): unknown[] {
  const items: unknown[] = []
  const count = decoding.readVarUint(decoder)
  for (let i = 0; i < count; i++) items.push(readAny(decoder, depth))
  return items
}

/** What `readAny` sees to, for a value that JSON.parse has made. */
export function assertKeys(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return
  const inner = inside(depth)
  if (!Array.isArray(value)) Object.keys(value).forEach(allowedKey)
  for (const member of Object.values(value)) assertKeys(member, inner)
}

function inside(depth: number): number {
  if (depth > MAX_VALUE_DEPTH) refuse('content-too-complex', `a value nests deeper than ${MAX_VALUE_DEPTH}`)
  return depth + 1
}

/** Refuses the one key that is never allowed. */
export function allowedKey(key: string): string {
  if (key === FORBIDDEN_KEY) refuse('invalid-request', `${FORBIDDEN_KEY} as a key`)
  if (key.length > MAX_POINTER_UNITS) refuse('content-too-complex', `a key of over ${MAX_POINTER_UNITS} characters`)
  return key
}
