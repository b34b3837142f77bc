import { expect, it } from 'vitest'
import { toLockHash } from '../../server/foundation/ids.ts'
import { encodeAct } from '../../server/storage/sqlite/act.ts'
import type { SqliteOperation } from '../../server/storage/sqlite/operation.ts'
import type { Append } from '../../server/storage/act.ts'
import type { ExecutedBatch } from '../../server/storage/sqlite/writeQueue.ts'
import { after, alice, appendTo, newAct, newDocumentId, newEvent, newHead } from '../support/storageSamples.ts'

const head = newHead(newDocumentId(), { schema: { type: 'string' } })
const step: Append = {
  ...appendTo(after(head)),
  keepsSettings: true,
  pass: { by: 'edit', principal: alice, tokenHash: null },
}
const token = { by: 'edit', principal: alice, tokenHash: toLockHash('h') } as const
const onto = { checksum: 1, author: alice, at: 2 }

it.each<[string, SqliteOperation]>([
  ['a step of one document', encodeAct(newAct({ appends: [step] }))],
  ['settings', encodeAct(newAct({ appends: [appendTo(after(head))] }))],
  ['a lock token', encodeAct(newAct({ appends: [{ ...step, pass: token }] }))],
  ['what was made on an entry on its way', encodeAct(newAct({ appends: [{ ...step, onto }] }))],
  ['a checkpoint', encodeAct(newAct({ appends: [{ ...step, checkpoint: 'all of it' }] }))],
  ['Yjs clients', encodeAct(newAct({ appends: [{ ...step, formerClients: new Map([[1, 2]]) }] }))],
  ['two documents', encodeAct(newAct({ appends: [step, appendTo(newHead(newDocumentId()))] }))],
  ['an event', encodeAct(newAct({ appends: [step], events: [newEvent(head.id)] }))],
  ['waiting edits', encodeAct(newAct({ appends: [step], settles: [7] }))],
  ['a purge', encodeAct(newAct({ appends: [step], purges: [step.head] }))],
  ['no entry', encodeAct(newAct())],
  ['no act', { op: 'prune-events', before: 5 }],
])('%s: all of it is handed over to the thread, and says the same at the other side', (_name, operation) => {
  expect(structuredClone(operation)).toEqual(operation)
})

it('results are handed over as they are', () => {
  const done = { results: [0, 5].map((value) => ({ status: 'done', value }) as const), commitMs: 3, isUntidy: true }
  const locked = { ...done, results: [...done.results, { status: 'done', value: 0, lockExpiresAt: 9 } as const] }
  const stale = { ...done, results: [...done.results, { status: 'stale', document: 'doc', version: 2 } as const] }
  for (const batch of [done, locked, stale] satisfies ExecutedBatch[]) expect(structuredClone(batch)).toEqual(batch)
})
