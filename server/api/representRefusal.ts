import type { WriteResult } from '../documents/planWrite.ts'
import { whenKnown } from '../foundation/known.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { ConflictRecord } from '../model/conflict.ts'
import { outlineOf } from '../conflicts/show.ts'
import { shownInConflict } from '../conflicts/shownContents.ts'
import type { ConflictShower } from '../conflicts/shower.ts'
import type { StorageView } from '../storage/view.ts'

/**
 * The 409 of a write that was refused, with its conflict where there is one (SPEC WRITE-5, WRITE-6, CONF-1): with or
 * without contents, or as in lists (`outline`).
 */
export function refusalOf(
  { storage, shower }: { readonly storage: StorageView; readonly shower: ConflictShower },
  result: Exclude<WriteResult, { status: 'done' }>,
  etag: string,
  contents: boolean | 'outline',
  linkBase: string,
): ParleyError | Promise<ParleyError> {
  if (result.status === 'refused-version') {
    return new ParleyError(
      'version-conflict',
      'The version moved, the content did not: write again on the current one.',
      { extras: { contentUnchanged: true }, headers: { etag: `"${etag}"` } },
    )
  }
  const { record, stored, sides, merged, entries } = result.refusal
  const shown =
    contents === 'outline'
      ? outlineOf(storage, record, { stored, linkBase }).then((outline) => ({ ...outline, truncated: true }))
      : shower.show(record, { contents, known: { sides, merged, entries }, stored, linkBase })
  const named: Record<string, string> = { etag: `"${etag}"` }
  if (stored) named['link'] = `<${linkBase}/conflicts/${record.id}>; rel="conflict"`
  return whenKnown<object, ParleyError>(
    shown,
    (conflict) =>
      new ParleyError('version-conflict', detailOf(record, stored, linkBase), {
        extras: { conflict },
        // What was not stored stands nowhere else.
        shownIn: stored ? shownInConflict(record) : null,
        headers: named,
      }),
  )
}

/** Which versions met, and what to do about it. */
function detailOf({ id, state, base, current }: ConflictRecord, stored: boolean, linkBase: string): string {
  const met = `This write is based on version ${base.version}, and the document is at version ${current.version} since.`
  if (!stored) {
    return `${met} So many conflicts of yours are open that this one was not kept: resolve or dismiss some (GET /conflicts), then write again.`
  }
  if (state.status !== 'open')
    return `${met} The current content stands; what was refused stays at ${linkBase}/conflicts/${id}.`
  return `${met} Resolve conflict ${id} by POST /resolve-conflict with baseVersion ${current.version}.`
}
