import { afterEach, describe, expect, it } from 'vitest'
import type { Terms } from '../../server/foundation/answer.ts'
import { toPrincipalId } from '../../server/foundation/ids.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import type { LockState } from '../../server/model/lock.ts'
import type { OwnedLock } from '../../server/locks/locks.ts'
import { ALICE, BOB, codeOf, Editor } from '../support/documentCore.ts'
import { DOC, quiet, startLockNodes, type LockNodes } from '../support/lockNodes.ts'

const TTL_MS = 60_000

let world: LockNodes
afterEach(() => world.stop())

const lock = (): Promise<LockState> => world.storage.lock(DOC)
const contentOf = async (): Promise<unknown> => {
  const lease = await world.nodes[0].replicas.lease(DOC)
  if ('absent' in lease) throw new Error('it lives')
  const content = lease.replica.content()
  lease.release()
  return content
}

describe('[LOCK-2] a holder that was paused past its time', () => {
  it('cannot write, though nobody else has the lock and no timer has run', async () => {
    world = await startLockNodes({ hints: true })
    const [node] = world.nodes
    const { token } = await node.acquire(ALICE, { ttlMs: TTL_MS })
    world.environment.jump(TTL_MS - 1)
    expect(await node.put('in time', token)).toMatchObject({ outcome: 'written' })
    world.environment.jump(1)
    expect(await codeOf(node.put('late', token))).toBe('lock-lost')
    expect(await contentOf()).toBe('in time')
    expect(await node.put('by anyone')).toMatchObject({ outcome: 'written' })
  })

  it('cannot write with an act that was handed over in time and executed late', async () => {
    world = await startLockNodes({ hints: true })
    const [node] = world.nodes
    const { token } = await node.acquire(ALICE, { ttlMs: TTL_MS })
    const letGo = world.storage.hold()
    const late = codeOf(node.put('late', token))
    await quiet()
    expect(world.storage.acts.at(-1)?.appends).toHaveLength(1)
    world.environment.jump(TTL_MS)
    letGo()
    expect(await late).toBe('lock-lost')
    expect(await contentOf()).toBe('a')
    expect((await world.storage.head(DOC))?.version).toBe(1)
  })

  it('cannot write when the lock has passed on while its act was on the way', async () => {
    world = await startLockNodes({ hints: false })
    const [here, there] = world.nodes
    const { token } = await here.acquire(ALICE, { ttlMs: TTL_MS })
    const letGo = world.storage.hold()
    const late = here.put('late', token)
    late.catch(() => undefined)
    await quiet()
    world.environment.jump(TTL_MS)
    const taking = there.acquire(BOB)
    letGo()
    expect((await taking).fence).toBe(2)
    expect(await codeOf(late)).toBe('lock-lost')
    expect(await contentOf()).toBe('a')
  })

  it('cannot renew or release it either', async () => {
    world = await startLockNodes({ hints: true })
    const [node] = world.nodes
    const { token } = await node.acquire(ALICE, { ttlMs: TTL_MS })
    world.environment.jump(TTL_MS)
    expect(await codeOf(node.locks.renew(DOC, token, null))).toBe('lock-lost')
    expect(await codeOf(node.locks.release(DOC, token, ALICE))).toBe('lock-lost')
    expect(await lock()).toMatchObject({ name: 'lapsed', fence: 1 })
  })
})

