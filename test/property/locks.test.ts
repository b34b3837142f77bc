import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toPrincipalId, toSequence } from '../../server/foundation/ids.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import type { OwnedLock } from '../../server/locks/locks.ts'
import { hashLockToken } from '../../server/model/lockToken.ts'
import { BOB } from '../support/documentCore.ts'
import { DOC, quiet, startLockNodes, type LockNodes } from '../support/lockNodes.ts'

const TTL_MS = 10_000
const node = fc.constantFrom(0 as const, 1 as const)
/** Which of the tokens given so far: the newest, or one of those before. */
const age = fc.integer({ min: 0, max: 3 })

const step = fc.oneof(
  fc.record({ do: fc.constant('acquire' as const), node, waitMs: fc.constantFrom(0, 3_000, 60_000) }),
  fc.record({ do: fc.constant('hang-up' as const), waiter: fc.nat(20) }),
  fc.record({ do: fc.constant('release' as const), node, age }),
  fc.record({ do: fc.constant('renew' as const), node, age }),
  fc.record({ do: fc.constant('break' as const), node }),
  fc.record({ do: fc.constant('write' as const), node, age: fc.option(age) }),
  fc.record({ do: fc.constant('time' as const), ms: fc.constantFrom(1, 2_500, 5_000, TTL_MS) }),
  fc.record({ do: fc.constant('pause' as const), ms: fc.constantFrom(2_500, TTL_MS) }),
  fc.record({ do: fc.constant('disk-fails' as const) }),
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

interface Waiter {
  readonly hangUp: AbortController
  readonly number: number
}

/** Drives two nodes on one database by steps, and keeps what a user could see. */
class Run {
  readonly world: LockNodes
  readonly owned: OwnedLock[] = []
  /** By node: numbers of waiters, in the order in which they were served. */
  readonly served: readonly [number[], number[]] = [[], []]
  readonly waiters: Waiter[] = []
  #written = 0

  constructor(world: LockNodes) {
    this.world = world
  }

  async perform(step: Step): Promise<void> {
    const { nodes, storage, environment } = this.world
    switch (step.do) {
      case 'acquire':
        return this.#acquire(step.node, step.waitMs)
      case 'hang-up':
        return this.waiters[step.waiter]?.hangUp.abort()
      case 'release': {
        const lock = this.owned.at(-1 - step.age)
        if (lock) await expected(nodes[step.node].locks.release(DOC, lock.token, lock.owner))
        return
      }
      case 'renew': {
        const lock = this.owned.at(-1 - step.age)
        if (lock) await expected(nodes[step.node].locks.renew(DOC, lock.token, null))
        return
      }
      case 'break':
        return expected(nodes[step.node].locks.break(DOC, BOB))
      case 'write':
        return this.#write(step.node, step.age)
      case 'time':
        return environment.advance(step.ms)
      case 'pause':
        return environment.jump(step.ms)
      case 'disk-fails':
        return storage.failNext(1)
    }
  }

  #acquire(at: 0 | 1, waitMs: number): void {
    const hangUp = new AbortController()
    const number = this.waiters.length
    this.waiters.push({ hangUp, number })
    const owner = toPrincipalId(`w${number}`)
    const asked = this.world.nodes[at].acquire(owner, { ttlMs: TTL_MS, waitMs, gone: hangUp.signal })
    void asked.then((lock) => {
      this.owned.push(lock)
      this.served[at].push(number)
    }, expectedProblem)
  }

  /** A write stands exactly where the row says so right before it. */
  async #write(at: 0 | 1, age: number | null): Promise<void> {
    await quiet()
    this.world.storage.failNext(0)
    const token = age === null ? null : (this.owned.at(-1 - age)?.token ?? null)
    const state = await this.world.storage.lock(DOC)
    const holds = state.name === 'held' && token !== null && state.tokenHash === hashLockToken(token)
    const wanted = token === null ? (state.name === 'held' ? 'locked' : 'written') : holds ? 'written' : 'lock-lost'
    const content = `content ${(this.#written += 1)}`
    const got = await this.world.nodes[at].put(content, token).then(
      (result) => (result.status === 'done' ? result.outcome : result.status),
      (problem: unknown) => expectedProblem(problem),
    )
    expect(got).toBe(wanted)
  }
}

function expectedProblem(problem: unknown): string {
  if (problem instanceof ParleyError) return problem.code
  throw problem
}
const expected = (promise: Promise<unknown>): Promise<void> =>
  promise.then(
    () => undefined,
    (problem: unknown) => void expectedProblem(problem),
  )

describe('[LOCK-1] [LOCK-2] [LOCK-3] two nodes on one database, whatever happens in whatever order', () => {
  it.each([true, false])(
    'one holder at a time, fences that grow, each end told once, those in line served in order (hints: %s)',
    async (hints) => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.tuple(step, fc.boolean()), { minLength: 5, maxLength: 40 }), async (steps) => {
          const world = await startLockNodes({ hints })
          const run = new Run(world)
          try {
            const begun: Promise<void>[] = []
            for (const [one, alone] of steps) {
              // A write is judged by the row as it is, and there is one clock, so nothing else goes on meanwhile.
              const isAlone = one.do === 'write' || one.do === 'time'
              if (alone || isAlone) {
                await Promise.all(begun.splice(0))
                await quiet()
              }
              begun.push(run.perform(one))
              if (isAlone) await Promise.all(begun.splice(0))
            }
            await Promise.all(begun)
            world.storage.failNext(0)
            for (const { hangUp } of run.waiters) hangUp.abort()
            for (let passed = 0; passed <= TTL_MS + 5_000; passed += 2_500) {
              await world.environment.advance(2_500)
              await quiet()
            }
            await assertHistory(run)
          } finally {
            await world.stop()
          }
        }),
        { numRuns: 25 },
      )
    },
  )
})

async function assertHistory({ world, owned, served }: Run): Promise<void> {
  const events = await world.storage.events(toSequence(0), 1_000)
  const told = events
    .filter(({ type }) => type.endsWith('locked'))
    .map(({ type, data }) => ({ locks: type === 'parley.document.locked', fence: data['fence'] }))
  // Locked 1, unlocked 1, locked 2, unlocked 2, …: no fence twice or left out, no end missing or told twice.
  expect(told).toEqual(told.map((_, index) => ({ locks: index % 2 === 0, fence: Math.floor(index / 2) + 1 })))
  expect(told.length % 2).toBe(0)
  const fences = owned.map(({ fence }) => fence)
  expect(fences).toEqual([...new Set(fences)].toSorted((a, b) => a - b))
  for (const numbers of served) expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
  expect((await world.storage.lock(DOC)).name).toBe('free')
}
