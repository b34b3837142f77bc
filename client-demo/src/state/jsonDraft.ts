import { equalityDeep } from 'lib0/function'
import type { Document, Violation } from '../parley/types.ts'
import { contentText, parseJson } from './contents.ts'

/** A version of the document as the draft needs it. */
export interface Ground {
  readonly version: number
  readonly etag: string
  readonly text: string
}

/**
 * A json document under edit. `from` is the version the text started from, `latest` the newest one known:
 * saving on an older `from` is refused by the server with a conflict, and this draft does not hide that.
 */
export interface JsonDraft {
  readonly text: string
  readonly from: Ground
  readonly latest: Ground
  readonly status: 'clean' | 'edited' | 'saving' | 'refused'
  /** The conflict that keeps the refused text. */
  readonly conflictId: string | null
  /** Where the server said, the last time, that the text breaks the schema. */
  readonly violations?: readonly Violation[]
}

export const ground = (document: Document): Ground => ({
  version: document.version,
  etag: document.etag,
  text: contentText(document.content),
})

export const startDraft = (document: Document): JsonDraft => loadLatest(ground(document))

const loadLatest = (latest: Ground): JsonDraft => ({
  text: latest.text,
  from: latest,
  latest,
  status: 'clean',
  conflictId: null,
})

export function edit(draft: JsonDraft, text: string): JsonDraft {
  if (text === draft.text) return draft
  return { ...draft, text, status: text === draft.from.text ? 'clean' : 'edited' }
}

/** The server holds another version now. A clean draft follows it, an edited one stays as it is. */
export function moved(draft: JsonDraft, document: Document): JsonDraft {
  const latest = ground(document)
  if (latest.version < draft.latest.version) return draft
  // What the person laid out by hand stays laid out where only the layout differs.
  const isSame = (draft.status === 'clean' || draft.status === 'edited') && sameJson(draft.text, latest.text)
  // Edits that the document holds by now were stored: by a save whose answer went elsewhere, or by others.
  if (isSame) return { ...draft, from: { ...latest, text: draft.text }, latest, status: 'clean', conflictId: null }
  return draft.status === 'clean' ? loadLatest(latest) : { ...draft, latest }
}

export const saving = (draft: JsonDraft): JsonDraft => ({ ...draft, status: 'saving', violations: [] })

/** Written: `sent` is the version now. What was typed since then is an edit on top of it. */
export function saved(draft: JsonDraft, sent: Ground): JsonDraft {
  const latest = sent.version >= draft.latest.version ? sent : draft.latest
  const status = draft.text === sent.text ? 'clean' : 'edited'
  return { ...draft, from: sent, latest, status, conflictId: null }
}

/** Refused with a conflict: the text is kept there as incoming, and stays in the editor too. */
export const refused = (draft: JsonDraft, conflictId: string | null): JsonDraft => ({
  ...draft,
  status: 'refused',
  conflictId,
})

/** The request failed: the text is as unsaved as before. */
export const unsaved = (draft: JsonDraft): JsonDraft => ({ ...draft, status: 'edited' })

/** Refused because it breaks the schema: nothing was written, and no conflict opened. */
export const invalid = (draft: JsonDraft, violations: readonly Violation[]): JsonDraft => ({
  ...draft,
  status: 'edited',
  violations,
})

/** Gives the text up for the newest version. */
export const discard = (draft: JsonDraft): JsonDraft => loadLatest(draft.latest)

/** Why the text cannot be saved as it is; null if it can. */
export function syntaxProblem(text: string): string | null {
  const parsed = parseJson(text)
  if ('error' in parsed) return parsed.error
  const { value } = parsed
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? null
    : 'A json document is an object: { … }'
}

function sameJson(a: string, b: string): boolean {
  const left = parseJson(a)
  const right = parseJson(b)
  return 'value' in left && 'value' in right && equalityDeep(left.value, right.value)
}
