import { describe, expect, it } from 'vitest'
import { NotificationFeed, type FeedState, type SocketLike } from '../../client-demo/src/parley/notifications.ts'
import type { ParleyEvent } from '../../client-demo/src/parley/types.ts'

interface Timer {
  readonly delayMs: number
  readonly task: () => void
  cancelled: boolean
}

class FakeSocket implements SocketLike {
  onopen: (() => void) | null = null
  onmessage: ((message: { readonly data: unknown }) => void) | null = null
  onclose: ((close: { readonly code: number; readonly reason: string }) => void) | null = null
  readonly sent: Record<string, unknown>[] = []
  closedWith: number | undefined | null = null

  send(data: string): void {
    this.sent.push(JSON.parse(data))
  }

  close(code?: number): void {
    this.closedWith = code
  }

  receive(frame: unknown): void {
    this.onmessage?.({ data: typeof frame === 'string' ? frame : JSON.stringify(frame) })
  }

  open(): void {
    this.onopen?.()
  }

  lose(code: number, reason = ''): void {
    this.onclose?.({ code, reason })
  }
}

const event = (id: string, data: Record<string, unknown> = {}): object => ({
  type: 'event',
  subscriptions: ['feed'],
  event: { id, type: 'parley.document.changed', subject: 'documents/n', time: '2026-11-01T10:00:00Z', data },
})

/** A feed over fake sockets and timers that run when they are told to. */
function follow(tokens: readonly string[] = ['t1', 't2', 't3']) {
  const sockets: FakeSocket[] = []
  const timers: Timer[] = []
  const events: ParleyEvent[] = []
  const states: FeedState[] = []
  const renewed: string[] = []
  const given = [...tokens]
  let gaps = 0
  let current = given.shift() ?? ''
  const feed = new NotificationFeed({
    url: 'ws://here/conflict-notifications',
    token: {
      current: async () => current,
      renew: async (refused) => {
        renewed.push(refused)
        current = given.shift() ?? ''
        return current
      },
    },
    documents: ['n'],
    events: ['parley.document.changed'],
    onEvent: (one) => events.push(one),
    onGap: () => {
      gaps += 1
    },
    onState: (state) => states.push(state),
    connect: (_url, protocol) => {
      expect(protocol).toBe('conflict-notifications.v1')
      const socket = new FakeSocket()
      sockets.push(socket)
      return socket
    },
    random: () => 1,
    after: (delayMs, task) => {
      const timer = { delayMs, task, cancelled: false }
      timers.push(timer)
      return () => {
        timer.cancelled = true
      }
    },
  })
  const latest = (): FakeSocket => {
    const socket = sockets.at(-1)
    if (socket === undefined) throw new Error('no socket was opened')
    return socket
  }
  /** Runs the newest live timer of this delay. */
  const fire = (delayMs: number): void => {
    const timer = timers.findLast((one) => one.delayMs === delayMs && !one.cancelled)
    if (timer === undefined) throw new Error(`no timer of ${delayMs} ms`)
    timer.cancelled = true
    timer.task()
  }
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn++) await Promise.resolve()
  }
  /** Opens the newest socket and goes through the greeting. */
  const greet = async (cursor: string): Promise<FakeSocket> => {
    await settle()
    const socket = latest()
    socket.open()
    socket.receive({ type: 'welcome' })
    socket.receive({ type: 'subscribed', id: 'feed', cursor })
    return socket
  }
  return { feed, sockets, timers, events, states, renewed, gaps: () => gaps, latest, fire, settle, greet }
}

