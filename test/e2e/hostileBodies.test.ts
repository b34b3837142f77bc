import { once } from 'node:events'
import { connect } from 'node:net'
import { randomBytes } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import { createGzip, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { startTestServer, type Caller, type TestServer } from '../support/server.ts'

const MEBIBYTE = 1024 * 1024
/** More than may be inflated at one time. */
const MANY = 70

let server: TestServer
let ann: Caller
beforeAll(async () => {
  server = await startTestServer()
  ann = await server.as('ann')
  await ann.post('/documents', { id: 'text', kind: 'text', content: '' })
  await ann.post('/documents', { id: 'json', kind: 'json', content: {} })
})
afterAll(() => server.stop())

async function put(path: string, body: Buffer, type: string): Promise<number> {
  const answer = await fetch(server.url + path, {
    method: 'PUT',
    headers: { authorization: `Bearer ${ann.token}`, 'content-type': type, 'content-encoding': 'gzip' },
    body: new Uint8Array(body),
  })
  await answer.arrayBuffer()
  return answer.status
}

/** A gzip body is taken as any, so nothing is left of what came before. */
async function expectHonestBodiesTaken(): Promise<void> {
  const { version } = (await ann.get('/documents/text')).body
  const body = gzipSync(JSON.stringify({ content: `version ${version}`, baseVersion: version }))
  await expect.poll(() => put('/documents/text', body, 'application/json')).toBe(200)
}

describe('[OPS-8] [API-8] hostile bodies', () => {
  it('[OPS-8] [API-8] that inflate to 256 MiB are 413, however many come', async () => {
    const bomb = await buffer(
      Readable.from(Array.from({ length: 256 }, () => Buffer.alloc(MEBIBYTE))).pipe(createGzip()),
    )
    expect(bomb.length).toBeLessThan(2 * MEBIBYTE)
    for (let n = 0; n < MANY; n++)
      expect(await put('/documents/text/content?baseVersion=1', bomb, 'text/plain')).toBe(413)
    await expectHonestBodiesTaken()
    // Seven seconds of inflating where nothing else goes on.
  })

  it('[OPS-8] [API-8] whose senders leave in the middle leave nothing behind', async () => {
    const address = new URL(server.url)
    for (let n = 0; n < MANY; n++) {
      const socket = connect(Number(address.port), address.hostname)
      await once(socket, 'connect')
      socket.write(
        `PUT /documents/text/content?baseVersion=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ann.token}\r\n` +
          'Content-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Length: 1000000\r\n\r\n',
      )
      socket.write(gzipSync(randomBytes(1_000)).subarray(0, 500))
      socket.destroySoon()
    }
    await expectHonestBodiesTaken()
  })

  it('[OPS-8] [API-8] are read away after their 413, so that the connection goes on or ends', async () => {
    const address = new URL(server.url)
    const socket = connect(Number(address.port), address.hostname)
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => undefined)
    let heard = ''
    let isClosed = false
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')))
    socket.once('close', () => (isClosed = true))
    const body = gzipSync(randomBytes(40 * MEBIBYTE), { level: 0 })
    socket.write(
      `PUT /documents/text/content?baseVersion=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ann.token}\r\n` +
        `Content-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Length: ${body.length}\r\n\r\n`,
    )
    socket.write(body)
    await expect.poll(() => heard).toContain('HTTP/1.1 413')
    await expect.poll(() => isClosed || socket.writableLength === 0).toBe(true)
  })

  it.each([
    ['brackets', `{"baseVersion":1,"content":${'['.repeat(15 * MEBIBYTE)}`],
    ['numbers', `{"baseVersion":1,"content":{"a":[${'0,'.repeat(15 * MEBIBYTE)}0]}}`],
    ['objects', `{"baseVersion":1,"content":{"a":[${'{},'.repeat(10 * MEBIBYTE)}0]}}`],
  ])('[OPS-8] of thirty MiB of %s are refused before anything is made of them', async (_what, json) => {
    const body = gzipSync(json)
    expect(body.length).toBeLessThan(MEBIBYTE)
    expect(await put('/documents/json', body, 'application/json')).toBe(422)
    expect((await ann.get('/documents/json')).body.version).toBe(1)
  })
})
