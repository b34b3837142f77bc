import { describe, expect, it, vi } from 'vitest'
import { Outbox, type Again } from '../../server/sync/outbox.ts'
import { encodeMessage } from '../../server/sync/yProtocol.ts'
import type { ServerMessage } from '../../server/sync/messages.ts'
import { deferred } from '../support/deferred.ts'
import { settled } from '../support/manualEnvironment.ts'
import { rawUpdate } from '../support/rawUpdate.ts'

const KIBIBYTE = 1024
const message = (name: string, size = 1): ServerMessage => ({ type: 'permission-denied', reason: name.repeat(size) })
const soon = Promise.resolve()

/** What an entry brings that ends in this letter, of so many bytes or a few more. */
function entry(name: string, size = 1, client = 1, clock = 0): Extract<ServerMessage, { type: 'update' }> {
  return { type: 'update', update: rawUpdate([{ client, clock, structs: [{ text: name.repeat(size) }] }]) }
}

/** A line that takes frames only when told to. */
function slowLine(limitBytes = 64 * KIBIBYTE) {
  const written: Uint8Array[] = []
  const takes: (() => void)[] = []
  const again = {
    entries: vi.fn<Again['entries']>(() => ({ messages: [message('E')], ready: soon, sent: vi.fn() })),
    aside: vi.fn<Again['aside']>(() => [message('A')]),
  }
  const line = {
    frameOf: encodeMessage,
    write(frame: Uint8Array, taken: () => void) {
      written.push(frame)
      takes.push(taken)
    },
  }
  return {
    outbox: new Outbox(line, limitBytes, again),
    again,
    take: () => takes.shift()?.(),
    /** A letter of each frame that was written. */
    names: () => written.map(nameOf).join(''),
  }
}

/** The last byte; of an update that is the number of its delete sets, and the letter stands before it. */
const nameOf = (frame: Uint8Array): string => String.fromCharCode(frame.at(-1) || frame.at(-2) || 0)

