import * as Y from 'yjs'
import { yieldTurn } from '../foundation/turns.ts'
import { UpdateWriter } from './updateWriter.ts'

/** Yjs merges in time by the square of how many are merged at once. */
const JOINED_AT_ONCE = 16
/** A larger one is joined with others at the end only, for to join it takes some milliseconds. */
const LARGE_BYTES = 64 * 1024

/**
 * Updates that come one by one and are joined as they come, so that they stay few whatever their number, and in their
 * order, because each may build on those before it. A value: adding to it makes another.
 */
export class UpdatePile {
  static readonly EMPTY = new UpdatePile([], [], 0)
  /** Of what they are by now. */
  readonly bytes: number
  /** The newest large one and all before it. */
  readonly #before: readonly Uint8Array[]
  /** Of each level fewer than are joined at once. One of the next is joined of so many of the level before, and older. */
  readonly #levels: readonly (readonly Uint8Array[])[]

  private constructor(before: readonly Uint8Array[], levels: UpdatePile['updates'][], bytes: number) {
    this.#before = before
    this.#levels = levels
    this.bytes = bytes
  }

  get isEmpty(): boolean {
    return this.bytes === 0
  }

  /** What they are by now, the oldest first. */
  get updates(): readonly Uint8Array[] {
    return [...this.#before, ...this.#levels.toReversed().flat()]
  }

  with(update: Uint8Array): UpdatePile {
    const bytes = this.bytes + update.length
    if (update.length > LARGE_BYTES) return new UpdatePile([...this.updates, update], [], bytes)
    const levels = [...this.#levels]
    let added = update
    let saved = 0
    for (let level = 0; ; level++) {
      const updates = [...(levels[level] ?? []), added]
      levels[level] = updates
      if (updates.length < JOINED_AT_ONCE) return new UpdatePile(this.#before, levels, bytes - saved)
      added = joinUpdates(updates)
      saved += updates.reduce((sum, { length }) => sum + length, 0) - added.length
      levels[level] = []
      if (added.length > LARGE_BYTES) {
        const older = levels
          .slice(level + 1)
          .toReversed()
          .flat()
        return new UpdatePile([...this.#before, ...older, added], [], bytes - saved)
      }
    }
  }
}

/** One update that does what all do, in steps: in between everything else that is ready goes first. */
export async function joinInSteps(updates: readonly Uint8Array[]): Promise<Uint8Array> {
  if (updates.length <= 1) return updates[0] ?? new Uint8Array(0)
  const joined: Uint8Array[] = []
  for (let start = 0; start < updates.length; start += JOINED_AT_ONCE) {
    joined.push(joinUpdates(updates.slice(start, start + JOINED_AT_ONCE)))
    await yieldTurn()
  }
  return joinInSteps(joined)
}

/** One update that does what these few do. What was typed in a row, key by key, is one piece of text in it. */
export function joinUpdates(updates: readonly Uint8Array[]): Uint8Array {
  const [only] = updates
  if (only && updates.length === 1) return only
  const { structs, ds } = Y.decodeUpdate(Y.mergeUpdates([...updates]))
  const writer = new UpdateWriter()
  for (const struct of runsOf(structs)) writer.add(struct)
  for (const [client, ranges] of ds.clients) for (const range of ranges) writer.delete(client, range)
  return writer.finish()
}

type JoinedStruct = ReturnType<typeof Y.decodeUpdate>['structs'][number]

/** The structs, where pieces of text that continue each other are one: so Yjs itself has them once they are applied. */
function* runsOf(structs: readonly JoinedStruct[]): Generator<JoinedStruct> {
  let run: { first: Y.Item; text: string[]; length: number } | null = null
  for (const struct of structs) {
    const text = textOf(struct)
    if (run && text !== null && struct instanceof Y.Item && continues(struct, run)) {
      run.text.push(text)
      run.length += struct.length
      continue
    }
    if (run) yield textItem(run)
    run = text !== null && struct instanceof Y.Item ? { first: struct, text: [text], length: struct.length } : null
    if (!run) yield struct
  }
  if (run) yield textItem(run)
}

const textOf = (struct: JoinedStruct): string | null =>
  struct instanceof Y.Item && struct.content instanceof Y.ContentString ? struct.content.str : null

/** Whether the item was put right behind the run, between what this stands between. */
function continues(item: Y.Item, { first, length }: { readonly first: Y.Item; readonly length: number }): boolean {
  const { client, clock } = first.id
  const end = Y.createID(client, clock + length)
  return (
    Y.compareIDs(item.id, end) &&
    Y.compareIDs(item.origin, Y.createID(client, end.clock - 1)) &&
    Y.compareIDs(item.rightOrigin, first.rightOrigin)
  )
}

function textItem({ first, text }: { readonly first: Y.Item; readonly text: readonly string[] }): Y.Item {
  const { id, origin, rightOrigin, parent, parentSub } = first
  return text.length === 1
    ? first
    : new Y.Item(id, null, origin, null, rightOrigin, parent, parentSub, new Y.ContentString(text.join('')))
}
