import { describe, expect, it, vi } from 'vitest'
import * as Y from 'yjs'
import type { LeftEdits } from '../../server/documents/waitingEdits.ts'
import type { LiveMerge } from '../../server/documents/replica.ts'
import { toLockHash, toPrincipalId, type LockHash } from '../../server/foundation/ids.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import type { ProblemCode } from '../../server/foundation/problemTable.ts'
import type { LockState } from '../../server/model/lock.ts'
import { Departures } from '../../server/sync/departures.ts'
import { DEFAULT_SYNC_LIMITS, type SyncLimits } from '../../server/sync/limits.ts'
import type { Channel } from '../../server/sync/member.ts'
import { decodeMessage, encodeMessage } from '../../server/sync/yProtocol.ts'
import type { OfflineEdits } from '../../server/model/clientKnowledge.ts'
import { Room, type Seat } from '../../server/sync/room.ts'
import { deferred } from '../support/deferred.ts'
import { FakeReplica } from '../support/fakeReplica.ts'
import { ManualEnvironment, settled } from '../support/manualEnvironment.ts'
import { frames, readFrame } from '../support/rawClient.ts'

const olga = toPrincipalId('olga')
const TOKEN = toLockHash('the hash of the token')

/** An editor with a document of its own that answers as a stock client does, unless it is mute. */
class Editor implements Channel {
  readonly doc = new Y.Doc()
  isMute = false
  closed: ProblemCode | null = null
  #seat: Seat | null = null
  readonly #waiting: (() => void)[] = []

  constructor(clientId: number) {
    this.doc.clientID = clientId
    this.doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== this) this.#send(frames.update(update))
    })
  }

  async join(room: Room<FakeReplica>, name: string, tokenHash: LockHash | null = null): Promise<this> {
    this.#seat = room.join(this, toPrincipalId(name), 'write', tokenHash)
    for (const send of this.#waiting.splice(0)) send()
    this.#send(frames.syncStep1(Y.encodeStateVector(this.doc)))
    for (let turn = 0; turn < 6; turn++) await settled()
    return this
  }

  get text(): string {
    return this.doc.getText('content').toString()
  }

  type(text: string): void {
    this.doc.getText('content').insert(this.text.length, text)
  }

  leave(): void {
    this.#seat?.leave()
    this.#seat = null
  }

  frameOf = encodeMessage

  write(frame: Uint8Array, taken: () => void): void {
    const message = readFrame(frame)
    if ('update' in message) Y.applyUpdate(this.doc, message.update, this)
    if (message.type === 'sync-step-1' && !this.isMute) this.#answer(message.stateVector)
    taken()
  }

  pause(): void {}
  resume(): void {}

  close(code: ProblemCode): void {
    this.closed = code
    this.#seat = null
  }

  #answer(stateVector: Map<number, number>): void {
    const update = Y.encodeStateAsUpdate(this.doc, Y.encodeStateVector(stateVector))
    this.#later(() => this.#send(frames.syncStep2(update)))
  }

  /** An answer takes a turn; before the seat is there, it waits. */
  #later(send: () => void): void {
    if (this.#seat) queueMicrotask(send)
    else this.#waiting.push(send)
  }

  #send(frame: Uint8Array): void {
    const message = decodeMessage(frame)
    if (message.type === 'malformed') throw new Error(message.reason)
    this.#seat?.receive(message)
  }
}

function setUp(limits: Partial<SyncLimits> = {}) {
  const replica = new FakeReplica()
  const environment = new ManualEnvironment()
  const release = vi.fn()
  const onClosed = vi.fn<() => void>()
  const left: LeftEdits[] = []
  const judged: OfflineEdits[] = []
  let judging: Promise<LiveMerge | null> = Promise.resolve(null)
  const onUnexpected = (error: unknown): void => {
    throw error
  }
  const options = {
    lease: { replica, release },
    judge: {
      prepare: (_: FakeReplica, returned: OfflineEdits) => {
        judged.push(returned)
        return judging
      },
    },
    keeper: {
      keep: (_: unknown, one: LeftEdits) => {
        left.push(one)
        return Promise.resolve()
      },
      bytes: () => left.flatMap(({ updates }) => updates).reduce((sum, { length }) => sum + length, 0),
    },
    departures: new Departures(),
    limits: { ...DEFAULT_SYNC_LIMITS, windowMs: 0, ...limits },
    environment,
    onClosed,
    onGivenUp: () => undefined,
    onUnexpected,
  }
  const room = new Room<FakeReplica>(options)
  let fence = 0
  return {
    replica,
    environment,
    room,
    release,
    onClosed,
    left,
    judged,
    /** Judging takes until the answer is called. */
    judgeSlowly: () => {
      const { promise, resolve } = deferred<LiveMerge | null>()
      judging = promise
      return () => resolve(null)
    },
    lock: (owner = olga): void => {
      fence += 1
      const lock: LockState = {
        name: 'held',
        fence,
        owner,
        tokenHash: TOKEN,
        ttlMs: 60_000,
        expiresAt: 60_000,
        remainingMs: 60_000,
      }
      replica.lock.see(lock)
    },
    unlock: (): void => replica.lock.see({ name: 'free', fence }),
    open: (name: string, clientId: number, tokenHash: LockHash | null = null) =>
      new Editor(clientId).join(room, name, tokenHash),
  }
}