describe('[LOCK-2] nodes that share a database and tell each other nothing', () => {
  it('a lock taken on one bars the writes of the other, which learns of it by being refused', async () => {
    world = await startLockNodes({ hints: false })
    const [here, there] = world.nodes
    await there.put('b')
    const { token } = await here.acquire(ALICE)
    const refused = await there.put('c').catch((problem: unknown) => problem)
    expect(refused).toMatchObject({ code: 'locked', extras: { owner: 'alice', queuePosition: 1 } })
    expect(await there.put('c', token)).toMatchObject({ outcome: 'written' })
    expect(await there.lines.acquire({ document: DOC, owner: BOB, ttlMs: 1 }, nowOrNever()).catch(code)).toBe('locked')
  })

  it('a lock that the other node believes held is looked up before anyone is refused for it', async () => {
    world = await startLockNodes({ hints: false })
    const [here, there] = world.nodes
    const { token } = await here.acquire(ALICE)
    expect(await codeOf(there.put('b'))).toBe('locked')
    await here.locks.release(DOC, token, ALICE)
    expect(await there.put('b')).toMatchObject({ outcome: 'written' })
  })

  it('of both trying at once exactly one gets it', async () => {
    world = await startLockNodes({ hints: false })
    const results = await Promise.all(
      world.nodes.flatMap((node, at) =>
        [0, 1, 2, 3].map((n) => node.acquire(toPrincipalId(`n${at}-${n}`)).then(({ fence }) => fence, code)),
      ),
    )
    expect(results.filter((result) => result === 1)).toHaveLength(1)
    expect(results.filter((result) => result === 'locked')).toHaveLength(7)
  })

  it('[LOCK-1] who waits on one gets what is released on the other within a second', async () => {
    world = await startLockNodes({ hints: false })
    const [here, there] = world.nodes
    const { token } = await here.acquire(ALICE)
    const waiting = there.acquire(BOB, { waitMs: 30_000 })
    await quiet()
    await here.locks.release(DOC, token, ALICE)
    await world.environment.advance(1_000)
    await quiet()
    expect(await waiting).toMatchObject({ owner: 'bob', fence: 2 })
  })

  it('[LOCK-3] the lock of a node that died is ended by the other, and told once', async () => {
    world = await startLockNodes({ hints: false })
    const [dying, other] = world.nodes
    await dying.acquire(ALICE, { ttlMs: TTL_MS })
    dying.close()
    await world.environment.advance(TTL_MS + 5_000)
    await quiet()
    expect(await lock()).toEqual({ name: 'free', fence: 1 })
    const told = (await world.storage.events((await world.storage.eventRange()).first, 10)).slice(-1)
    expect(told).toMatchObject([{ type: 'parley.document.unlocked', data: { reason: 'expired', fence: 1 } }])
    expect(await other.put('b')).toMatchObject({ outcome: 'written' })
  })
})

describe('[LOCK-2] a write and a lock at the same time', () => {
  it('the write that was handed over first stands; one planned before the lock and staged after is judged anew', async () => {
    world = await startLockNodes({ hints: true })
    const [node] = world.nodes
    const letGo = world.storage.hold()
    const first = node.put('first')
    await quiet()
    const taking = node.acquire(ALICE)
    await quiet()
    const behind = node.put('behind').catch(code)
    await quiet()
    letGo()
    expect(await first).toMatchObject({ outcome: 'written', head: { version: 2 } })
    expect((await taking).fence).toBe(1)
    expect(await behind).toBe('locked')
    expect(await contentOf()).toBe('first')
  })

  it('nobody who edits is disturbed by a lock or by the writes it refuses: the replica lives on', async () => {
    world = await startLockNodes({ hints: true })
    const [node] = world.nodes
    const lease = await node.replicas.lease(DOC)
    if ('absent' in lease) throw new Error('it lives')
    const { replica } = lease
    const { token } = await node.acquire(ALICE)
    expect(await codeOf(node.put('b'))).toBe('locked')
    expect(await codeOf(node.put('b', 'lck_1_guessed'))).toBe('lock-lost')
    await node.put('c', token)
    await node.locks.renew(DOC, token, TTL_MS)
    await node.locks.release(DOC, token, ALICE)
    expect(await codeOf(node.put('d', token))).toBe('lock-lost')
    await node.put('e')
    expect(replica.ended).toBeNull()
    expect(replica.content()).toBe('e')
    lease.release()
  })

  it('[LOCK-4] an edit of another that reaches storage behind the lock is not kept', async () => {
    world = await startLockNodes({ hints: false })
    const [here, there] = world.nodes
    const lease = await there.replicas.lease(DOC)
    if ('absent' in lease) throw new Error('it lives')
    const editor = new Editor(lease.replica)
    await here.acquire(ALICE)
    expect(await codeOf(lease.replica.applyLive(editor.insert(0, 'x'), BOB))).toBe('overloaded')
    expect(lease.replica.ended).not.toBeNull()
    expect((await world.storage.head(DOC))?.version).toBe(1)
    const again = await there.replicas.lease(DOC)
    if ('absent' in again) throw new Error('it lives')
    expect(again.replica.lock.state).toMatchObject({ name: 'held', owner: ALICE })
    await again.replica.applyLive(new Editor(again.replica).insert(0, 'owner '), ALICE)
    expect(again.replica.content()).toBe('owner a')
  })
})

