import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { toVersion } from '../../server/foundation/ids.ts'
import type { WebhookId } from '../../server/model/webhook.ts'
import type { SharedFixture } from './storageFixture.ts'
import {
  actOf,
  after,
  alice,
  appendTo,
  bob,
  commitAll,
  newAct,
  newAnswer,
  newConflict,
  newDocumentId,
  newEvent,
  newHead,
  NOON,
  opening,
} from './storageSamples.ts'

let made = 0
const newKey = (): string => `key ${++made}`

export function describeAnswers(shared: SharedFixture): void {
  it('[WRITE-8] an answer comes back as it was kept, also after a restart', async () => {
    const [full, bare] = [newKey(), newKey()]
    const documents = [newDocumentId(), newDocumentId()]
    const answers = [
      newAnswer({ key: full, documents, body: 'x'.repeat(100_000) }),
      newAnswer({ key: bare, principal: bob, status: 204, headers: {}, body: null }),
    ]
    for (const answer of answers) await commitAll(shared().storage, newAct({ answer }))
    expect(await shared().storage.answer(alice, full)).toEqual(answers[0])
    await shared().reopen()
    expect(await shared().storage.answer(alice, full)).toEqual(answers[0])
    expect(await shared().storage.answer(bob, bare)).toEqual(answers[1])
    expect(await shared().storage.answer(bob, full)).toBeNull()
    expect(await shared().storage.answer(alice, newKey())).toBeNull()
  })

  it('[WRITE-8] it stands or falls with its act', async () => {
    const { storage } = shared()
    const key = newKey()
    const answer = newAnswer({ key })
    const head = newHead(newDocumentId())
    await commitAll(storage, { ...actOf(appendTo(head)), answer: newAnswer({ key: newKey() }) })
    const stale = { ...actOf(appendTo(head)), answer }
    expect(await storage.commit(stale)).toMatchObject({ status: 'stale' })
    const record = newConflict(head.id)
    await commitAll(storage, opening(record))
    const moved = { ...newAct({ conflicts: [{ op: 'update', record: { ...record, revision: 7 } }] }), answer }
    expect(await storage.commit(moved)).toMatchObject({ status: 'conflict-moved' })
    expect(await storage.answer(alice, key)).toBeNull()
    expect(await storage.commit({ ...actOf(appendTo(after(head))), answer })).toMatchObject({ status: 'committed' })
    expect(await storage.answer(alice, key)).toEqual(answer)
  })

  it('[WRITE-8] of two acts with one key the second is refused as a whole', async () => {
    const { storage } = shared()
    const key = newKey()
    const answer = newAnswer({ key })
    const [first, second] = [newHead(newDocumentId()), newHead(newDocumentId())]
    const { last } = await storage.eventRange()
    const results = await Promise.all([
      storage.commit({ ...actOf(appendTo(first)), answer }),
      storage.commit({
        ...actOf(appendTo(second)),
        events: [newEvent(second.id)],
        answer: newAnswer({ key, status: 201 }),
      }),
    ])
    expect(results.map((result) => result.status)).toEqual(['committed', 'answered'])
    expect(await storage.head(second.id)).toBeNull()
    expect((await storage.eventRange()).last).toBe(last)
    expect(await storage.answer(alice, key)).toEqual(answer)
    // The same key of another principal is another key.
    const foreign = newAnswer({ key, principal: bob })
    expect(await storage.commit({ ...actOf(appendTo(second)), answer: foreign })).toMatchObject({ status: 'committed' })
  })

  it('[WRITE-8] an expired one makes room for the next', async () => {
    const { storage } = shared()
    const key = newKey()
    const documents = [newDocumentId()]
    const old = newAnswer({ key, documents, expiresAt: NOON + 10 })
    await commitAll(storage, newAct({ answer: old }))
    const early = newAnswer({ key, at: NOON + 9 })
    expect(await storage.commit(newAct({ answer: early }))).toEqual({ status: 'answered' })
    const next = newAnswer({ key, documents, at: NOON + 10, status: 201 })
    await commitAll(storage, newAct({ answer: next }))
    expect(await storage.answer(alice, key)).toEqual(next)
  })

  it('[WRITE-8] pruning forgets what expired, a bounded number at a time', async () => {
    const { storage } = shared()
    const keys = Array.from({ length: 1200 }, newKey)
    const documents = [newDocumentId()]
    const expired = keys.map((key) => newAnswer({ key, documents, expiresAt: NOON - 1000 }))
    const kept = newAnswer({ key: newKey(), documents, expiresAt: NOON })
    await commitAll(storage, ...[...expired, kept].map((answer) => newAct({ answer })))
    let pruned = 0
    for (let step = 0; step < 100; step++) {
      const now = await storage.pruneAnswers(NOON)
      expect(now).toBeLessThan(1000)
      pruned += now
      if (now === 0) break
    }
    expect(pruned).toBe(1200)
    expect(await storage.answer(alice, keys[0] ?? '')).toBeNull()
    expect(await storage.answer(alice, kept.key)).toEqual(kept)
  })

  it('[OPS-8] of large answers a few are pruned at a time', async () => {
    const { storage } = shared()
    const large = Array.from({ length: 6 }, () =>
      newAnswer({ key: newKey(), expiresAt: NOON - 1, body: randomBytes(1_500_000).toString('base64') }),
    )
    await commitAll(storage, ...large.map((answer) => newAct({ answer })))
    const pruned: number[] = []
    do pruned.push(await storage.pruneAnswers(NOON))
    while (pruned.at(-1) !== 0)
    expect(Math.max(...pruned)).toBeLessThan(6)
    for (const { key } of large) expect(await storage.answer(alice, key)).toBeNull()
  })

  it('[WRITE-8] revocations and webhooks take theirs along, or are refused with it', async () => {
    const { storage } = shared()
    const webhook = {
      id: `whk_answers${newKey()}` as WebhookId,
      url: 'https://receiver.test/',
      documents: ['*'],
      events: [],
      secret: 'whsec_c2VjcmV0',
      owner: { sub: alice, name: null, access: {}, issuedAt: 1, expiresAt: 2, tokenId: null },
      createdAt: NOON,
    }
    const writes = [
      (answer: ReturnType<typeof newAnswer>) => storage.addWebhook(webhook, 'cursor', answer),
      (answer: ReturnType<typeof newAnswer>) => storage.deleteWebhook(webhook.id, answer),
      (answer: ReturnType<typeof newAnswer>) =>
        storage.revoke({ subject: { sub: bob }, until: toVersion(made) }, answer),
    ]
    for (const write of writes) {
      const answer = newAnswer({ key: newKey() })
      await write(answer)
      expect(await storage.answer(alice, answer.key)).toEqual(answer)
      await expect(write({ ...answer, status: 201 })).rejects.toMatchObject({ code: 'request-in-progress' })
      expect(await storage.answer(alice, answer.key)).toEqual(answer)
    }
    const unnamed = newAnswer({ key: newKey() })
    expect(await storage.setLabel(newDocumentId(), toVersion(1), 'nothing', unnamed)).toBe(false)
    expect(await storage.answer(alice, unnamed.key)).toBeNull()
    expect((await storage.webhooks()).some(({ webhook: { id } }) => id === webhook.id)).toBe(false)
  })
}