/** The text of a document that holds nothing else. */
function textOf(update: Uint8Array = new Uint8Array()): string {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  return doc.getText('content').toString()
}

async function quiet(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) await settled()
}

describe('[LOCK-4] waiting for a lock', () => {
  it('what is typed meanwhile is applied by nobody and refused by nobody; then it is taken in as one return', async () => {
    const { replica, open, lock, unlock, judged } = setUp()
    const [bob, carol] = [await open('bob', 1), await open('carol', 2)]
    lock()
    for (const word of ['one ', 'two ', 'three']) bob.type(word)
    await quiet()
    expect([replica.text, carol.text, replica.log]).toEqual(['', '', []])
    unlock()
    await quiet()
    expect([replica.text, carol.text]).toEqual(['one two three', 'one two three'])
    expect(judged).toHaveLength(1)
    expect(judged[0]?.author).toBe('bob')
    expect(replica.log).toHaveLength(1)
    expect(bob.closed).toBeNull()
    bob.type(' live')
    await quiet()
    expect(carol.text).toBe('one two three live')
  })

  it('the owner, and who shows the token, write through', async () => {
    const { replica, open, lock } = setUp()
    const [owner, helper] = [await open('olga', 1), await open('helper', 2, TOKEN)]
    const stranger = await open('bob', 3, toLockHash('another'))
    lock()
    owner.type('a')
    await quiet()
    helper.type('b')
    stranger.type('c')
    await quiet()
    expect(replica.text).toBe('ab')
  })

  it('it is shown nothing while it waits, and all of it afterwards', async () => {
    const { replica, open, lock, unlock } = setUp()
    const bob = await open('bob', 1)
    lock()
    bob.type('mine')
    replica.write((doc) => doc.getText('content').insert(0, 'theirs '))
    await quiet()
    expect(bob.text).toBe('mine')
    unlock()
    await quiet()
    expect(bob.text).toBe(replica.text)
    expect(bob.text).toContain('theirs ')
    expect(bob.text).toContain('mine')
  })

  it('the next lock may come before it has answered: it goes on waiting', async () => {
    const { replica, open, lock, unlock } = setUp()
    const bob = await open('bob', 1)
    lock()
    bob.type('x')
    await quiet()
    unlock()
    lock()
    await quiet()
    bob.type('y')
    await quiet()
    expect(replica.text).toBe('')
    unlock()
    await quiet()
    expect(replica.text).toBe('xy')
    expect(bob.closed).toBeNull()
  })

  it.each(['is there', 'has gone'])(
    'the next lock may come while its return is judged, and the session %s',
    async (how) => {
      const { replica, left, open, lock, unlock, judgeSlowly, judged } = setUp()
      const bob = await open('bob', 1)
      lock()
      bob.type('x')
      await quiet()
      const answer = judgeSlowly()
      unlock()
      await quiet()
      expect(judged).toHaveLength(1)
      lock()
      if (how === 'has gone') bob.leave()
      else bob.type('y')
      answer()
      await quiet()
      expect(replica.text).toBe('')
      expect(left.map(({ updates }) => textOf(Y.mergeUpdates([...updates])))).toEqual(how === 'has gone' ? ['x'] : [])
      unlock()
      await quiet()
      expect(replica.text).toBe(how === 'has gone' ? '' : 'xy')
    },
  )

  it('[SYNC-6] many keystrokes while its return is judged go in after it, in their order', async () => {
    const { replica, open, lock, unlock, judgeSlowly } = setUp()
    const bob = await open('bob', 1)
    lock()
    bob.type('x')
    await quiet()
    const answer = judgeSlowly()
    unlock()
    await quiet()
    for (const key of 'abcdefghijklmnopqrstuvwxyz') bob.type(key)
    answer()
    await quiet()
    expect([bob.closed, replica.text]).toEqual([null, 'xabcdefghijklmnopqrstuvwxyz'])
  })

  it('who never answers is taken in all the same, after a while', async () => {
    const { replica, environment, open, lock, unlock } = setUp()
    const bob = await open('bob', 1)
    lock()
    bob.type('x')
    bob.isMute = true
    unlock()
    await quiet()
    expect(replica.text).toBe('')
    await environment.advance(DEFAULT_SYNC_LIMITS.confirmMs)
    await quiet()
    expect(replica.text).toBe('x')
  })

  it('a lock that passes on directly bars everyone but its new owner', async () => {
    const { replica, open, lock } = setUp()
    const [bob, carol] = [await open('bob', 1), await open('carol', 2)]
    lock()
    bob.type('b')
    carol.type('c')
    await quiet()
    lock(toPrincipalId('bob'))
    await quiet()
    expect(replica.text).toBe('b')
  })

  it('one whose time is over by the clock, and whose end nobody has seen yet, bars nobody who did not wait', async () => {
    const { replica, open } = setUp()
    const [bob, carol] = [await open('bob', 1), await open('carol', 2)]
    const holding = { fence: 1, owner: olga, tokenHash: TOKEN, ttlMs: 1, expiresAt: 1 }
    replica.lock.see({ name: 'held', ...holding, remainingMs: 60_000 })
    bob.type('b')
    await quiet()
    replica.lock.see({ name: 'lapsed', ...holding })
    carol.type('c')
    await quiet()
    expect([...replica.text].toSorted().join('')).toBe('bc')
  })
})

