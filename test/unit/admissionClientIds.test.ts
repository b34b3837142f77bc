import * as Y from 'yjs'
import { describe, expect, it } from 'vitest'
import { admit, MAX_CLIENT_IDS, type GuardContext } from '../../server/documents/admission/admission.ts'
import { rawUpdate } from '../support/rawUpdate.ts'
import {
  admitText,
  alice,
  bob,
  complex,
  contextOf,
  helloDoc,
  malformed,
  ok,
  SERVER,
  serverDoc,
} from './admissionSupport.ts'

describe('a Yjs client id', () => {
  const extendsBy = (principal: GuardContext['principal'], used: Record<number, GuardContext['principal']>) => {
    const update = rawUpdate([{ client: 1, clock: 5, structs: [{ text: '!', origin: [1, 4] }] }])
    return admit(update, contextOf(helloDoc(), 'text', { principal, userOf: (client) => used[client] ?? null }))
  }

  it('[SYNC-6] in use belongs to the principal that uses it; one nobody uses may be extended', () => {
    expect(extendsBy(alice, {})).toEqual(ok(1))
    expect(extendsBy(alice, { 1: alice })).toEqual(ok(1))
    expect(extendsBy(bob, { 1: alice })).toEqual(malformed)
    expect(extendsBy(bob, { 2: alice })).toEqual(ok(1))
  })

  it('[SYNC-6] of somebody else may be sent with what is known of it, and its text deleted', () => {
    const doc = helloDoc()
    const context = contextOf(doc, 'text', { principal: bob, userOf: () => alice })
    expect(admit(Y.encodeStateAsUpdate(doc), context)).toEqual(ok())
    expect(admit(rawUpdate([], [[1, 0, 5]]), context)).toEqual(ok())
  })

  it('[SYNC-6] of the server is never extended', () => {
    expect(admitText(rawUpdate([{ client: SERVER, structs: [{ text: 'x' }] }]))).toEqual(malformed)
  })

  it('[SYNC-6] cannot be poisoned while its owner is there', () => {
    const doc = serverDoc()
    Y.applyUpdate(doc, rawUpdate([{ client: 1000, structs: [{ text: 'abc' }] }]))
    const poison = rawUpdate([{ client: 1000, clock: 3, structs: [{ gc: 1_000 }] }])
    expect(admit(poison, contextOf(doc, 'text', { principal: bob, userOf: () => alice }))).toEqual(malformed)
  })
})

describe('Yjs client ids', () => {
  it('[DOC-10] are bounded, and those who are there go on', () => {
    const doc = serverDoc()
    for (let client = 1; client <= MAX_CLIENT_IDS; client++)
      doc.store.clients.set(client, [new Y.GC(Y.createID(client, 0), 1)])
    expect(admitText(rawUpdate([{ client: MAX_CLIENT_IDS + 1, structs: [{ text: 'x' }] }]), doc)).toEqual(complex)
    expect(admitText(rawUpdate([{ client: 7, clock: 1, structs: [{ text: 'x' }] }]), doc)).toEqual(ok(7))
  })
})
