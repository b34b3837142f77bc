import * as Y from 'yjs'
import { expect } from 'vitest'
import type { Kind } from '../../server/content/content.ts'
import { toPrincipalId } from '../../server/foundation/ids.ts'
import { admit, type Admission, type GuardContext } from '../../server/documents/admission/admission.ts'
import { rawUpdate, type RawSection, type RawStruct } from '../support/rawUpdate.ts'

export const SERVER = 4_000_000_000
export const alice = toPrincipalId('alice')
export const bob = toPrincipalId('bob')

export function contextOf(doc: Y.Doc, kind: Kind = 'text', more: Partial<GuardContext> = {}): GuardContext {
  const limits = { maxBytes: 10 * 1024 * 1024, maxDepth: 64, maxNodes: 100_000 }
  const nothingElse = { owners: new Map(), formerClients: new Map(), takes: 'whole' } as const
  return { doc, kind, root: 'content', limits, principal: alice, userOf: () => null, ...nothingElse, ...more }
}

/** A document as the server holds it: its root has its type. */
export function serverDoc(kind: Kind = 'text'): Y.Doc {
  const doc = new Y.Doc()
  doc.clientID = SERVER
  if (kind === 'text') doc.getText('content')
  else doc.getMap('content')
  return doc
}

/** A text document in which client 1 has written `hello`. */
export function helloDoc(): Y.Doc {
  const doc = serverDoc()
  Y.applyUpdate(doc, rawUpdate([{ client: 1, structs: [{ text: 'hello' }] }]))
  return doc
}

export const admitText = (update: Uint8Array, doc = serverDoc()): Admission => admit(update, contextOf(doc))
export const admitJson = (update: Uint8Array, doc = serverDoc('json')): Admission =>
  admit(update, contextOf(doc, 'json'))
export const by2 = (...structs: RawStruct[]): RawSection => ({ client: 2, structs })

export const ok = (...extended: number[]) => expect.objectContaining({ admitted: true, extended, left: null })
export const refused = (code: string) => expect.objectContaining({ admitted: false, code })
export const malformed = refused('invalid-request')
export const gap = refused('missing-dependencies')
export const complex = refused('content-too-complex')
