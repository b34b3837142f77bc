import { EventEmitter } from 'node:events'
import { expect, it } from 'vitest'
import type { WebSocket } from 'ws'
import { Peer } from '../../server/sockets/peer.ts'
import { ManualEnvironment } from '../support/manualEnvironment.ts'

it.each([
  ['without a close frame', 1006, false, true],
  ['by a tab that is closed', 1001, false, false],
  ['by a client without a code', 1005, false, false],
  ['because we end it, and its peer does not answer', 1006, true, false],
] as const)('[CONF-6] a socket that is closed %s (%i): it broke off: %s', async (_, code, isOurs, expected) => {
  const socket = Object.assign(new EventEmitter(), { OPEN: 1, close: () => undefined, resume: () => undefined })
  const told: boolean[] = []
  const budget = { messages: null, bytes: null }
  const peer = new Peer({
    socket: socket as unknown as WebSocket,
    stream: { bytesRead: 0, bytesWritten: 0, write: () => true },
    environment: new ManualEnvironment(),
    limits: { pingMs: 30_000, closeGraceMs: 1_000, budget },
    onMessage: () => undefined,
    onFlood: () => undefined,
    onClosed: ({ brokeOff }) => void told.push(brokeOff),
  })
  if (isOurs) peer.end('overloaded', 'says the test')
  socket.emit('close', code)
  await peer.gone
  expect(told).toEqual([expected])
})
