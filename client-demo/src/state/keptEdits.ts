import * as Y from 'yjs'
import { isSameLife, type Kept, type Life, type Shelf } from './shelf.ts'

/**
 * What the shelf keeps of this life of a document, null of one that was deleted. Nothing goes into another life than the one
 * it was written in: there it is left as a text, to be copied.
 */
export function takeKept(shelf: Shelf, documentId: string, life: Life | null): Kept | null {
  const kept = shelf.take(documentId)
  if (kept === null || (life !== null && isSameLife(kept.life, life))) return kept
  shelf.leave(documentId, 'draft' in kept ? kept.draft.text : textIn(kept.state, kept.life.root))
  return null
}

function textIn(state: Uint8Array, root: string): string {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, state)
  const text = doc.getText(root).toString()
  doc.destroy()
  return text
}