describe('[OPS-6] a disk that refuses', () => {
  it('a lock that could not be written is not held: the next write stands, and the fence was not used', async () => {
    world = await startLockNodes({ hints: true })
    const [node] = world.nodes
    world.storage.failNext(1)
    expect(await codeOf(node.acquire(ALICE))).toBe('storage-unavailable')
    expect(await node.put('b')).toMatchObject({ outcome: 'written' })
    expect((await node.acquire(ALICE)).fence).toBe(1)
  })

  it('everybody who waits hears of it', async () => {
    world = await startLockNodes({ hints: true })
    const [node] = world.nodes
    await node.acquire(ALICE, { ttlMs: TTL_MS })
    const waiting = ['w1', 'w2'].map((name) => node.acquire(toPrincipalId(name), { waitMs: 2 * TTL_MS }).catch(code))
    await quiet()
    world.environment.jump(TTL_MS)
    world.storage.failNext(1)
    node.lines.wake(DOC)
    expect(await Promise.all(waiting)).toEqual(['storage-unavailable', 'storage-unavailable'])
    expect(node.lines.length(DOC)).toBe(0)
  })

  it('[LOCK-3] a lock whose end cannot be written bars nobody all the same, and its end is told later', async () => {
    world = await startLockNodes({ hints: true })
    const [node] = world.nodes
    await node.acquire(ALICE, { ttlMs: TTL_MS })
    world.storage.failNext(2)
    await world.environment.advance(TTL_MS + 1)
    await quiet()
    expect(await lock()).toMatchObject({ name: 'lapsed', fence: 1 })
    expect(await node.put('b')).toMatchObject({ outcome: 'written' })
    await world.environment.advance(5_000)
    await quiet()
    expect(await lock()).toEqual({ name: 'free', fence: 1 })
  })
})

describe('[LOCK-3] the clock', () => {
  it('a lock lives as long as it was given, however the wall clock is set meanwhile', async () => {
    world = await startLockNodes({ hints: true })
    const [node] = world.nodes
    const { token } = await node.acquire(ALICE, { ttlMs: TTL_MS })
    world.environment.setWall(3_600_000)
    expect(await node.put('ahead', token)).toMatchObject({ outcome: 'written' })
    expect(await codeOf(node.put('other'))).toBe('locked')
    world.environment.setWall(-7_200_000)
    expect(await node.put('back', token)).toMatchObject({ outcome: 'written' })
    world.environment.jump(TTL_MS)
    expect(await codeOf(node.put('over', token))).toBe('lock-lost')
  })

  it('after a start it has what remained by the wall clock, or its TTL where the clock was set back', async () => {
    world = await startLockNodes({ hints: true })
    const { token } = await world.nodes[0].acquire(ALICE, { ttlMs: TTL_MS })
    await world.restart(20_000)
    expect(await lock()).toMatchObject({ name: 'held', remainingMs: TTL_MS - 20_000 })
    await world.restart(-3_600_000)
    expect(await lock()).toMatchObject({ name: 'held', remainingMs: TTL_MS })
    expect(await world.nodes[0].put('b', token)).toMatchObject({ outcome: 'written' })
    await world.restart(TTL_MS)
    expect(await lock()).toMatchObject({ name: 'lapsed' })
    expect(await codeOf(world.nodes[0].put('c', token))).toBe('lock-lost')
  })
})

