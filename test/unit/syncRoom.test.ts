import { describe, expect, it, vi } from 'vitest'
import * as Y from 'yjs'
import { ParleyError } from '../../server/foundation/problems.ts'
import type { ProblemCode } from '../../server/foundation/problemTable.ts'
import { toPrincipalId } from '../../server/foundation/ids.ts'
import { Departures } from '../../server/sync/departures.ts'
import { DEFAULT_SYNC_LIMITS, type SyncLimits } from '../../server/sync/limits.ts'
import type { Channel } from '../../server/sync/member.ts'
import { decodeMessage, encodeMessage } from '../../server/sync/yProtocol.ts'
import type { ServerMessage } from '../../server/sync/messages.ts'
import { Remembered } from '../../server/sync/remembered.ts'
import { Room, type Seat } from '../../server/sync/room.ts'
import { FakeReplica } from '../support/fakeReplica.ts'
import { ManualEnvironment, settled } from '../support/manualEnvironment.ts'
import { frames, readFrame, type ServerFrame } from '../support/rawClient.ts'
import { rawUpdate } from '../support/rawUpdate.ts'

const encoded = new WeakMap<ServerMessage, Uint8Array>()

/** The same frame for the same message object, as sockets share it. */
function encodedOnce(message: ServerMessage): Uint8Array {
  const frame = encoded.get(message) ?? encodeMessage(message)
  encoded.set(message, frame)
  return frame
}

/** A client on a line of its own, which takes everything at once until it is told to stall. */
class Client implements Channel {
  readonly received: ServerFrame[] = []
  readonly frames: Uint8Array[] = []
  closed: { code: ProblemCode; reason: string } | null = null
  isPaused = false
  isStalled = false
  #taken: (() => void)[] = []
  #seat: Seat | null = null

  join(room: Room, name: string, access: 'read' | 'write' = 'write'): this {
    this.#seat = room.join(this, toPrincipalId(name), access)
    return this
  }

  send(frame: Uint8Array): void {
    const message = decodeMessage(frame)
    if (message.type === 'malformed') throw new Error(message.reason)
    this.#seat?.receive(message)
  }

  leave(): void {
    this.#seat?.leave()
  }

  frameOf = encodedOnce

  write(frame: Uint8Array, taken: () => void): void {
    this.frames.push(frame)
    const message = readFrame(frame)
    // The first question of the server is for the tests to answer, and to look at.
    const isLater = message.type === 'sync-step-1' && this.types.includes('sync-step-1')
    if (!isLater) this.received.push(message)
    const answer = (): void => {
      taken()
      if (isLater) queueMicrotask(() => this.send(frames.syncStep2(Uint8Array.of(0, 0))))
    }
    if (this.isStalled) this.#taken.push(answer)
    else answer()
  }

