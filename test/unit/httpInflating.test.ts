import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Routes } from '../../server/http/mount.ts'
import { serverWith } from './httpServer.ts'

/** Past the limit of the route when it is inflated, and rest enough that it comes when the refusal is out. */
function corruptBomb(): Buffer {
  const bytes = gzipSync(Buffer.concat([Buffer.alloc(200_000), randomBytes(40_000)]))
  return bytes.fill(0xff, 30_000)
}

let app: FastifyInstance
let socket: Socket
let finishSlow: () => void

beforeEach(async () => {
  const slow = new Promise<void>((resolve) => (finishSlow = resolve))
  app = serverWith(routes(slow), { maxContentBytes: 10_000 })
  await app.listen({ host: '127.0.0.1', port: 0 })
  socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  await once(socket, 'connect')
})
afterEach(async () => {
  finishSlow()
  socket.destroy()
  await app.close()
})

const failures: string[] = []

function routes(slow: Promise<void>): Routes {
  return async (instance) => {
    failures.length = 0
    instance.addHook('onError', async (_request, _reply, error) => void failures.push(error.message))
    instance.get('/slow', { config: { access: 'public' } }, () => slow)
    instance.put(
      '/text',
      { config: { access: 'public', consumes: ['text/plain'] } },
      async ({ body }) => String(body).length,
    )
  }
}

const headOf = (method: string, path: string, headers: string[] = []): string =>
  [`${method} ${path} HTTP/1.1`, 'Host: parley.example', ...headers, '', ''].join('\r\n')

const gzipped = (length: number): string =>
  headOf('PUT', '/text', ['Content-Type: text/plain', 'Content-Encoding: gzip', `Content-Length: ${length}`])

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 500 && !condition(); turn++) await wait(10)
  expect(condition()).toBe(true)
}

describe('[API-8] a compressed body', () => {
  it('[API-8] that was refused, and goes on as something else, harms nobody', async () => {
    let answers = ''
    socket.on('data', (chunk: Buffer) => (answers += chunk.toString('latin1')))
    const bomb = corruptBomb()
    socket.write(headOf('GET', '/slow') + gzipped(bomb.length))
    socket.write(bomb)
    await until(() => failures.length > 0)
    // What is left of it comes while its refusal waits for the answer before it.
    await wait(50)
    finishSlow()
    await until(() => answers.includes('HTTP/1.1 413'))
    expect((await fetch(new URL('/text', addressOf()), put(gzipSync('whole')))).status).toBe(200)
  })

  it('[API-8] that breaks off is given up, and its place is free again', async () => {
    const body = gzipSync(randomBytes(9_000))
    socket.write(gzipped(body.length))
    socket.write(body.subarray(0, 4_000))
    await wait(50)
    socket.destroy()
    await until(() => failures.length === 1)
    expect(failures).toEqual(['The body broke off.'])
  })

  it('[API-8] takes one of sixteen places that its sender has, and gives it back', async () => {
    const body = gzipSync('x'.repeat(9_000))
    const sockets = Array.from({ length: 16 }, () => connect(Number(addressOf().port), '127.0.0.1'))
    for (const one of sockets) one.write(Buffer.concat([Buffer.from(gzipped(body.length)), body.subarray(0, 10)]))
    const isFull = async (): Promise<boolean> => (await fetch(new URL('/text', addressOf()), put(body))).status === 503
    for (let turn = 0; turn < 100 && !(await isFull()); turn++) await wait(10)
    expect(await isFull()).toBe(true)
    for (const one of sockets) one.destroy()
    for (let turn = 0; turn < 100 && (await isFull()); turn++) await wait(10)
    expect(await isFull()).toBe(false)
  })
})

function addressOf(): URL {
  return new URL(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`)
}

const put = (body: Uint8Array): RequestInit => ({
  method: 'PUT',
  headers: { 'content-type': 'text/plain', 'content-encoding': 'gzip' },
  body,
})