describe('waiting', () => {
  it('[LOCK-1] many get it in the order in which they came, each when the one before lets go', async () => {
    world = await startLockNodes({ hints: true })
    const [node] = world.nodes
    const first = await node.acquire(ALICE)
    const order: number[] = []
    const all = Array.from({ length: 200 }, async (_, n) => {
      const { token, fence } = await node.acquire(toPrincipalId(`w${n}`), { waitMs: 60_000 })
      order.push(n)
      expect(fence).toBe(n + 2)
      await node.locks.release(DOC, token, toPrincipalId(`w${n}`))
    })
    await quiet()
    expect(node.lines.length(DOC)).toBe(200)
    await node.locks.release(DOC, first.token, ALICE)
    await Promise.all(all)
    expect(order).toEqual(Array.from({ length: 200 }, (_, n) => n))
    expect(node.lines.length(DOC)).toBe(0)
  })

  it('[LOCK-1] the line is bounded: past 1,000 one is sent away at once', async () => {
    world = await startLockNodes({ hints: true })
    const [node] = world.nodes
    await node.acquire(ALICE)
    const waiting = Array.from({ length: 1_000 }, () => node.acquire(BOB, { waitMs: 5_000 }).catch(code))
    expect(await codeOf(node.acquire(BOB, { waitMs: 5_000 }))).toBe('overloaded')
    await world.environment.advance(5_000)
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['locked']))
  })

  it('[LOCK-3] a waiter who left while the lock was passing to them gives it back, and the next one has it', async () => {
    world = await startLockNodes({ hints: true })
    const [node] = world.nodes
    await node.acquire(ALICE, { ttlMs: TTL_MS })
    const leaving = new AbortController()
    const left = node.acquire(BOB, { waitMs: 2 * TTL_MS, gone: leaving.signal }).catch(code)
    const next = node.acquire(toPrincipalId('carol'), { waitMs: 2 * TTL_MS })
    await quiet()
    const letGo = world.storage.hold()
    world.environment.jump(TTL_MS)
    node.lines.wake(DOC)
    await quiet()
    expect(world.storage.acts.at(-1)?.locks).toMatchObject([{ op: 'acquire', owner: 'bob' }])
    leaving.abort()
    expect(await left).toBe('request-timeout')
    letGo()
    expect(await next).toMatchObject({ owner: 'carol', fence: 3 })
  })

  it('[LOCK-1] [WRITE-8] one whose answer is kept for a repeat keeps the lock: the repeat gets its token', async () => {
    world = await startLockNodes({ hints: true })
    const [node] = world.nodes
    await node.acquire(ALICE, { ttlMs: TTL_MS })
    const leaving = new AbortController()
    const stored = { principal: BOB, key: 'k', fingerprint: 'f', documents: [DOC], at: 0, expiresAt: 9e15 }
    const keep: Terms<OwnedLock>['keep'] = async () => ({ ...stored, status: 201, headers: {}, body: null })
    const left = node
      .acquire(BOB, { waitMs: 2 * TTL_MS, gone: leaving.signal, terms: { assertAllowed: () => undefined, keep } })
      .catch(code)
    await quiet()
    const letGo = world.storage.hold()
    world.environment.jump(TTL_MS)
    node.lines.wake(DOC)
    await quiet()
    leaving.abort()
    expect(await left).toBe('request-timeout')
    letGo()
    await quiet()
    expect(await lock()).toMatchObject({ name: 'held', owner: 'bob', fence: 2 })
  })

  it('[LOCK-3] a waiter who left before leaves no trace', async () => {
    world = await startLockNodes({ hints: true })
    const [node] = world.nodes
    const { token } = await node.acquire(ALICE)
    const leaving = new AbortController()
    const left = node.acquire(BOB, { waitMs: 30_000, gone: leaving.signal }).catch(code)
    await quiet()
    const timers = world.environment.pending
    leaving.abort()
    expect(await left).toBe('request-timeout')
    expect(node.lines.length(DOC)).toBe(0)
    expect(world.environment.pending).toBe(timers - 1)
    // Nor does one who left before it came to the line.
    expect(await node.acquire(BOB, { waitMs: 30_000, gone: AbortSignal.abort() }).catch(code)).toBe('request-timeout')
    expect(node.lines.length(DOC)).toBe(0)
    expect(world.environment.pending).toBe(timers - 1)
    await node.locks.release(DOC, token, ALICE)
    expect(await lock()).toEqual({ name: 'free', fence: 1 })
  })

  it('[LOCK-1] a document that is deleted takes its lock and its line along', async () => {
    world = await startLockNodes({ hints: true })
    const [node] = world.nodes
    const { token } = await node.acquire(ALICE)
    const waiting = node.acquire(BOB, { waitMs: 30_000 }).catch(code)
    await quiet()
    const change = { document: DOC, author: ALICE, intent: { type: 'unconditional' } as const }
    expect(await codeOf(node.lifecycle.remove(change))).toBe('locked')
    await node.lifecycle.remove({ ...change, lockToken: token })
    expect(await waiting).toBe('document-deleted')
    expect(await lock()).toEqual({ name: 'free', fence: 1 })
    expect(await codeOf(node.lifecycle.remove({ ...change, lockToken: token }))).toBe('document-deleted')
  })

  it('[LOCK-3] an expired lock goes to who waits when its time is over, not a second later', async () => {
    world = await startLockNodes({ hints: true })
    const [node] = world.nodes
    await node.acquire(ALICE, { ttlMs: TTL_MS })
    let won = false
    const waiting = node.acquire(BOB, { waitMs: 3 * TTL_MS }).then((owned) => ((won = true), owned))
    await quiet()
    await world.environment.advance(TTL_MS - 1)
    await quiet()
    expect(won).toBe(false)
    await world.environment.advance(2)
    await quiet()
    expect(won).toBe(true)
    expect((await waiting).fence).toBe(2)
  })
})

const nowOrNever = () => ({ waitMs: 0, gone: new AbortController().signal })

function code(problem: unknown): string {
  if (problem instanceof ParleyError) return problem.code
  throw problem
}