describe('an outbox', () => {
  it('sends at once while the line is free, in order', () => {
    const { outbox, names } = slowLine()
    for (const name of ['a', 'b', 'c']) outbox.push(message(name))
    expect(names()).toBe('abc')
  })

  it('[SYNC-9] holds back what the line has not taken, up to a bound, and past it sends one difference instead', async () => {
    const { outbox, again, names, take } = slowLine()
    outbox.pushEntry(entry('a', 1024 * KIBIBYTE))
    outbox.pushEntry(entry('b', 40 * KIBIBYTE, 1, 1024 * KIBIBYTE))
    outbox.push(message('0'))
    outbox.pushEntry(entry('c', 30 * KIBIBYTE, 2, 7))
    outbox.pushEntry(entry('d', 1, 3, 5))
    expect(names()).toBe('a')
    expect(again.entries).not.toHaveBeenCalled()
    take()
    await settled()
    expect(names()).toBe('aE0')
    expect([...(again.entries.mock.calls[0]?.[0] ?? [])]).toEqual([
      [1, 1024 * KIBIBYTE],
      [2, 7],
      [3, 5],
    ])
    outbox.pushEntry(entry('e', 1, 3, 6))
    expect(names()).toBe('aE0e')
  })

  it('[SYNC-9] bounds the entries that wait by their number as well', async () => {
    const { outbox, again, names, take } = slowLine(1024 * KIBIBYTE)
    outbox.pushEntry(entry('a', 1024 * KIBIBYTE))
    for (let clock = 0; clock < 5_000; clock++) outbox.pushEntry(entry('b', 1, 2, clock))
    take()
    await settled()
    expect([names(), [...(again.entries.mock.calls[0]?.[0] ?? [])]]).toEqual(['aE', [[2, 0]]])
  })

  it('[SYNC-9] sends an entry larger than the bound as it is to a line that takes it', () => {
    const { outbox, again, names, take } = slowLine(1024 * KIBIBYTE)
    for (const [n, name] of [...'abcdef'].entries())
      outbox.pushEntry(entry(name, 200 * KIBIBYTE, 1, n * 200 * KIBIBYTE))
    for (let n = 0; n < 6; n++) take()
    expect(names()).toBe('abcdef')
    expect(again.entries).not.toHaveBeenCalled()
  })

  it('sends on when the line has taken something', () => {
    const { outbox, take, names, again } = slowLine()
    outbox.pushEntry(entry('a', 1024 * KIBIBYTE))
    outbox.pushEntry(entry('b', 40 * KIBIBYTE))
    take()
    outbox.pushEntry(entry('c', 40 * KIBIBYTE))
    expect(names()).toBe('abc')
    expect(again.entries).not.toHaveBeenCalled()
  })

  it('[SYNC-2] sends an answer only once it is ready, and later messages behind it', async () => {
    const { outbox, names } = slowLine()
    const ready = deferred()
    const sent = vi.fn()
    outbox.push(message('a'))
    outbox.pushAnswer({ messages: [message('1'), message('2')], ready: ready.promise, sent: sent })
    outbox.push(message('b'))
    await settled()
    expect(names()).toBe('a')
    ready.resolve()
    await settled()
    expect(names()).toBe('a12b')
    expect(sent).toHaveBeenCalledOnce()
  })

  it('[SYNC-9] lets what has nothing to do with the document pass an answer', async () => {
    const { outbox, take, names } = slowLine()
    const ready = deferred()
    outbox.pushAnswer({ messages: [message('1', 1024 * KIBIBYTE), message('2')], ready: ready.promise, sent: vi.fn() })
    outbox.push(message('b'))
    outbox.pushAside(message('p'))
    expect(names()).toBe('p')
    take()
    ready.resolve()
    await settled()
    outbox.pushAside(message('q'))
    take()
    expect(names()).toBe('p1q2b')
  })

  it('[SYNC-9] past the bound drops who is here, and tells it anew once the line is free', () => {
    const { outbox, again, take, names } = slowLine()
    outbox.pushAside(message('a', 1024 * KIBIBYTE))
    outbox.pushAside(message('b', 40 * KIBIBYTE))
    outbox.pushAside(message('c', 20 * KIBIBYTE))
    outbox.pushAside(message('d', 40 * KIBIBYTE))
    outbox.pushAside(message('e'))
    expect([names(), again.aside.mock.calls.length]).toEqual(['a', 0])
    take()
    outbox.pushAside(message('f'))
    expect(names()).toBe('aAf')
  })

  it('[SYNC-9] keeps the document going while much else is told', () => {
    const { outbox, take, names } = slowLine(4096 * KIBIBYTE)
    outbox.pushEntry(entry('a', 1024 * KIBIBYTE))
    for (const name of ['p', 'q', 'r']) outbox.pushAside(message(name, 1024 * KIBIBYTE))
    for (const [n, name] of ['b', 'c'].entries()) outbox.pushEntry(entry(name, 1024 * KIBIBYTE, 2 + n))
    for (let n = 0; n < 5; n++) take()
    expect(names()).toBe('apbqcr')
  })

  it('[SYNC-9] sends a large answer piece by piece as the line takes it, without counting it against the bound', async () => {
    const { outbox, take, names, again } = slowLine()
    const answer = Array.from({ length: 12 }, (_, i) => message(String.fromCharCode(97 + i), 256 * KIBIBYTE))
    const sent = vi.fn()
    outbox.pushAnswer({ messages: answer, ready: soon, sent: sent })
    await settled()
    expect(names()).toBe('abcd')
    outbox.push(message('Z'))
    for (let i = 0; i < 6; i++) take()
    expect(names()).toBe('abcdefghij')
    expect(sent).not.toHaveBeenCalled()
    for (let i = 0; i < 6; i++) take()
    expect(names()).toBe('abcdefghijklZ')
    expect(sent).toHaveBeenCalledOnce()
    expect(again.entries).not.toHaveBeenCalled()
  })

  it('sends nothing after it was stopped, not even an answer that becomes ready', async () => {
    const { outbox, take, names } = slowLine()
    const ready = deferred()
    const sent = vi.fn()
    outbox.push(message('a', 1024 * KIBIBYTE))
    outbox.push(message('b'))
    outbox.pushAnswer({ messages: [message('1')], ready: ready.promise, sent: sent })
    outbox.stop()
    outbox.push(message('c'))
    ready.resolve()
    await settled()
    take()
    expect(names()).toBe('a')
    expect(sent).not.toHaveBeenCalled()
  })

  it('keeps quiet about an answer that never becomes ready', async () => {
    const { outbox, names } = slowLine()
    outbox.pushAnswer({
      messages: [message('1')],
      ready: Promise.reject(new Error('the replica has ended')),
      sent: vi.fn(),
    })
    await settled()
    expect(names()).toBe('')
  })

  it('works with a line that takes at once', async () => {
    const written: Uint8Array[] = []
    const line = {
      frameOf: encodeMessage,
      write(frame: Uint8Array, taken: () => void) {
        written.push(frame)
        taken()
      },
      ping: vi.fn(),
    }
    const outbox = new Outbox(line, 10, { entries: vi.fn(), aside: vi.fn() })
    const many = Array.from({ length: 2_000 }, () => message('x'))
    const sent = vi.fn()
    outbox.pushAnswer({ messages: many, ready: soon, sent: sent })
    await settled()
    expect(written).toHaveLength(2_000)
    expect(sent).toHaveBeenCalledOnce()
  })
})