describe('[LOCK-4] a session that ends while it waits', () => {
  it('leaves its edits with what it knew to be kept, at once and as one; the room closes', async () => {
    const { replica, room, release, onClosed, left, open, lock, unlock } = setUp()
    const bob = await open('bob', 1, toLockHash('another'))
    lock()
    for (const word of ['one ', 'two']) bob.type(word)
    bob.leave()
    expect(left).toMatchObject([
      { author: 'bob', tokenHash: 'another', knowledge: { by: 'versions', seen: 1, own: [] } },
    ])
    expect(textOf(Y.mergeUpdates([...(left[0]?.updates ?? [])]))).toBe('one two')
    expect([room.size, release.mock.calls.length, onClosed.mock.calls]).toEqual([0, 1, [[]]])
    unlock()
    await quiet()
    expect(replica.text).toBe('')
  })

  it('leaves nothing where nothing waits', async () => {
    const { left, open, lock, unlock } = setUp()
    const [bob, carol] = [await open('bob', 1), await open('carol', 2)]
    lock()
    carol.leave()
    bob.type('x')
    await quiet()
    unlock()
    await quiet()
    bob.leave()
    expect(left).toEqual([])
  })

  it('leaves what it had when the replica ends, for it may never come back', async () => {
    const { replica, left, open, lock } = setUp()
    const bob = await open('bob', 1)
    lock()
    bob.type('x')
    await quiet()
    replica.end(new ParleyError('overloaded', 'The test throws it away.'))
    expect(bob.closed).toBe('overloaded')
    expect(left.map(({ updates }) => textOf(Y.mergeUpdates([...updates])))).toEqual(['x'])
  })

  it('after the lock and before it has answered, is taken in without it', async () => {
    const { replica, left, open, lock, unlock } = setUp()
    const bob = await open('bob', 1)
    lock()
    bob.type('x')
    bob.isMute = true
    unlock()
    bob.leave()
    await quiet()
    expect([replica.text, left]).toEqual(['x', []])
  })
})

describe('[LOCK-4] what waits is bounded', () => {
  const kilobyte = 'x'.repeat(1_000)

  it('for a session: past it the session closes, its editor has everything, and nothing of it stays here', async () => {
    const { replica, room, release, left, open, lock, unlock } = setUp({ heldBytes: 3_000 })
    const bob = await open('bob', 1)
    lock()
    for (let n = 0; n < 4; n++) bob.type(kilobyte)
    await quiet()
    expect(bob.closed).toBe('locked')
    expect(left).toEqual([])
    expect(release).toHaveBeenCalledTimes(1)
    expect(room.size).toBe(0)
    unlock()
    expect(replica.text).toBe('')
    expect(bob.text).toHaveLength(4_000)
  })

  it('for a document: those who are gone count too, and only who brings too much is closed', async () => {
    const { replica, left, open, lock, unlock } = setUp({ waitingBytes: 3_500 })
    const editors = [await open('a', 1), await open('b', 2), await open('c', 3), await open('d', 4)] as const
    lock()
    for (const editor of editors.slice(0, 3)) editor.type(kilobyte)
    editors[0].leave()
    editors[3].type(kilobyte)
    await quiet()
    expect(editors.map(({ closed }) => closed)).toEqual([null, null, null, 'locked'])
    unlock()
    await quiet()
    expect(replica.text).toHaveLength(2_000)
    expect(textOf(Y.mergeUpdates([...(left[0]?.updates ?? [])]))).toHaveLength(1_000)
  })
})
