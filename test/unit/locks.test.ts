import { describe, expect, it } from 'vitest'
import { toLockHash, toPrincipalId } from '../../server/foundation/ids.ts'
import { KnownLock } from '../../server/documents/knownLock.ts'
import { Line } from '../../server/locks/line.ts'
import { decide, type LockEvent, type LockPass, type LockState } from '../../server/model/lock.ts'
import { hashGiven, hashLockToken, newLockToken } from '../../server/model/lockToken.ts'
import { ManualEnvironment } from '../support/manualEnvironment.ts'

const olga = toPrincipalId('olga')
const bob = toPrincipalId('bob')
const mine = toLockHash('the hash of the lock')
const other = toLockHash('the hash of another lock')

const holding = { fence: 7, owner: olga, tokenHash: mine, ttlMs: 1_000, expiresAt: 5_000 }
const STATES = {
  'never locked': { name: 'free', fence: 0 },
  free: { name: 'free', fence: 7 },
  held: { name: 'held', ...holding, remainingMs: 400 },
  lapsed: { name: 'lapsed', ...holding },
} as const satisfies Record<string, LockState>

const writes = (pass: LockPass): LockEvent => ({ type: 'writes', pass })
const EVENTS = {
  'someone acquires': { type: 'acquires' },
  'its token renews': { type: 'renews', tokenHash: mine },
  'another token renews': { type: 'renews', tokenHash: other },
  'its token releases': { type: 'releases', tokenHash: mine },
  'another token releases': { type: 'releases', tokenHash: other },
  'an admin breaks': { type: 'breaks' },
  'time passes': { type: 'time-passes' },
  'the document is deleted': { type: 'document-ends' },
  'a request without token writes': writes({ by: 'request', tokenHash: null }),
  'a request with its token writes': writes({ by: 'request', tokenHash: mine }),
  'a request with another token writes': writes({ by: 'request', tokenHash: other }),
  'its owner edits': writes({ by: 'edit', principal: olga, tokenHash: null }),
  'another edits': writes({ by: 'edit', principal: bob, tokenHash: null }),
  'another edits with its token': writes({ by: 'edit', principal: bob, tokenHash: mine }),
  'another edits with another token': writes({ by: 'edit', principal: bob, tokenHash: other }),
} as const satisfies Record<string, LockEvent>

/** Every cell, decided: events down, states across. */
const TABLE: Record<keyof typeof EVENTS, Record<keyof typeof STATES, string>> = {
  'someone acquires': {
    'never locked': 'grant 1',
    free: 'grant 8',
    held: 'wait',
    lapsed: 'grant 8, telling that 7 expired',
  },
  'its token renews': { 'never locked': 'lock-lost', free: 'lock-lost', held: 'renew', lapsed: 'lock-lost' },
  'another token renews': { 'never locked': 'lock-lost', free: 'lock-lost', held: 'lock-lost', lapsed: 'lock-lost' },
  'its token releases': { 'never locked': 'lock-lost', free: 'lock-lost', held: 'end: released', lapsed: 'lock-lost' },
  'another token releases': { 'never locked': 'lock-lost', free: 'lock-lost', held: 'lock-lost', lapsed: 'lock-lost' },
  'an admin breaks': { 'never locked': 'nothing', free: 'nothing', held: 'end: broken', lapsed: 'end: expired' },
  'time passes': { 'never locked': 'nothing', free: 'nothing', held: 'nothing', lapsed: 'end: expired' },
  'the document is deleted': {
    'never locked': 'nothing',
    free: 'nothing',
    held: 'end: deleted',
    lapsed: 'end: expired',
  },
  'a request without token writes': { 'never locked': 'allow', free: 'allow', held: 'locked', lapsed: 'allow' },
  'a request with its token writes': {
    'never locked': 'lock-lost',
    free: 'lock-lost',
    held: 'allow',
    lapsed: 'lock-lost',
  },
  'a request with another token writes': {
    'never locked': 'lock-lost',
    free: 'lock-lost',
    held: 'lock-lost',
    lapsed: 'lock-lost',
  },
  'its owner edits': { 'never locked': 'allow', free: 'allow', held: 'allow', lapsed: 'allow' },
  'another edits': { 'never locked': 'allow', free: 'allow', held: 'locked', lapsed: 'allow' },
  'another edits with its token': { 'never locked': 'allow', free: 'allow', held: 'allow', lapsed: 'allow' },
  'another edits with another token': { 'never locked': 'allow', free: 'allow', held: 'locked', lapsed: 'allow' },
}

