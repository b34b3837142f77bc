import * as Y from 'yjs'

/**
 * Yjs client ids under which the server writes a document of one process: as many places of a json content can be written in
 * turn without that the document grows. Each costs the state vector some 10 bytes, and few documents need more than one.
 */
export const PENS = 64

/** Of a document that is not being written just now, whose `clientID` is the first of its pens. */
export const isPen = ({ clientID }: Pick<Y.Doc, 'clientID'>, client: number): boolean =>
  numberOf(client, clientID) < PENS

const numberOf = (client: number, first: number): number => (client - first) >>> 0
export const penOf = (first: number, number: number): number => (first + number) >>> 0
/** All of them, of a document that is not being written just now. */
export const pensOf = ({ clientID }: Pick<Y.Doc, 'clientID'>): number[] =>
  Array.from({ length: PENS }, (_, number) => penOf(clientID, number))

/**
 * Writes what comes in place of `before` under such a pen that Yjs joins it with what was there. Yjs keeps of a value that was
 * replaced only how long it was, and that is joined with its successor where both were written one right after the other
 * under one id: so a place is written with the pen that wrote it last, as long as that has written nothing else since.
 */
export function writeOver(doc: Y.Doc | null, before: Y.Item | null, write: () => void): void {
  if (doc === null) return write()
  const first = doc.clientID
  doc.clientID = penFor(doc.store, first, before)
  try {
    write()
  } finally {
    doc.clientID = first
  }
}

/** The first one writes whatever it has not written before: only what is written in turns takes others. */
function penFor(store: Y.Doc['store'], first: number, before: Y.Item | null): number {
  if (before === null || numberOf(before.id.client, first) >= PENS) return first
  const { client, clock } = before.lastId
  if (Y.getState(store, client) === clock + 1) return client
  for (let number = 1; number < PENS; number++) {
    const pen = penOf(first, number)
    const structs = store.clients.get(pen)
    if (structs === undefined || structs.at(-1)?.deleted === true) return pen
  }
  // All have written what stands there: one of them begins anew, another each time.
  return penOf(first, 1 + ((Math.imul(clock + 1, 0x9e3779b1) >>> 16) % (PENS - 1)))
}
