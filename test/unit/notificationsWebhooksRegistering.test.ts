import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Principal } from '../../server/access/access.ts'
import { parsePattern } from '../../server/foundation/ids.ts'
import { invariant } from '../../server/foundation/assert.ts'
import type { ParleyError } from '../../server/foundation/problems.ts'
import { CHANGED } from '../../server/model/event.ts'
import { ownerOf, principalOf } from '../../server/notifications/webhookOwner.ts'
import { readerOf } from '../support/readers.ts'
import {
  alice,
  commit,
  HOUR_MS,
  notes,
  pass,
  posts,
  register,
  restart,
  SECOND_MS,
  setUp,
  tearDown,
  until,
  webhooks,
} from '../support/webhooksAtWork.ts'

beforeEach(setUp)
afterEach(tearDown)

describe('registering a webhook', () => {
  it('[NOTE-5] begins with what happens after it', async () => {
    await commit(['a', 'before'])
    await register({ events: ['parley.conflict.detected', CHANGED] })
    await commit(['a', 'after'])
    await until(() => posts.length > 0)
    await pass(SECOND_MS)
    expect(notes()).toEqual(['after'])
  })

  it('[NOTE-5] only its owner and admin see it, and either may delete it', async () => {
    const { id } = await register()
    const bob = readerOf({ sub: 'bob' })
    const root: Principal = {
      ...readerOf({ sub: 'root' }),
      grants: [{ pattern: { prefix: '' }, permissions: new Set(['admin']) }],
    }
    const teamAdmin: Principal = { ...root, grants: [{ pattern: { prefix: 'a' }, permissions: new Set(['admin']) }] }
    for (const other of [bob, teamAdmin]) {
      expect(() => webhooks.find(id, other)).toThrow(expect.objectContaining({ code: 'not-found' }))
      await expect(webhooks.remove(id, other)).rejects.toMatchObject({ code: 'not-found' })
    }
    expect(webhooks.ownedBy(root.sub)).toEqual([])
    expect(webhooks.find(id, root).webhook.id).toBe(id)
    await webhooks.remove(id, root)
    await commit(['a', '1'])
    await pass(HOUR_MS)
    await restart()
    expect(posts).toEqual([])
    expect(() => webhooks.find(id, alice)).toThrow(expect.objectContaining({ code: 'not-found' }))
  })

  it('[NOTE-5] one principal may have so many, also when they come at once', async () => {
    const results = await Promise.allSettled(Array.from({ length: 25 }, () => register()))
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    expect(refused.map((error: ParleyError) => error.code)).toEqual(
      Array.from({ length: 5 }, () => 'too-many-webhooks'),
    )
    expect((await register({}, readerOf({ sub: 'bob' }))).id).toMatch(/^whk_/)
    const [first] = webhooks.ownedBy(alice.sub)
    invariant(first !== undefined, 'there are some')
    await webhooks.remove(first.webhook.id, alice)
    expect((await register()).secret).toMatch(/^whsec_/)
  })

  it('[NOTE-5] the rights of a token are kept as they were, also where its patterns overlap', () => {
    const grants = ['a*', 'a1', '*'].flatMap((text, n) => {
      const pattern = parsePattern(text)
      const permissions = new Set((['read', 'write', 'admin'] as const).slice(n))
      return pattern === null ? [] : [{ pattern, permissions }]
    })
    const principal: Principal = { ...alice, name: 'Alice', tokenId: 'x', grants }
    expect(principalOf(JSON.parse(JSON.stringify(ownerOf(principal))))).toEqual(principal)
  })

  it('is refused before the server runs and after it has stopped', async () => {
    webhooks.stop()
    await expect(register()).rejects.toMatchObject({ code: 'shutting-down' })
    expect(() => webhooks.ownedBy(alice.sub)).toThrow(expect.objectContaining({ code: 'shutting-down' }))
  })
})
