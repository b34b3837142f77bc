import { contentAt, effectsBetween, firstVersionOf } from '../documents/past.ts'
import { broughtBy, type SettlingVerdict, touchesOverlap } from '../documents/superseded.ts'
import { NO_VERSION, previousVersion, type Version } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { yieldTurn } from '../foundation/turns.ts'
import type { ConflictRecord } from '../model/conflict.ts'
import type { StorageView } from '../storage/view.ts'
import { sideContent } from './show.ts'

/** Whether a write of its author settles an open conflict. */
export interface SettledQuestion {
  readonly ask: 'settled'
  readonly record: ConflictRecord
  /** Of the write. */
  readonly version: Version
}

/** `at`: when it was written. */
export type TimedVerdict = SettlingVerdict & { readonly at: number }

/** Compares both whole (SPEC WRITE-7). */
export async function answerVerdict(storage: StorageView, { record, version }: SettledQuestion): Promise<TimedVerdict> {
  return storage.read(async (view) => {
    const { document, documentKind } = record
    const versionBefore = previousVersion(version)
    let write = null
    for await (const entry of effectsBetween(view, document, versionBefore, version)) write = entry
    if (write === null || firstVersionOf(write) !== version) {
      throw new ParleyError('base-compacted', `Version ${version} of ${document} became part of another.`)
    }
    const { effect, at } = write
    const sides = {
      base: await contentAt(view, document, documentKind, record.base.version ?? NO_VERSION),
      incoming: await sideContent(view, record, record.incoming),
    }
    const before = await contentAt(view, document, documentKind, versionBefore)
    if (touchesOverlap(sides, { before, effect })) return { isSettled: true, at }
    await yieldTurn()
    const after = await contentAt(view, document, documentKind, version)
    return { ...broughtBy(sides, { after }), at }
  })
}
