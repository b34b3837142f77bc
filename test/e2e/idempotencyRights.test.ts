import { expect, it } from 'vitest'
import { toPrincipalId } from '../../server/foundation/ids.ts'
import { expectStatus } from '../support/conflicts.ts'
import { startDocumentServer, verdict } from '../support/documents.ts'
import { isReplayed } from '../support/idempotency.ts'
import type { Answer, Caller } from '../support/server.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(() => startDocumentServer({ PARLEY_WEBHOOK_PRIVATE: 'true' }))
const alice = server.caller('alice')
const bob = server.caller('bob')
const root = server.caller('root', { '*': ['admin'] })
/** The same people with less. */
const aliceWriting = server.caller('alice', { '*': ['read', 'write'] })
const rootWriting = server.caller('root', { '*': ['read', 'write'] })
const aliceReading = server.caller('alice', { '*': ['read'] })
const aliceElsewhere = server.caller('alice', { 'other:*': ['read', 'write'] })

let keys = 0
const newKey = () => ({ 'idempotency-key': `rights-${++keys}` })

async function conflictOf(): Promise<{ id: string; conflictId: string }> {
  const id = await server.create('one\n')
  expectStatus(await bob.put(`/documents/${id}`, { content: 'two\n', baseVersion: 1 }), 200)
  const refused = expectStatus(await alice.put(`/documents/${id}`, { content: 'three\n', baseVersion: 1 }), 409)
  return { id, conflictId: refused.body.conflict.id }
}

/** What is done once by the first, and what its answer then is to the second, who may do less. */
const LOST: readonly [string, string, () => Promise<[(by: Caller) => Promise<Answer>, Caller, Caller]>][] = [
  [
    'a resolution',
    '403 forbidden',
    async () => {
      const { conflictId } = await conflictOf()
      const key = newKey()
      const body = { conflictId, baseVersion: 2, use: 'incoming' }
      return [(by) => by.post('/resolve-conflict', body, key), alice, aliceWriting]
    },
  ],
  [
    'an unconditional write',
    '403 forbidden',
    async () => {
      const id = await server.create('one\n')
      const headers = { ...newKey(), 'if-match': '*' }
      return [(by) => by.put(`/documents/${id}`, { content: 'x' }, headers), root, rootWriting]
    },
  ],
  [
    'the commit of a staged transaction',
    '403 forbidden',
    async () => {
      const id = await server.create('one\n')
      const operations = [{ action: 'put', document: id, baseVersion: 1, content: 'x' }]
      const staged = expectStatus(await alice.post('/transactions', { operations }), 201).body.id
      const key = newKey()
      return [(by) => by.post(`/transactions/${staged}/commit`, undefined, key), alice, aliceReading]
    },
  ],
  [
    'the revival of a deleted document',
    '403 forbidden',
    async () => {
      const id = await server.create('one\n')
      expectStatus(await root.delete(`/documents/${id}?baseVersion=1`), 204)
      const key = newKey()
      const body = { version: 1, baseVersion: 2 }
      return [(by) => by.post(`/documents/${id}/restore`, body, key), root, rootWriting]
    },
  ],
  [
    'a broken lock',
    '403 forbidden',
    async () => {
      const id = await server.create('one\n')
      expectStatus(await alice.post(`/documents/${id}/lock`, { ttlSeconds: 60 }), 201)
      const key = newKey()
      return [(by) => by.delete(`/documents/${id}/lock?break=true`, key), root, rootWriting]
    },
  ],
  [
    'a webhook of a document',
    '404 not-found',
    async () => {
      const body = { url: 'http://127.0.0.1:9/', documents: [await server.create('one\n')] }
      const key = newKey()
      return [(by) => by.post('/conflict-notifications', body, key), alice, aliceElsewhere]
    },
  ],
]

it.each(LOST)('[WRITE-8] %s is not told again to a token that may not do it any more', async (_name, wanted, scene) => {
  const [send, able, unable] = await scene()
  const first = await send(able)
  expect(first.status).toBeLessThan(300)
  expect(verdict(await send(unable))).toBe(wanted)
  const again = await send(able)
  expect([isReplayed(again), again.status, again.body]).toEqual([true, first.status, first.body])
})

it('[WRITE-8] a proposal is told again to who may resolve by now, and is not applied', async () => {
  const { conflictId } = await conflictOf()
  const key = newKey()
  const body = { conflictId, baseVersion: 2, use: 'incoming' }
  const first = expectStatus(await aliceWriting.post('/resolve-conflict', body, key), 202)
  const again = await alice.post('/resolve-conflict', body, key)
  expect([isReplayed(again), again.status, again.body]).toEqual([true, 202, first.body])
})

it('[WRITE-8] [LOCK-2] no stored answer holds the token of a lock or the secret of a webhook, and a repeat does', async () => {
  const id = await server.create('one\n')
  const keyed = { lock: newKey(), renewal: newKey(), webhook: newKey() }
  const lock = await alice.post(`/documents/${id}/lock`, { ttlSeconds: 60 }, keyed.lock)
  const { token } = expectStatus(lock, 201).body
  const requests: [Record<string, string>, Answer, () => Promise<Answer>, string][] = [
    [keyed.lock, lock, () => alice.post(`/documents/${id}/lock`, { ttlSeconds: 60 }, keyed.lock), token],
  ]
  const renew = () => alice.put(`/documents/${id}/lock`, {}, { ...keyed.renewal, 'lock-token': token })
  requests.push([keyed.renewal, expectStatus(await renew(), 200), renew, token])
  const register = () =>
    alice.post('/conflict-notifications', { url: 'http://127.0.0.1:9/', documents: ['*'] }, keyed.webhook)
  const webhook = expectStatus(await register(), 201)
  requests.push([keyed.webhook, webhook, register, webhook.body.secret])
  for (const after of ['at once', 'after a restart']) {
    for (const [headers, first, send, secret] of requests) {
      const stored = await server.storage.answer(toPrincipalId('alice'), headers['idempotency-key'] ?? '')
      expect([after, stored?.status, stored?.body?.includes(secret)]).toEqual([after, first.status, false])
      const again = await send()
      expect([after, isReplayed(again), JSON.stringify(again.body)]).toEqual([after, true, JSON.stringify(first.body)])
    }
    await server.restart()
  }
  const write = { content: 'two\n', baseVersion: 1 }
  expect(verdict(await alice.put(`/documents/${id}`, write, { 'lock-token': token }))).toBe('200 written')
})
