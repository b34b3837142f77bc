import { connect, type Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { Type } from 'typebox'
import { Upgrades } from '../../server/http/upgrade.ts'
import { deferred } from '../support/deferred.ts'
import { NO_RATES, ORIGINS, PUBLIC_URL, serverWith } from './httpServer.ts'

const SHORT = { headersTimeoutMs: 300, requestTimeoutMs: 700, idleTimeoutMs: 1_500, checkTimeoutsMs: 50 }

let app: FastifyInstance
let upgrades: Upgrades
afterEach(() => {
  upgrades.close()
  return app.close()
})

async function start(): Promise<void> {
  app = serverWith(async (instance) => {
    instance.post('/write', { config: { access: 'public' }, schema: { body: Type.Unknown() } }, async () => ({}))
    instance.get('/read', { config: { access: 'public' } }, async () => ({ read: 'x' }))
    instance.get('/large', { config: { access: 'public' } }, async (_request, reply) =>
      reply.type('application/octet-stream').send(Buffer.alloc(32 * 1024 * 1024)),
    )
    instance.get('/waits', { config: { access: 'public' } }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      return { waited: true }
    })
  }, SHORT)
  upgrades = new Upgrades(app.server, { publicUrl: () => PUBLIC_URL, rates: NO_RATES, origins: ORIGINS })
  await app.listen({ port: 0, host: '127.0.0.1' })
}

/** A client that never closes of itself, and what it heard until the server did. */
function client(): { socket: Socket; heard: () => string; closed: Promise<string> } {
  const address = app.server.address()
  if (address === null || typeof address === 'string') throw new Error('the server does not listen')
  const socket = connect({ port: address.port, host: '127.0.0.1', allowHalfOpen: true })
  const closed = deferred<string>()
  let heard = ''
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')))
  socket.on('error', () => undefined)
  socket.once('end', () => closed.resolve(heard))
  socket.once('close', () => closed.resolve(heard))
  onTestFinished(() => void socket.destroy())
  return { socket, heard: () => heard, closed: closed.promise }
}

/** Sends a byte now and then, so that the line is never idle. */
function trickle(socket: Socket, text: string): void {
  let sent = 0
  const timer = setInterval(() => socket.write(text[sent++ % text.length] ?? ''), 30)
  socket.once('close', () => clearInterval(timer))
  onTestFinished(() => clearInterval(timer))
}

const connections = (): Promise<number> =>
  new Promise((resolve, reject) =>
    app.server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  )

describe('[OPS-9] a connection is given up', () => {
  it('[OPS-9] that never says anything', async () => {
    await start()
    expect(await client().closed).toMatch(/^(HTTP\/1.1 408 |$)/)
  })

  it('[OPS-9] whose headers come byte by byte', async () => {
    await start()
    const { socket, closed } = client()
    socket.write('GET /read HTTP/1.1\r\nHost: x\r\nX-Slow: ')
    trickle(socket, 'a')
    expect(await closed).toMatch(/^HTTP\/1.1 408 [^]*"code":"request-timeout"/)
  })

  it('[OPS-9] whose body comes byte by byte', async () => {
    await start()
    const { socket, closed } = client()
    socket.write(
      'POST /write HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"',
    )
    trickle(socket, 'a')
    expect(await closed).toMatch(/^HTTP\/1.1 408 [^]*"code":"request-timeout"/)
  })

  it('[OPS-9] whose body comes byte by byte in chunks', async () => {
    await start()
    const { socket, closed } = client()
    socket.write(
      'POST /write HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
    )
    trickle(socket, '1\r\na\r\n')
    expect(await closed).toMatch(/^HTTP\/1.1 408 /)
  })

  it('[OPS-9] that is idle after an answer, and not before', async () => {
    await start()
    const { socket, heard, closed } = client()
    socket.write('GET /read HTTP/1.1\r\nHost: x\r\n\r\n')
    await expect.poll(heard).toContain('"read"')
    socket.write('GET /read HTTP/1.1\r\nHost: x\r\n\r\n')
    expect((await closed).match(/"read"/g)).toHaveLength(2)
  })

  it('[OPS-9] whose upgrade comes byte by byte', async () => {
    await start()
    const { socket, closed } = client()
    socket.write('GET /sync/doc HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Slow: ')
    trickle(socket, 'a')
    expect(await closed).toMatch(/^HTTP\/1.1 408 /)
  })

  it('[OPS-9] whose upgrade was refused, although it never closes', async () => {
    await start()
    const { socket, closed } = client()
    socket.write(
      'GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    )
    expect(await closed).toMatch(/^HTTP\/1.1 404 /)
    await expect.poll(connections).toBe(0)
  })

  it('[OPS-9] that does not take its answer', async () => {
    await start()
    const { socket } = client()
    socket.pause()
    socket.write('GET /large HTTP/1.1\r\nHost: x\r\n\r\n')
    await expect.poll(connections).toBe(1)
    await expect.poll(connections).toBe(0)
  })

  it('[OPS-9] but not one that waits for an answer for less than the longest wait', async () => {
    await start()
    const { socket, heard } = client()
    socket.write('GET /waits HTTP/1.1\r\nHost: x\r\n\r\n')
    await expect.poll(heard).toContain('"waited":true')
  })
})