  /** The line takes what it was given, or the oldest so many of that. */
  take(count = Number.POSITIVE_INFINITY): void {
    for (const taken of this.#taken.splice(0, count)) taken()
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
  }

  close(code: ProblemCode, reason: string): void {
    this.closed = { code, reason }
  }

  get types(): string[] {
    return this.received.map((one) => one.type)
  }

  get text(): string {
    const doc = new Y.Doc()
    for (const one of this.received) if ('update' in one) Y.applyUpdate(doc, one.update)
    return doc.getText('content').toString()
  }

  /** The states it was told of, newest last. */
  get told(): unknown[] {
    return this.received.flatMap((one) => (one.type === 'awareness' ? one.entries : []))
  }
}

function setUp(
  options: { limits?: Partial<SyncLimits>; replica?: FakeReplica; formerClients?: ReadonlyMap<number, number> } = {},
) {
  const replica = options.replica ?? new FakeReplica('text', 4_000_000_000, options.formerClients)
  const environment = new ManualEnvironment()
  const release = vi.fn()
  const onClosed = vi.fn()
  const onUnexpected = vi.fn()
  const room = new Room({
    lease: { replica, release },
    judge: { prepare: () => Promise.resolve(null) },
    keeper: { keep: () => Promise.resolve(), bytes: () => 0 },
    departures: new Departures(),
    limits: { ...DEFAULT_SYNC_LIMITS, ...options.limits },
    environment,
    onClosed,
    onGivenUp: () => undefined,
    onUnexpected,
  })
  const open = (name: string, access: 'read' | 'write' = 'write') => new Client().join(room, name, access)
  /** A session that has asked and was answered. */
  const live = async (name: string, access: 'read' | 'write' = 'write') => {
    const client = open(name, access)
    client.send(frames.syncStep1())
    client.send(frames.syncStep2(Uint8Array.of(0, 0)))
    await settled()
    return client
  }
  return { replica, environment, room, release, onClosed, onUnexpected, open, live }
}

const typed = (client: number, text: string, clock = 0): Uint8Array =>
  rawUpdate([{ client, clock, structs: [{ text, ...(clock > 0 ? { origin: [client, clock - 1] as const } : {}) }] }])

describe('opening a session', () => {
  it('[SYNC-1] sends SyncStep1 first, before anything was asked, and nothing of the document', () => {
    const { replica, open } = setUp()
    replica.write((doc) => doc.getText('content').insert(0, 'secret'))
    const client = open('alice')
    expect(client.received).toEqual([{ type: 'sync-step-1', stateVector: new Map([[4_000_000_000, 6]]) }])
  })

  it.each([
    ['a client that only the earlier life had', new Map([[7, 3]]), true],
    ['a client it has more of than this one', new Map([[9, 5]]), true],
    ['a client it has as much of', new Map([[9, 4]]), false],
    ['a client nobody knows', new Map([[8, 3]]), false],
    ['nothing', new Map(), false],
  ])('[SYNC-7] a copy of an earlier life is refused: %s', async (_, clocks: Map<number, number>, isRefused) => {
    const formerClients = new Map([
      [7, 10],
      [9, 10],
    ])
    const { replica, open } = setUp({ formerClients })
    await replica.applyLive(typed(9, 'four'), toPrincipalId('x'))
    const client = open('alice')
    client.send(frames.syncStep1(Y.encodeStateVector(clocks)))
    client.send(frames.syncStep2(Uint8Array.of(0, 0)))
    await settled()
    expect(client.closed?.code ?? null).toBe(isRefused ? 'other-history' : null)
    expect(client.types.includes('sync-step-2')).toBe(!isRefused)
  })

  it.each(['update', 'syncStep2'] as const)(
    '[SYNC-7] what an earlier life had is refused also when it comes as %s',
    async (way) => {
      const { replica, live } = setUp({ formerClients: new Map([[7, 10]]) })
      const alice = await live('alice')
      alice.send(frames[way](typed(7, 'old')))
      await settled()
      expect([alice.closed?.code, replica.text]).toEqual(['other-history', ''])
    },
  )

  it('[SYNC-7] two documents that wrote under one client id are told apart, and the second is refused', async () => {
    const { replica, live, open } = setUp()
    const first = await live('alice')
    first.send(frames.update(typed(7, 'AAAA')))
    await settled()
    first.leave()
    const asked = open('bob').received[0]
    expect(asked, 'it is asked for the newest it has of each client').toEqual({
      type: 'sync-step-1',
      stateVector: new Map([[7, 0]]),
    })
    for (const text of ['BBBBBB', 'AAAB', 'BB', 'AAAXAA']) {
      const second = open('bob')
      second.send(frames.syncStep1(Y.encodeStateVector(new Map([[7, text.length]]))))
      second.send(frames.states([{ client: 7, clock: 1, state: {} }]))
      second.send(frames.syncStep2(typed(7, text)))
      await settled()
      expect([text, second.closed?.code, replica.text]).toEqual([text, 'other-history', 'AAAA'])
    }
    const same = open('alice')
    same.send(frames.syncStep1(Y.encodeStateVector(new Map([[7, 6]]))))
    same.send(frames.syncStep2(typed(7, 'AAAA!?')))
    await settled()
    expect([same.closed, replica.text]).toEqual([null, 'AAAA!?'])
  })

  it('[SYNC-6] takes of a stored history with a hole what can be placed, and goes on', async () => {
    const { replica, live } = setUp()
    const alice = await live('alice')
    const hollow = rawUpdate(
      [
        { client: 5, structs: [{ text: 'abc' }, { skip: 2 }, { text: 'lost', origin: [5, 4] }] },
        { client: 6, structs: [{ text: 'gone', origin: [9, 9] }] },
        { client: 7, structs: [{ text: 'd', origin: [5, 2] }] },
      ],
      [
        [5, 0, 1],
        [6, 0, 2],
      ],
    )
    alice.send(frames.syncStep2(hollow))
    await settled()
    alice.send(frames.update(typed(7, 'e', 1)))
    await settled()
    expect([alice.closed, replica.text]).toEqual([null, 'bcde'])
  })

  it('[SYNC-1] answers SyncStep1 with what the client lacks', async () => {
    const { replica, open } = setUp()
    await replica.applyLive(typed(1, 'hello'), toPrincipalId('x'))
    const client = open('alice')
    client.send(frames.syncStep1(Y.encodeStateVector(new Map([[1, 5]]))))
    await settled()
    expect(client.types, 'what it brings comes first').toEqual(['sync-step-1'])
    client.send(frames.syncStep2(Uint8Array.of(0, 0)))
    await settled()
    expect(client.received.at(-1)).toEqual({ type: 'sync-step-2', update: Uint8Array.of(0, 0) })
    client.send(frames.syncStep1())
    await settled()
    expect(client.types).toEqual(['sync-step-1', 'sync-step-2', 'sync-step-2'])
    expect(client.text).toBe('hello')
  })

  it('[SYNC-9] answers with a large state in slices and an empty SyncStep2', async () => {
    const { replica, live } = setUp()
    const text = 'line of text\n'.repeat(80_000)
    replica.write((doc) => doc.getText('content').insert(0, text))
    const client = await live('alice')
    const updates = client.types.filter((type) => type === 'update').length
    expect(updates).toBeGreaterThan(3)
    expect(client.types).toEqual(['sync-step-1', ...Array.from({ length: updates }, () => 'update'), 'sync-step-2'])
    expect(client.received.at(-1)).toEqual({ type: 'sync-step-2', update: Uint8Array.of(0, 0) })
    expect(Math.max(...client.frames.map((frame) => frame.length))).toBeLessThanOrEqual(256 * 1024 + 16)
    expect(client.text).toBe(text)
  })

  it('encodes the whole document once for all who open it at one version', async () => {
    const { replica, live } = setUp()
    replica.write((doc) => doc.getText('content').insert(0, 'hello'))
    const [first, second] = [await live('alice'), await live('bob')]
    expect(second.frames.at(-1)).toBe(first.frames.at(-1))
    replica.write((doc) => doc.getText('content').insert(0, 'well, '))
    await settled()
    const third = await live('carol')
    expect(third.text).toBe('well, hello')
  })
})

describe('what is made one by one', () => {
  it('[OPS-8] is made once for all who ask, whoever is first to come to it', () => {
    let made = 0
    const numbers = new Remembered(
      (function* () {
        for (; made < 3;) yield (made += 1)
      })(),
    )
    const [first, second] = [numbers[Symbol.iterator](), numbers[Symbol.iterator]()]
    expect([first.next().value, second.next().value, second.next().value, made]).toEqual([1, 1, 2, 2])
    expect([...first, ...second, ...numbers, made]).toEqual([2, 3, 3, 1, 2, 3, 3])
  })
})

describe('an update', () => {
  it('[SYNC-2] is shown to nobody, its sender included, before it is on disk', async () => {
    const { replica, live } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    replica.isHeld = true
    alice.send(frames.update(typed(1, 'hello')))
    await settled()
    expect(replica.text).toBe('hello')
    expect([alice.text, bob.text]).toEqual(['', ''])
    replica.commit()
    await settled()
    expect([alice.text, bob.text]).toEqual(['hello', 'hello'])
    expect(replica.log).toEqual([{ author: 'alice', update: typed(1, 'hello') }])
  })

  it('[SYNC-2] is not in an answer before it is on disk either, and is shown once', async () => {
    const { replica, live, open } = setUp()
    const alice = await live('alice')
    replica.isHeld = true
    alice.send(frames.update(typed(1, 'hello')))
    const bob = open('bob')
    bob.send(frames.syncStep1())
    alice.send(frames.update(typed(1, '!', 5)))
    await settled()
    expect(bob.types).toEqual(['sync-step-1'])
    replica.commit()
    await settled()
    expect(bob.types).toEqual(['sync-step-1', 'sync-step-2', 'update'])
    expect(bob.text).toBe('hello!')
  })

  it('[SYNC-2] that is committed before the client asks comes with the answer only', async () => {
    const { live, open } = setUp()
    const alice = await live('alice')
    const bob = open('bob')
    alice.send(frames.update(typed(1, 'hello')))
    await settled()
    expect(bob.types).toEqual(['sync-step-1'])
    bob.send(frames.syncStep1())
    await settled()
    expect(bob.types).toEqual(['sync-step-1', 'sync-step-2'])
    expect(bob.text).toBe('hello')
  })

  it('[SYNC-1] is encoded once for all', async () => {
    const { live } = setUp()
    const clients = [await live('alice'), await live('bob'), await live('carol')]
    clients[0]?.send(frames.update(typed(1, 'hello')))
    await settled()
    const shown = clients.map((client) => client.frames.at(-1))
    expect(shown[0]).toEqual(frames.update(typed(1, 'hello')))
    expect(shown.every((frame) => frame === shown[0])).toBe(true)
  })

  it('[SYNC-9] comes with all that the same commit brings, as one message, encoded once', async () => {
    const { replica, live } = setUp()
    const clients = [await live('alice'), await live('bob'), await live('carol')]
    replica.isHeld = true
    for (const [index, client] of clients.entries()) client.send(frames.update(typed(index + 1, `word ${index} `)))
    await settled()
    const before = clients.map((client) => client.frames.length)
    replica.commit()
    await settled()
    expect(clients.map((client) => client.frames.length)).toEqual(before.map((count) => count + 1))
    expect(new Set(clients.map((client) => client.frames.at(-1))).size).toBe(1)
    for (const client of clients) expect(client.text).toBe(replica.text)
  })

  it('[SYNC-9] is a message of its own where it is large', async () => {
    const { replica, live } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    replica.isHeld = true
    alice.send(frames.update(typed(1, 'x'.repeat(20_000))))
    bob.send(frames.update(typed(2, 'y')))
    await settled()
    replica.commit()
    await settled()
    expect(alice.types.filter((type) => type === 'update')).toHaveLength(2)
    expect(bob.text).toBe(replica.text)
  })

  it('[SYNC-2] reaches others before its author, for whom it is only the confirmation', async () => {
    const { live } = setUp()
    const order: string[] = []
    const clients = [await live('alice'), await live('bob'), await live('carol')]
    for (const [index, client] of clients.entries()) {
      vi.spyOn(client, 'write').mockImplementation((_frame, taken) => {
        order.push(['alice', 'bob', 'carol'][index] ?? '')
        taken()
      })
    }
    clients[0]?.send(frames.update(typed(1, 'hello')))
    await settled()
    expect(order).toEqual(['bob', 'carol', 'alice'])
  })

  it('[SYNC-2] by REST is shown like any other', async () => {
    const { replica, live } = setUp()
    const alice = await live('alice')
    replica.isHeld = true
    replica.write((doc) => doc.getText('content').insert(0, 'written'))
    await settled()
    expect(alice.text).toBe('')
    replica.commit()
    await settled()
    expect(alice.text).toBe('written')
  })

  it('[SYNC-4] of a session that may only read is dropped, malformed or not; it is shown everything', async () => {
    const { replica, live } = setUp()
    const [alice, reader] = [await live('alice'), await live('reader', 'read')]
    reader.send(frames.update(typed(9, 'graffiti')))
    reader.send(frames.syncStep2(Uint8Array.of(255)))
    alice.send(frames.update(typed(1, 'hello')))
    await settled()
    expect(reader.closed).toBeNull()
    expect(reader.text).toBe('hello')
    expect(replica.log).toHaveLength(1)
  })

  it('[SYNC-1] that brings nothing leaves no entry', async () => {
    const { replica, live } = setUp()
    const alice = await live('alice')
    alice.send(frames.syncStep2(Uint8Array.of(0, 0)))
    alice.send(frames.update(typed(1, 'hello')))
    alice.send(frames.update(typed(1, 'hello')))
    await settled()
    expect(replica.log).toHaveLength(1)
    expect(alice.closed).toBeNull()
  })
})

describe('a bad message', () => {
  it.each([
    ['a malformed update', frames.update(Uint8Array.of(1, 2, 3)), 'invalid-request'],
    ['a malformed SyncStep2', frames.syncStep2(Uint8Array.of(9)), 'invalid-request'],
    ['a gap', frames.update(typed(1, 'x', 7)), 'missing-dependencies'],
    ['malformed awareness', frames.awareness(Uint8Array.of(5)), 'invalid-request'],
    ['an awareness state that is no object', frames.states([{ client: 1, clock: 1, state: 4 }]), 'invalid-request'],
  ])('[SYNC-6] (%s) ends its sender only', async (_name, frame, code) => {
    const { replica, live } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    alice.send(frame)
    bob.send(frames.update(typed(2, 'fine')))
    await settled()
    expect(alice.closed?.code).toBe(code)
    expect(bob.closed).toBeNull()
    expect(bob.text).toBe('fine')
    expect(replica.log).toHaveLength(1)
    expect(alice.text, 'a closed session is shown nothing').toBe('')
  })

  it('[SYNC-6] (content past a limit) ends its sender with the problem of the replica', async () => {
    const { replica, live } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    replica.refuseNext = new ParleyError('content-too-large', 'too large')
    alice.send(frames.update(typed(1, 'x')))
    alice.send(frames.update(typed(1, 'builds on x', 1)))
    alice.send(frames.update(typed(6, 'does not')))
    await settled()
    expect(alice.closed?.code).toBe('content-too-large')
    expect(bob.closed).toBeNull()
    expect(replica.log).toEqual([])
  })

  it('[SYNC-6] is not heard any more from a session that was ended', async () => {
    const { replica, live } = setUp()
    const alice = await live('alice')
    await live('bob')
    alice.send(frames.update(Uint8Array.of(1)))
    alice.send(frames.update(typed(1, 'late')))
    alice.send(frames.syncStep1())
    alice.send(frames.states([{ client: 1, clock: 1, state: {} }]))
    await settled()
    expect(replica.log).toEqual([])
    expect(alice.types).toEqual(['sync-step-1', 'sync-step-2'])
  })

  it('a bug ends the session with it and is told', async () => {
    const { replica, live, onUnexpected } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    const bug = new TypeError('a bug')
    vi.spyOn(replica, 'applyLive').mockRejectedValueOnce(bug)
    alice.send(frames.update(typed(1, 'x')))
    await settled()
    expect(alice.closed?.code).toBe('internal')
    expect(onUnexpected).toHaveBeenCalledWith(bug)
    vi.spyOn(replica, 'whenCommitted').mockImplementationOnce(() => {
      throw bug
    })
    bob.send(frames.syncStep1())
    expect(bob.closed?.code).toBe('internal')
    expect(onUnexpected).toHaveBeenCalledTimes(2)
  })
})

describe('a Yjs client id', () => {
  it('[SYNC-6] announced or written under is left to its principal while the session is open', async () => {
    const { live, replica } = setUp()
    const [alice, bob, mallory] = [await live('alice'), await live('bob'), await live('mallory')]
    alice.send(frames.states([{ client: 1, clock: 1, state: {} }]))
    bob.send(frames.update(typed(2, 'bob')))
    await settled()
    mallory.send(frames.update(typed(1, 'x')))
    mallory.send(frames.update(typed(2, 'x', 3)))
    await settled()
    expect([mallory.closed, replica.text]).toEqual([null, 'bob'])
    alice.send(frames.update(typed(1, 'alice')))
    bob.send(frames.update(typed(2, '!', 3)))
    await settled()
    expect([replica.text.length, replica.log.map(({ author }) => author)]).toEqual([9, ['bob', 'alice', 'bob']])
  })

  it('[SYNC-6] of a session that ended is left to its principal, also when they are away', async () => {
    const { live, replica } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    alice.send(frames.states([{ client: 1, clock: 1, state: {} }]))
    alice.send(frames.update(typed(1, 'abc')))
    await settled()
    alice.leave()
    bob.send(frames.update(typed(1, 'XYZ', 3)))
    await settled()
    expect([bob.closed, replica.text]).toEqual([null, 'abc'])
    const again = await live('alice')
    again.send(frames.update(typed(1, 'def', 3)))
    await settled()
    expect([again.closed, bob.text]).toEqual([null, 'abcdef'])
  })

  it('[SYNC-6] goes on under another principal on a page that says of itself that it writes under it', async () => {
    const { open, live, replica } = setUp()
    const guest = await live('guest')
    guest.send(frames.states([{ client: 1, clock: 1, state: {} }]))
    guest.send(frames.update(typed(1, 'abc')))
    await settled()
    // The line of the guest is dead, which nobody knows yet.
    const alice = open('alice')
    alice.send(frames.syncStep1())
    alice.send(frames.states([{ client: 1, clock: 2, state: {} }]))
    alice.send(frames.syncStep2(Uint8Array.of(0, 0)))
    await settled()
    alice.send(frames.update(typed(1, 'd', 3)))
    alice.send(frames.update(typed(1, 'e', 4)))
    await settled()
    expect([alice.closed, replica.text]).toEqual([null, 'abc'])
    guest.leave()
    await settled()
    expect([alice.closed, replica.text]).toEqual([null, 'abcde'])
  })

  it.each([
    ['whose line is dead, passes on within seconds', true],
    ['who is there, does not', false],
  ])('[SYNC-6] of somebody %s', async (_, isDead) => {
    const { open, live, replica, environment } = setUp()
    const guest = await live('guest')
    guest.send(frames.states([{ client: 1, clock: 1, state: {} }]))
    guest.send(frames.update(typed(1, 'abc')))
    await settled()
    guest.isStalled = isDead
    const alice = open('alice')
    alice.send(frames.syncStep1())
    alice.send(frames.states([{ client: 1, clock: 2, state: {} }]))
    alice.send(frames.syncStep2(Uint8Array.of(0, 0)))
    await settled()
    alice.send(frames.update(typed(1, 'd', 3)))
    await environment.advance(2_500)
    await settled()
    expect([guest.closed?.code, alice.closed, replica.text]).toEqual(
      isDead ? ['too-slow', null, 'abcd'] : [undefined, null, 'abc'],
    )
  })

  it('[SYNC-6] comes back to who first wrote under it, whoever says meanwhile that they go on under it', async () => {
    const { open, live, replica } = setUp()
    const alice = await live('alice')
    alice.send(frames.states([{ client: 1, clock: 1, state: {} }]))
    alice.send(frames.update(typed(1, 'abc')))
    await settled()
    alice.leave()
    const mallory = open('mallory')
    mallory.send(frames.syncStep1())
    mallory.send(frames.states([{ client: 1, clock: 9, state: {} }]))
    mallory.send(frames.syncStep2(Uint8Array.of(0, 0)))
    const again = open('alice')
    again.send(frames.syncStep1(Y.encodeStateVector(new Map([[1, 3]]))))
    again.send(frames.states([{ client: 1, clock: 1, state: { name: 'alice' } }]))
    again.send(frames.syncStep2(typed(1, 'abcdef')))
    await settled()
    expect([again.closed, replica.text]).toEqual([null, 'abcdef'])
    expect(mallory.told.at(-1)).toMatchObject({ client: 1, state: { name: 'alice' } })
  })

  it('[SYNC-6] of another session may be brought before they bring it, with what builds on that', async () => {
    const { live, replica } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    alice.send(frames.states([{ client: 1, clock: 1, state: {} }]))
    await settled()
    const both = rawUpdate([
      { client: 1, structs: [{ text: 'abc' }] },
      {
        client: 2,
        structs: [
          { text: 'def', origin: [1, 2] },
          { text: 'aside', parent: 'notes' },
        ],
      },
    ])
    bob.send(frames.update(both))
    bob.send(frames.update(rawUpdate([{ client: 2, clock: 8, structs: [{ text: '!', origin: [2, 2] }] }])))
    await settled()
    expect([bob.closed, replica.text]).toEqual([null, ''])
    alice.send(frames.update(typed(1, 'abc')))
    await settled()
    expect([bob.closed, replica.text]).toEqual([null, 'abcdef!'])
    await settled()
    expect(alice.text).toBe('abcdef!')
  })

  it('[SYNC-6] of another session holds back a bounded number of updates; past it the session begins anew', async () => {
    const { live } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    alice.send(frames.states([{ client: 1, clock: 1, state: {} }]))
    await settled()
    for (let clock = 0; clock < 1_001; clock++) bob.send(frames.update(typed(1, 'x', clock)))
    await settled()
    expect(bob.closed?.code).toBe('missing-dependencies')
  })

  it('[SYNC-6] stays with the principal as long as one of its sessions is open', async () => {
    const { live, replica } = setUp()
    const [older, newer, bob] = [await live('alice'), await live('alice'), await live('bob')]
    older.send(frames.update(typed(1, 'abc')))
    newer.send(frames.update(typed(1, 'd', 3)))
    await settled()
    older.leave()
    bob.send(frames.update(typed(1, 'x', 4)))
    await settled()
    expect([bob.closed, replica.text]).toEqual([null, 'abcd'])
  })

  it('[SYNC-6] that only a reader announced keeps nobody from writing', async () => {
    const { live } = setUp()
    const [reader, alice] = [await live('reader', 'read'), await live('alice')]
    reader.send(frames.states([{ client: 1, clock: 1, state: {} }]))
    alice.send(frames.update(typed(1, 'abc')))
    await settled()
    expect(alice.closed).toBeNull()
  })

  it('[SYNC-6] handed on in an answer does not become that of whoever has announced another', async () => {
    const { live } = setUp()
    const [relay, alice] = [await live('relay'), await live('alice')]
    relay.send(frames.states([{ client: 9, clock: 1, state: {} }]))
    relay.send(frames.syncStep2(typed(1, 'lost')))
    await settled()
    alice.send(frames.update(typed(1, '!', 4)))
    await settled()
    expect([relay.closed, alice.closed]).toEqual([null, null])
    expect(alice.text).toBe('lost!')
  })
})

describe('a Yjs client id that was handed on', () => {
  it('[SYNC-6] does not become that of who handed it on and left before that was taken in', async () => {
    const { open, replica } = setUp()
    replica.write((doc) => doc.getText('content').insert(0, 'there'))
    const relay = open('relay')
    relay.send(frames.states([{ client: 9, clock: 1, state: {} }]))
    relay.send(frames.syncStep1())
    relay.send(frames.syncStep2(Y.mergeUpdates([typed(1, 'lost'), typed(9, 'own')])))
    relay.leave()
    await settled()
    expect(replica.text).toContain('lost')
    expect([replica.ownerOf(1), replica.ownerOf(9)]).toEqual([null, 'relay'])
  })
})

describe('what a session wrote itself', () => {
  it('[CONF-6] is nothing that its page has to prove, however it reaches the disk', async () => {
    const { environment, replica, live } = setUp()
    const alice = await live('alice')
    const questions = (): number =>
      alice.frames.filter((frame) => ['sync-step-1', 'query-awareness'].includes(readFrame(frame).type)).length
    const before = questions()
    replica.isHeld = true
    for (const [clock, letter] of [...'abc'].entries()) alice.send(frames.update(typed(7, letter, clock)))
    for (const count of [1, 2]) {
      replica.commit(count)
      await environment.advance(5_000)
    }
    expect(alice.text).toBe('abc')
    expect(questions()).toBe(before)
    replica.isHeld = false
    replica.write((doc) => doc.getText('content').insert(0, 'x'))
    await environment.advance(5_000)
    expect(questions()).toBeGreaterThan(before)
  })
})

describe('awareness', () => {
  const state = (client: number, clock = 1) => ({ client, clock, state: { name: `user ${client}` } })

  it('[SYNC-5] goes to everyone but its sender, and to whoever comes later', async () => {
    const { live, open } = setUp()
    const [alice, bob] = [await live('alice'), open('bob')]
    alice.send(frames.states([state(1)]))
    await settled()
    const carol = open('carol')
    expect(alice.told).toEqual([])
    expect(bob.told).toEqual([state(1)])
    expect(carol.types).toEqual(['sync-step-1', 'awareness'])
    expect(carol.told).toEqual([state(1)])
  })

  it('[SYNC-5] is removed when its session ends, however it ends', async () => {
    const { live } = setUp()
    const [alice, bob, carol] = [await live('alice'), await live('bob'), await live('carol')]
    alice.send(frames.states([state(1)]))
    bob.send(frames.states([state(2)]))
    await settled()
    alice.leave()
    bob.send(frames.update(Uint8Array.of(1)))
    await settled()
    expect(carol.told).toEqual([
      state(1),
      state(2),
      { client: 1, clock: 1, state: null },
      { client: 2, clock: 1, state: null },
    ])
  })

  it('[SYNC-5] is as old as when it was told: of whom nothing was heard for 30 s nobody is told', async () => {
    const { live, open, environment } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    alice.send(frames.states([state(1)]))
    bob.send(frames.states([state(2)]))
    await environment.advance(25_000)
    bob.send(frames.states([state(2, 2)]))
    const before = open('carol')
    expect(before.told).toEqual([state(1), state(2, 2)])
    await environment.advance(10_000)
    expect(before.told.at(-1)).toEqual({ client: 1, clock: 1, state: null })
    expect(open('dora').told).toEqual([state(2, 2)])
    alice.send(frames.states([state(1, 2)]))
    await settled()
    expect(before.told.at(-1)).toEqual(state(1, 2))
    expect(open('emma').told).toEqual([state(1, 2), state(2, 2)])
  })

  it('[SYNC-5] of others is not touched by an echo or a spoof', async () => {
    const { live } = setUp()
    const [alice, bob, carol] = [await live('alice'), await live('bob'), await live('carol')]
    alice.send(frames.states([state(1)]))
    bob.send(
      frames.states([
        state(1),
        { client: 1, clock: 9, state: { name: 'spoof' } },
        { client: 1, clock: 9, state: null },
      ]),
    )
    await settled()
    expect(bob.closed).toBeNull()
    expect(carol.told).toEqual([state(1)])
  })

  it('[SYNC-5] of one turn is one message to each, of each the newest, and to nobody their own', async () => {
    const { live } = setUp()
    const [alice, bob, carol] = [await live('alice'), await live('bob'), await live('carol')]
    const before = carol.received.length
    alice.send(frames.states([state(1)]))
    bob.send(frames.states([state(2)]))
    alice.send(frames.states([state(1, 2)]))
    alice.send(frames.states([{ client: 1, clock: 3, state: { cursor: 5 } }]))
    await settled()
    const newest = { client: 1, clock: 3, state: { cursor: 5 } }
    expect(carol.received.slice(before)).toEqual([{ type: 'awareness', entries: [newest, state(2)] }])
    expect(alice.told).toEqual([state(2)])
    expect(bob.told).toEqual([newest])
  })

  it('[SYNC-5] [OPS-8] of a crowd with large states is told in turns, each one message that all but its tellers share', async () => {
    const { live, environment } = setUp()
    const people = []
    for (let n = 0; n < 12; n++) people.push(await live(`person ${n}`))
    const looker = await live('looker')
    const large = (client: number, clock: number) => ({
      client,
      clock,
      state: { text: `${client}`.padEnd(10_000, 'x') },
    })
    const before = looker.frames.length
    for (const [n, person] of people.entries()) person.send(frames.states([large(n + 1, 1)]))
    await settled()
    await environment.advance(1_000)
    expect(looker.told).toEqual(people.map((_, n) => large(n + 1, 1)))
    const told = looker.frames.slice(before)
    expect(told).toHaveLength(2)
    expect(Math.max(...told.map(({ length }) => length))).toBeLessThan(65 * 1024)
    for (const [n, person] of people.entries()) {
      expect(person.told).toEqual(people.flatMap((_, other) => (other === n ? [] : [large(other + 1, 1)])))
      // The very same bytes, where it told nothing of them.
      expect(told.filter((frame) => person.frames.includes(frame))).toHaveLength(1)
    }
  })

  it('[SYNC-5] comes behind the entries that are told together with it', async () => {
    const { live } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    const before = bob.received.length
    alice.send(frames.states([state(1)]))
    alice.send(frames.update(typed(1, 'x')))
    await settled()
    expect(bob.types.slice(before)).toEqual(['update', 'awareness'])
  })

  it('[SYNC-1] is listed for whoever asks, even if nobody is there', async () => {
    const { live } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    bob.send(frames.queryAwareness())
    expect(bob.received.at(-1)).toEqual({ type: 'awareness', entries: [] })
    alice.send(frames.states([state(1)]))
    await settled()
    bob.send(frames.queryAwareness())
    expect(bob.told).toEqual([state(1), state(1)])
  })
})

describe('the heartbeat', () => {
  it('[SYNC-1] is an empty awareness to a session that was sent nothing for 15 s', async () => {
    const { environment, live } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    await environment.advance(14_999)
    expect(alice.types).toEqual(['sync-step-1', 'sync-step-2'])
    alice.send(frames.states([{ client: 1, clock: 1, state: {} }]))
    await environment.advance(1)
    expect(alice.frames.at(-1)).toEqual(Uint8Array.of(1, 1, 0))
    expect(bob.told, 'bob was sent something just now').toHaveLength(1)
    await environment.advance(14_998)
    expect(bob.told).toHaveLength(1)
    await environment.advance(1)
    expect(bob.frames.at(-1)).toEqual(Uint8Array.of(1, 1, 0))
    await environment.advance(30_000)
    expect(alice.types.filter((type) => type === 'awareness')).toHaveLength(3)
  })

  it('[SYNC-1] comes also while an answer waits for the disk, and once a beat on a line that is stuck', async () => {
    const { environment, replica, open } = setUp()
    const alice = open('alice')
    replica.isHeld = true
    replica.write((doc) => doc.getText('content').insert(0, 'x'))
    alice.send(frames.syncStep1())
    await environment.advance(30_000)
    expect(alice.types).toEqual(['sync-step-1', 'awareness', 'awareness'])
    const stuck = open('stuck')
    stuck.isStalled = true
    const before = environment.pending
    await environment.advance(120_000)
    expect(environment.pending).toBe(before)
  })

  it('[SYNC-1] ends with the session', async () => {
    const { environment, live } = setUp()
    const alice = await live('alice')
    alice.leave()
    await environment.advance(60_000)
    expect(alice.types).toEqual(['sync-step-1', 'sync-step-2'])
    expect(environment.pending).toBe(0)
  })
})

describe('a slow reader', () => {
  it('[SYNC-9] is sent what it lacks as one difference once its line takes it, and nobody else is slowed', async () => {
    const { live } = setUp({ limits: { readerBufferBytes: 100_000 } })
    const [alice, slow] = [await live('alice'), await live('slow')]
    slow.isStalled = true
    const block = 'x'.repeat(50_000)
    for (let i = 0; i < 40; i++) {
      alice.send(frames.update(typed(1, block, i * 50_000)))
      await settled()
    }
    const bytes = slow.frames.reduce((sum, frame) => sum + frame.length, 0)
    expect(bytes).toBeLessThan(1024 * 1024 + 200_000)
    expect([alice.closed, slow.closed, alice.text.length]).toEqual([null, null, 2_000_000])
    slow.isStalled = false
    slow.take()
    await settled()
    alice.send(frames.update(typed(1, 'y', 2_000_000)))
    await settled()
    expect(slow.text).toBe(`${block.repeat(40)}y`)
    // All that came while it stalled, once.
    expect(slow.frames.reduce((sum, frame) => sum + frame.length, 0)).toBeLessThan(2_010_000)
  })

  it('[SYNC-9] is told anew who is here where it missed that', async () => {
    const { live } = setUp({ limits: { readerBufferBytes: 1_000 } })
    const [alice, slow] = [await live('alice'), await live('slow')]
    alice.send(frames.update(typed(1, 'x'.repeat(1024 * 1024))))
    slow.isStalled = true
    await settled()
    for (let clock = 1; clock <= 50; clock++)
      alice.send(frames.states([{ client: 1, clock, state: { clock, more: 'x'.repeat(100) } }]))
    expect(slow.told).toEqual([])
    slow.isStalled = false
    slow.take()
    await settled()
    expect(slow.told.at(-1)).toMatchObject({ client: 1, state: { clock: 50 } })
  })

  it('[SYNC-9] is closed when its line takes nothing for a minute of what waits, and never before', async () => {
    const { live, environment } = setUp()
    const [alice, slow] = [await live('alice'), await live('slow')]
    slow.isStalled = true
    alice.send(frames.update(typed(1, 'x'.repeat(1024 * 1024))))
    await settled()
    alice.send(frames.update(typed(1, 'y', 1024 * 1024)))
    for (let minute = 0; minute < 5; minute++) {
      await environment.advance(59_000)
      slow.take(1)
      alice.send(frames.update(typed(1, 'x'.repeat(1024 * 1024), (minute + 1) * 1024 * 1024 + 1)))
      await settled()
    }
    expect(slow.closed).toBeNull()
    await environment.advance(75_000)
    expect([slow.closed?.code, alice.closed]).toEqual(['too-slow', null])
    const before = slow.frames.length
    alice.send(frames.states([{ client: 1, clock: 1, state: {} }]))
    expect(slow.frames).toHaveLength(before)
  })
})

describe('a fast writer', () => {
  it('[SYNC-2] is read no further while much of what it sent is not on disk', async () => {
    const { replica, live } = setUp({ limits: { unsavedUpdates: 4 } })
    const alice = await live('alice')
    replica.isHeld = true
    for (let i = 0; i < 4; i++) alice.send(frames.update(typed(1, 'x', i)))
    expect(alice.isPaused).toBe(false)
    alice.send(frames.update(typed(1, 'x', 4)))
    expect(alice.isPaused).toBe(true)
    replica.commit()
    await settled()
    expect(alice.isPaused).toBe(false)
  })

  it('[SYNC-2] is held by bytes as well', async () => {
    const { replica, live } = setUp({ limits: { unsavedBytes: 1_000 } })
    const alice = await live('alice')
    replica.isHeld = true
    alice.send(frames.update(typed(1, 'x'.repeat(2_000))))
    expect(alice.isPaused).toBe(true)
    replica.commit()
    await settled()
    expect(alice.isPaused).toBe(false)
  })
})

describe('the end of a replica', () => {
  it('[SYNC-3] that was deleted ends all sessions for good', async () => {
    const { replica, live, onClosed, release } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    replica.end(new ParleyError('document-deleted', 'deleted'))
    expect([alice.closed?.code, bob.closed?.code]).toEqual(['document-deleted', 'document-deleted'])
    expect(onClosed).toHaveBeenCalledOnce()
    expect(release).toHaveBeenCalledOnce()
  })

  it('[SYNC-2] after a failed commit lets everyone come back, and shows nobody what was lost', async () => {
    const { replica, live, open } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    replica.isHeld = true
    alice.send(frames.update(typed(1, 'lost')))
    const carol = open('carol')
    carol.send(frames.syncStep1())
    replica.end(new ParleyError('storage-unavailable', 'disk full'))
    await settled()
    expect([alice, bob, carol].map((client) => client.closed?.code)).toEqual(Array(3).fill('storage-unavailable'))
    expect([alice, bob, carol].map((client) => client.text)).toEqual(['', '', ''])
    expect(carol.types).toEqual(['sync-step-1'])
  })

  it('[SYNC-6] that one session caused ends that session with its code and the others with one that passes', async () => {
    const { replica, live } = setUp()
    const [mallory, bob] = [await live('mallory'), await live('bob')]
    const cause = new ParleyError('invalid-request', 'cannot be applied')
    vi.spyOn(replica, 'applyLive').mockImplementationOnce(() => {
      replica.end(cause)
      return Promise.reject(cause)
    })
    mallory.send(frames.update(typed(1, 'x')))
    await settled()
    expect(mallory.closed?.code).toBe('invalid-request')
    expect(bob.closed?.code).toBe('overloaded')
  })
})

describe('the end of a room', () => {
  it('[SYNC-10] comes with the last session: the replica is let go and nothing listens', async () => {
    const { replica, live, release, onClosed, environment, room } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    expect(room.size).toBe(2)
    alice.leave()
    alice.leave()
    expect(release).not.toHaveBeenCalled()
    bob.leave()
    expect(room.size).toBe(0)
    expect(release).toHaveBeenCalledOnce()
    expect(onClosed).toHaveBeenCalledOnce()
    expect(replica.listeners).toBe(0)
    expect(environment.pending).toBe(0)
  })
})
