import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import * as Y from 'yjs'
import { HubClient } from '../support/hubServer.ts'
import { inOnePiece } from '../support/inOnePiece.ts'
import { frames, RawClient } from '../support/rawClient.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { StockClient } from '../support/stockClient.ts'
import { eventually } from '../support/waitFor.ts'

const MEBIBYTE = 1024 * 1024

let server: TestServer
afterEach(() => server.stop())

const socketUrl = (): string => server.url.replace(/^http/, 'ws')

async function stockClient(sub: string): Promise<StockClient> {
  const client = new StockClient(`${socketUrl()}/sync`, 'doc', { token: await server.token(sub) })
  onTestFinished(() => client.destroy())
  return client.synced()
}

async function rawClient(sub: string): Promise<RawClient> {
  const client = new RawClient(`${socketUrl()}/sync/doc?token=${await server.token(sub)}`)
  onTestFinished(() => client.socket.terminate())
  await client.frame('sync-step-1')
  return client
}

describe('[RATE-1] live messages', () => {
  it('[RATE-1] past the budget wait, and nothing a stock client wrote is lost', async () => {
    server = await startTestServer({ variables: { PARLEY_RATE_LIVE_MESSAGES: '600' } })
    const [typist, watcher] = [await stockClient('typist'), await stockClient('watcher')]
    let text = ''
    for (let n = 0; n < 610; n++) {
      const word = `${n} `
      typist.text.insert(text.length, word)
      text += word
    }
    await watcher.shows(text)
    expect([typist.closeCodes, watcher.closeCodes]).toEqual([[], []])
  })

  it("[RATE-1] of one that never stops end it with 4529, and its document is nobody else's delay", async () => {
    server = await startTestServer({ variables: { PARLEY_RATE_LIVE_MESSAGES: '600' } })
    const bystander = await stockClient('bystander')
    const watcher = await stockClient('watcher')
    const flooder = await rawClient('flooder')
    inOnePiece(flooder.socket, () => {
      for (let n = 0; n < 20_000; n++) flooder.socket.send(frames.queryAwareness())
    })
    bystander.text.insert(0, 'not disturbed')
    await watcher.shows('not disturbed')
    expect((await flooder.closed).code).toBe(4529)
    expect([bystander.closeCodes, watcher.closeCodes]).toEqual([[], []])
  })

  it('[RATE-1] of a stock client that is closed with 4529 arrive when it comes back', async () => {
    server = await startTestServer({ variables: { PARLEY_RATE_LIVE_MESSAGES: '300' } })
    const [writer, watcher] = [await stockClient('writer'), await stockClient('watcher')]
    inOnePiece(writer.line, () => {
      for (let n = 0; n < 2_000; n++) writer.text.insert(n, String(n % 10))
    })
    const text = writer.text.toString()
    await watcher.shows(text)
    expect(new Set(writer.closeCodes)).toEqual(new Set([4529]))
    expect(writer.terminal).toEqual([])
  })

  it('[RATE-1] of many bytes hold the sender back by its own line', async () => {
    server = await startTestServer({ variables: { PARLEY_RATE_LIVE_BYTES: '4194304' } })
    const sender = await rawClient('sender')
    const doc = new Y.Doc()
    doc.getText('content').insert(0, 'x'.repeat(MEBIBYTE))
    const large = frames.update(Y.encodeStateAsUpdate(doc))
    for (let n = 0; n < 40; n++) sender.socket.send(large)
    const bystander = await stockClient('bystander')
    await eventually(() => expect(bystander.text.length).toBe(MEBIBYTE))
    // Of forty it took what the network holds, and it is still there.
    expect(sender.socket.bufferedAmount).toBeGreaterThan(10 * MEBIBYTE)
    expect(sender.socket.readyState).toBe(sender.socket.OPEN)
  })
})

describe('[RATE-1] [NOTE-2] frames of a notification socket', () => {
  const open = async (): Promise<HubClient> => {
    const client = new HubClient(`${socketUrl()}/conflict-notifications?token=${await server.token('reader')}`)
    onTestFinished(() => client.socket.terminate())
    await client.next('welcome')
    return client
  }

  it('[RATE-1] [NOTE-2] past the budget wait, and each is answered', async () => {
    server = await startTestServer()
    const client = await open()
    for (let n = 0; n < 260; n++) client.send({ type: 'ping' })
    await eventually(() => expect(client.frames.filter(({ type }) => type === 'pong')).toHaveLength(260))
    client.send({ type: 'subscribe', id: 'late', documents: ['*'] })
    await client.next('subscribed')
    expect(client.closed).toBeNull()
  })

  it('[RATE-1] [NOTE-2] that never stop end the socket with 4529', async () => {
    server = await startTestServer()
    const client = await open()
    // In one piece: more of them arrive together than are paid back within a minute.
    inOnePiece(client.socket, () => {
      for (let n = 0; n < 5_000; n++) client.send({ type: 'ping' })
    })
    expect(await client.ended()).toEqual({ code: 4529, reason: 'too-many-requests' })
  })
})
