import { describe, expect, it } from 'vitest'
import { settled } from '../support/manualEnvironment.ts'
import { frames } from '../support/rawClient.ts'
import { setUp, typed } from '../support/roomScene.ts'

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
