import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { settled } from '../support/manualEnvironment.ts'
import { frames } from '../support/rawClient.ts'
import { rawUpdate } from '../support/rawUpdate.ts'
import { setUp, typed } from '../support/roomScene.ts'

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
