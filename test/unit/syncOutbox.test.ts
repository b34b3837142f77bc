import { describe, expect, it, vi } from 'vitest'
import { Outbox } from '../../server/sync/outbox.ts'
import { encodeMessage, type ServerMessage } from '../../server/sync/protocol.ts'
import { deferred } from '../support/deferred.ts'
import { settled } from '../support/manualEnvironment.ts'

const KIBIBYTE = 1024
const message = (name: string, size = 1): ServerMessage => ({ type: 'permission-denied', reason: name.repeat(size) })
const soon = Promise.resolve()

/** A line that takes frames only when told to. */
function slowLine(limitBytes = 64 * KIBIBYTE) {
  const written: Uint8Array[] = []
  const takes: (() => void)[] = []
  const onOverflow = vi.fn()
  const line = {
    frameOf: encodeMessage,
    write(frame: Uint8Array, taken: () => void) {
      written.push(frame)
      takes.push(taken)
    },
    ping: (mark: number) => void written.push(Uint8Array.of(0x30 + mark)),
  }
  return {
    outbox: new Outbox(line, limitBytes, onOverflow),
    onOverflow,
    take: () => takes.shift()?.(),
    /** First letters of what was written. */
    names: () => written.map((frame) => String.fromCharCode(frame.at(-1) ?? 0)).join(''),
  }
}

describe('an outbox', () => {
  it('sends at once while the line is free, in order', () => {
    const { outbox, names } = slowLine()
    for (const name of ['a', 'b', 'c']) outbox.push(message(name))
    expect(names()).toBe('abc')
  })

  it('[SYNC-9] holds back what the line has not taken, up to a bound, and tells once that it is past', () => {
    const { outbox, onOverflow, names } = slowLine()
    outbox.push(message('a', 1024 * KIBIBYTE))
    outbox.push(message('b', 40 * KIBIBYTE))
    expect(names()).toBe('a')
    expect(onOverflow).not.toHaveBeenCalled()
    outbox.push(message('c', 40 * KIBIBYTE))
    expect(onOverflow).toHaveBeenCalledOnce()
  })

  it('sends on when the line has taken something', () => {
    const { outbox, take, names, onOverflow } = slowLine()
    outbox.push(message('a', 1024 * KIBIBYTE))
    outbox.push(message('b', 40 * KIBIBYTE))
    take()
    outbox.push(message('c', 40 * KIBIBYTE))
    expect(names()).toBe('abc')
    expect(onOverflow).not.toHaveBeenCalled()
  })

  it('[SYNC-2] sends an answer only once it is ready, and later messages behind it', async () => {
    const { outbox, names } = slowLine()
    const ready = deferred()
    const sent = vi.fn()
    outbox.push(message('a'))
    outbox.pushAnswer([message('1'), message('2')], ready.promise, sent)
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
    outbox.pushAnswer([message('1', 1024 * KIBIBYTE), message('2')], ready.promise, vi.fn())
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

  it('[SYNC-9] counts everything that waits against the bound', () => {
    const { outbox, onOverflow } = slowLine()
    outbox.pushAside(message('a', 1024 * KIBIBYTE))
    outbox.pushAside(message('b', 40 * KIBIBYTE))
    outbox.push(message('c', 20 * KIBIBYTE))
    expect(onOverflow).not.toHaveBeenCalled()
    outbox.pushAside(message('d', 40 * KIBIBYTE))
    expect(onOverflow).toHaveBeenCalledOnce()
  })

  it('[SYNC-9] sends a large answer piece by piece as the line takes it, without counting it against the bound', async () => {
    const { outbox, take, names, onOverflow } = slowLine()
    const answer = Array.from({ length: 12 }, (_, i) => message(String.fromCharCode(97 + i), 256 * KIBIBYTE))
    const sent = vi.fn()
    outbox.pushAnswer(answer, soon, sent)
    await settled()
    expect(names()).toBe('abcd')
    outbox.push(message('Z'))
    for (let i = 0; i < 6; i++) take()
    expect(names()).toBe('abcdefghij')
    expect(sent).not.toHaveBeenCalled()
    for (let i = 0; i < 6; i++) take()
    expect(names()).toBe('abcdefghijklZ')
    expect(sent).toHaveBeenCalledOnce()
    expect(onOverflow).not.toHaveBeenCalled()
  })

  it('sends nothing after it was stopped, not even an answer that becomes ready', async () => {
    const { outbox, take, names } = slowLine()
    const ready = deferred()
    const sent = vi.fn()
    outbox.push(message('a', 1024 * KIBIBYTE))
    outbox.push(message('b'))
    outbox.pushAnswer([message('1')], ready.promise, sent)
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
    outbox.pushAnswer([message('1')], Promise.reject(new Error('the replica has ended')), vi.fn())
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
    const outbox = new Outbox(line, 10, vi.fn())
    const many = Array.from({ length: 2_000 }, () => message('x'))
    const sent = vi.fn()
    outbox.pushAnswer(many, soon, sent)
    await settled()
    expect(written).toHaveLength(2_000)
    expect(sent).toHaveBeenCalledOnce()
  })
})
