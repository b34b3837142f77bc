import type { Version } from '../foundation/ids.ts'
import { BLOCK_VERSIONS, type Head } from '../model/document.ts'

/** A load replays at most so many rows; encoding a 100 KB document takes about 20 ms, so not oftener. */
export const SNAPSHOT_INTERVAL = 256
/** Nor more bytes than these, give or take one entry: 200 rewrites of 10 MiB would be 2 GB to read. */
export const SNAPSHOT_UPDATE_BYTES = 4 * 1024 * 1024
/** The content of any version is reached in so many steps from a checkpoint: some 10 ms, for packed rows. */
export const CHECKPOINT_INTERVAL = 1_024
/**
 * Or so many characters of effects, and a part of the content besides: there a checkpoint pays. Only at ends of blocks,
 * which are versions that are never compacted away.
 */
const CHECKPOINT_EFFECT_CHARACTERS = { least: 1024 * 1024, ofContent: 1 / 4 }
/**
 * An entry with a larger update or effect brings a checkpoint of its own, so that reading stays cheap in bytes too, once
 * the effects add up to that part of the content: a checkpoint then costs four times what was changed, not more. A small
 * update can have a large effect: a change of very many places is kept as one of the whole text.
 */
const CHECKPOINT_ENTRY_BYTES = 32 * 1024

/** The newest snapshot, and the bytes of the updates after it. */
export interface SnapshotPoint {
  readonly version: Version
  readonly bytesAfter: number
}

/** An entry as it is being appended. */
interface Appended {
  readonly head: Head
  readonly updateBytes: number
  readonly effectCharacters: number
  /** Of the whole content after it. */
  readonly contentBytes: number
}

/**
 * Where reading a log may begin: when an entry brings a snapshot (loading starts there) or a checkpoint (reading the past
 * starts there), so that neither ever has far to go and neither costs more than it saves.
 */
export class StartingPoints {
  #snapshot: SnapshotPoint
  /** Of effects since the last checkpoint, as far as this replica knows. */
  #effectCharacters = 0

  constructor(snapshot: SnapshotPoint) {
    this.#snapshot = snapshot
  }

  /** Counts the entry; whether the whole content is kept with it. */
  takesCheckpoint({ head: { version, firstVersion }, updateBytes, effectCharacters, contentBytes }: Appended): boolean {
    this.#effectCharacters += effectCharacters
    const { least, ofContent } = CHECKPOINT_EFFECT_CHARACTERS
    const pays = contentBytes * ofContent
    const isFar = this.#effectCharacters > least + pays
    const isLarge = Math.max(updateBytes, effectCharacters) > CHECKPOINT_ENTRY_BYTES && this.#effectCharacters > pays
    const isDue = version % CHECKPOINT_INTERVAL === 0 || (isFar && version % BLOCK_VERSIONS === 0)
    if (version !== firstVersion && !isDue && !isLarge) return false
    this.#effectCharacters = 0
    return true
  }

  /** Counts the entry; whether the whole Yjs state is kept after it. */
  takesSnapshot({ head: { version }, updateBytes }: Pick<Appended, 'head' | 'updateBytes'>): boolean {
    const last = this.#snapshot
    const bytesAfter = last.bytesAfter + updateBytes
    const isDue = version - last.version >= SNAPSHOT_INTERVAL || bytesAfter >= SNAPSHOT_UPDATE_BYTES
    this.#snapshot = isDue ? { version, bytesAfter: 0 } : { version: last.version, bytesAfter }
    return isDue
  }
}
