/**
 * Which rows of a log may be kept together, and which may become one (SPEC HIST-4). Pure.
 */
import { BLOCK_VERSIONS, type Origin } from '../model/document.ts'
import type { PrincipalId, Version } from '../foundation/ids.ts'

/** SPEC HIST-4: what one author typed within this time may be one version. */
const JOIN_WINDOW_MS = 5 * 60 * 1000
/** Rows with larger updates stay as they are: they gain nothing. */
const MAX_ROW_BYTES = 32 * 1024
/** Updates in one pack; reading any of its rows reads them all. */
const MAX_PACK_BYTES = 256 * 1024

/** A row as far as it counts here; `bytes` of its update, `firstVersion` where it stands for several versions. */
export interface Row {
  readonly version: Version
  readonly firstVersion?: Version
  readonly author: PrincipalId
  readonly at: number
  readonly origin: Origin
}

/** The last version of the block that a version is in. */
export const blockEnd = (version: number): number => Math.ceil(version / BLOCK_VERSIONS) * BLOCK_VERSIONS

/** Stretches of rows that fit into one pack each. Rows that fit into none are in none. In order. */
export function packable<R extends { readonly bytes: number }>(rows: readonly R[]): R[][] {
  const packs: R[][] = []
  let room = -1
  for (const row of rows) {
    if (row.bytes > MAX_ROW_BYTES) {
      room = -1
      continue
    }
    room -= row.bytes
    if (room < 0) {
      packs.push([])
      room = MAX_PACK_BYTES - row.bytes
    }
    packs.at(-1)?.push(row)
  }
  return packs
}

/** The rows in order, those together that may become one. `pinned` are versions that must stay. */
export function joinable<R extends Row>(rows: readonly R[], pinned: ReadonlySet<Version>): R[][] {
  const runs: R[][] = []
  for (const row of rows) {
    const run = runs.at(-1)
    if (run && isOne(run, row, pinned)) run.push(row)
    else runs.push([row])
  }
  return runs
}

function isOne([first, ...rest]: readonly Row[], next: Row, pinned: ReadonlySet<Version>): boolean {
  const last = rest.at(-1) ?? first
  if (first === undefined || last === undefined) return false
  const bothTyped = [first, next].every((row) => row.origin === 'live' && row.firstVersion === undefined)
  const isSoon = next.at >= last.at && next.at - first.at <= JOIN_WINDOW_MS
  return bothTyped && first.author === next.author && isSoon && !pinned.has(last.version)
}