function told(state: LockState, event: LockEvent): string {
  const action = decide(state, event)
  switch (action.do) {
    case 'grant':
      return `grant ${action.fence}${action.expired ? `, telling that ${action.expired.fence} expired` : ''}`
    case 'end':
      return `end: ${action.reason}`
    case 'refuse':
      return action.code
    default:
      return action.do
  }
}

describe('[LOCK-2] the lock, state by event', () => {
  for (const [event, row] of Object.entries(TABLE)) {
    for (const [state, expected] of Object.entries(row)) {
      it(`${state}: ${event} → ${expected}`, () => {
        expect(told(STATES[state as keyof typeof STATES], EVENTS[event as keyof typeof EVENTS])).toBe(expected)
      })
    }
  }
})

describe('[LOCK-3] a lock as a process knows it', () => {
  const held = (fence: number, remainingMs: number): LockState => ({ ...STATES.held, fence, remainingMs })

  it('lapses by the monotonic clock', () => {
    const environment = new ManualEnvironment()
    const known = new KnownLock(held(1, 400), environment)
    environment.jump(399)
    expect(known.state).toMatchObject({ name: 'held', remainingMs: 1 })
    environment.jump(1)
    expect(known.state).toEqual({ ...STATES.lapsed, fence: 1 })
  })

  it('never goes back: not to an older fence, and not to one that has ended', () => {
    const known = new KnownLock({ name: 'free', fence: 2 }, new ManualEnvironment())
    known.see(held(2, 400))
    expect(known.state).toEqual({ name: 'free', fence: 2 })
    known.see(held(3, 400))
    known.see({ name: 'free', fence: 2 })
    expect(known.state).toMatchObject({ name: 'held', fence: 3 })
    known.see({ name: 'free', fence: 3 })
    known.see(held(3, 400))
    expect(known.state).toEqual({ name: 'free', fence: 3 })
  })

  it('takes back a lock that was not taken after all, and only that one', () => {
    const known = new KnownLock({ name: 'free', fence: 2 }, new ManualEnvironment())
    known.see(held(3, 400))
    known.retract(2, { name: 'free', fence: 1 })
    expect(known.state).toMatchObject({ name: 'held', fence: 3 })
    known.retract(3, { name: 'free', fence: 2 })
    expect(known.state).toEqual({ name: 'free', fence: 2 })
  })

  it('tells who listens of what counted, and of nothing after they stopped', () => {
    const known = new KnownLock({ name: 'free', fence: 2 }, new ManualEnvironment())
    const seen: string[] = []
    const stop = known.onSeen(() => seen.push(known.state.name))
    known.see({ name: 'free', fence: 1 })
    known.see(held(3, 400))
    stop()
    known.see({ name: 'free', fence: 3 })
    expect(seen).toEqual(['held'])
  })
})

describe('[LOCK-1] the line for a lock', () => {
  it('keeps the order, and tells those who are dismissed the places they had', () => {
    const line = new Line<string>()
    for (const name of ['a', 'b', 'c', 'd']) line.join(name)
    expect(line.first).toBe('a')
    expect(line.leave('b')).toBe(true)
    expect(line.leave('b')).toBe(false)
    expect(line.dismiss((name) => name !== 'c')).toEqual([
      { waiter: 'a', place: 1 },
      { waiter: 'd', place: 3 },
    ])
    expect(line.first).toBe('c')
    expect(line.length).toBe(1)
  })
})

describe('[LOCK-2] tokens', () => {
  it('are long, random, name their fence, and are kept as a hash that does not hold them', () => {
    const environment = new ManualEnvironment()
    const [one, two] = [newLockToken(environment, 3), newLockToken(environment, 3)]
    expect(one).toMatch(/^lck_3_[a-z2-7]{26}$/)
    expect(two).not.toBe(one)
    expect(hashLockToken(one)).not.toContain(one.slice(6))
    expect(hashLockToken(one)).toBe(hashLockToken(one))
    expect(hashGiven(one)).toBe(hashLockToken(one))
    expect(hashGiven(null)).toBeNull()
    expect(hashGiven(undefined)).toBeNull()
  })
})