describe('the notification feed', () => {
  it('authenticates in a frame, subscribes after the welcome, and asks for the state once', async () => {
    const { greet, gaps, states } = follow()
    const socket = await greet('c0')
    expect(socket.sent).toEqual([
      { type: 'authenticate', token: 't1' },
      { type: 'subscribe', id: 'feed', documents: ['n'], events: ['parley.document.changed'] },
    ])
    expect(gaps()).toBe(1)
    expect(states.at(-1)).toEqual({ phase: 'following' })
  })

  it('resumes behind the last event it saw, and asks for no state then', async () => {
    const { greet, gaps, events, fire, latest } = follow()
    const first = await greet('c0')
    first.receive(event('e1'))
    first.receive(event('e2'))
    first.lose(1006)
    fire(500)
    const second = await greet('e2')
    expect(second).not.toBe(first)
    expect(latest().sent[1]).toMatchObject({ since: 'e2' })
    expect(gaps()).toBe(1)
    second.receive(event('e3'))
    expect(events.map(({ id }) => id)).toEqual(['e1', 'e2', 'e3'])
  })

  it('passes an event that comes again on once', async () => {
    const { greet, events } = follow()
    const socket = await greet('c0')
    socket.receive(event('e1'))
    socket.receive(event('e1'))
    expect(events).toHaveLength(1)
  })

  it('resumes from a bookmark', async () => {
    const { greet, fire, latest } = follow()
    const socket = await greet('c0')
    socket.receive({ type: 'bookmark', cursor: 'b7' })
    socket.lose(1012)
    fire(500)
    await greet('b7')
    expect(latest().sent[1]).toMatchObject({ since: 'b7' })
  })

  it('asks for the state again when its cursor was too old', async () => {
    const { greet, gaps } = follow()
    const socket = await greet('c0')
    socket.receive({ type: 'resync', id: 'feed', cursor: 'c9' })
    expect(gaps()).toBe(2)
  })

  it('gives up a cursor the server cannot read', async () => {
    const { greet, gaps } = follow()
    const socket = await greet('c0')
    socket.receive({ type: 'error', id: 'feed', problem: { code: 'invalid-cursor', retryable: false } })
    expect(socket.sent.at(-1)).not.toHaveProperty('since')
    socket.receive({ type: 'subscribed', id: 'feed', cursor: 'c5' })
    expect(gaps()).toBe(2)
  })

  it('waits longer after each failure, up to a bound, and starts small again after a success', async () => {
    const { settle, latest, fire, timers, greet } = follow()
    const delays: number[] = []
    for (const delayMs of [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]) {
      await settle()
      latest().lose(1006)
      delays.push(timers.findLast((timer) => timer.delayMs !== 50_000)?.delayMs ?? 0)
      fire(delayMs)
    }
    expect(delays).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000])
    const socket = await greet('c0')
    socket.lose(1006)
    fire(500)
  })

  it('renews the token it was refused with, and comes back', async () => {
    const { greet, fire, renewed, latest } = follow()
    const socket = await greet('c0')
    socket.lose(4401, 'expired')
    fire(500)
    await greet('c0')
    expect(renewed).toEqual(['t1'])
    expect(latest().sent[0]).toEqual({ type: 'authenticate', token: 't2' })
  })

  it('stops for good on any other 44xx, and says why', async () => {
    const { greet, states, sockets, timers } = follow()
    const socket = await greet('c0')
    const before = timers.length
    socket.lose(4403, 'no rights')
    expect(states.at(-1)).toEqual({ phase: 'refused', reason: 'no rights' })
    expect(timers.slice(before)).toEqual([])
    expect(sockets).toHaveLength(1)
  })

  it('tries again after an error that may pass, and not after one that will not', async () => {
    const passing = follow()
    const socket = await passing.greet('c0')
    socket.receive({ type: 'error', problem: { code: 'overloaded', retryable: true } })
    expect(passing.states.at(-1)).toEqual({ phase: 'waiting' })
    expect(socket.closedWith).not.toBeNull()
    const lasting = follow()
    const other = await lasting.greet('c0')
    other.receive({ type: 'error', problem: { code: 'invalid-request', detail: 'No such pattern.', retryable: false } })
    expect(lasting.states.at(-1)).toEqual({ phase: 'refused', reason: 'No such pattern.' })
  })

  it('takes a connection that brings nothing for a dead one', async () => {
    const { greet, fire, states } = follow()
    const socket = await greet('c0')
    fire(50_000)
    expect(states.at(-1)).toEqual({ phase: 'waiting' })
    expect(socket.closedWith).toBeUndefined()
    socket.receive(event('late'))
    expect(states.at(-1)).toEqual({ phase: 'waiting' })
  })

  it('pings, so that a quiet connection is not taken for a dead one', async () => {
    const { greet, fire } = follow()
    const socket = await greet('c0')
    fire(20_000)
    fire(20_000)
    expect(socket.sent.filter(({ type }) => type === 'ping')).toHaveLength(2)
  })

  it.each([
    'not json',
    '[]',
    'null',
    '{"type":7}',
    '{"type":"event"}',
    '{"type":"event","subscriptions":[],"event":{}}',
  ])('leaves out a frame it cannot read: %s', async (frame) => {
    const { greet, events } = follow()
    const socket = await greet('c0')
    socket.receive(frame)
    socket.receive(event('e1'))
    expect(events.map(({ id }) => id)).toEqual(['e1'])
  })

  it('does nothing more once closed', async () => {
    const { feed, greet, timers, settle, sockets } = follow()
    const socket = await greet('c0')
    feed.close()
    socket.lose(1000)
    await settle()
    expect(socket.closedWith).toBe(1000)
    expect(timers.filter(({ cancelled }) => !cancelled)).toEqual([])
    expect(sockets).toHaveLength(1)
  })

  it('opens no socket when it was closed before the token came', async () => {
    const { feed, settle, sockets } = follow()
    feed.close()
    await settle()
    expect(sockets).toEqual([])
  })
})
