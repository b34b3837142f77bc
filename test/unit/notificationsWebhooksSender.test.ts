import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { LookupAddress } from 'node:dns'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { isPrivateHost, isPublicAddress, publicLookup } from '../../server/notifications/webhooksAddress.ts'
import { httpSender, type PostOutcome } from '../../server/notifications/webhooksSender.ts'
import { ManualEnvironment } from '../support/manualEnvironment.ts'
import { WaitLimit, waitUntil } from '../support/waitFor.ts'

let environment: ManualEnvironment
beforeEach(() => {
  environment = new ManualEnvironment()
})

interface Receiver {
  readonly server: Server
  readonly port: number
  readonly requests: { method: string; url: string; headers: NodeJS.Dict<string | string[]>; body: string }[]
}

async function receiver(answer: RequestListener): Promise<Receiver> {
  const requests: Receiver['requests'] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => (body += String(chunk)))
    request.on('end', () => {
      requests.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body })
      answer(request, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { server, port: (server.address() as AddressInfo).port, requests }
}

const post = (url: string) => ({ url, headers: { 'webhook-id': 'msg_1' }, body: '{"a":"é"}' })
const never = new AbortController().signal
const privately = () => httpSender({ environment, allowPrivate: true })

/** A name service that says this of every name. */
const publicLookupOf = (...addresses: string[]) =>
  publicLookup((_name, _options, callback) => {
    const found: LookupAddress[] = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
    callback(null, found)
  })

async function within(outcome: Promise<PostOutcome>): Promise<PostOutcome> {
  const limit = new WaitLimit(() => 'the post to end')
  try {
    return await limit.race(outcome)
  } finally {
    limit.end()
  }
}

describe('a post to a webhook', () => {
  it('[NOTE-5] carries its headers and its body, and is answered with the status', async () => {
    const { port, requests } = await receiver((_request, response) => response.writeHead(204).end())
    expect(await within(privately()(post(`http://127.0.0.1:${port}/hook?a=1`), never))).toEqual({ status: 204 })
    expect(requests).toEqual([
      {
        method: 'POST',
        url: '/hook?a=1',
        headers: expect.objectContaining({ 'webhook-id': 'msg_1', 'content-length': '10' }),
        body: '{"a":"é"}',
      },
    ])
    expect(environment.pending).toBe(0)
  })

  it('[NOTE-5] does not follow a redirect', async () => {
    const inner = await receiver((_request, response) => response.end())
    const { port } = await receiver((_request, response) =>
      response.writeHead(307, { Location: `http://127.0.0.1:${inner.port}/` }).end(),
    )
    expect(await within(privately()(post(`http://127.0.0.1:${port}/`), never))).toEqual({ status: 307 })
    expect(inner.requests).toEqual([])
  })

  it('[NOTE-5] a receiver that hangs is given up after 15 s', async () => {
    const { port, requests } = await receiver(() => undefined)
    let outcome: PostOutcome | null = null
    const sent = privately()(post(`http://127.0.0.1:${port}/`), never).then((result) => (outcome = result))
    await waitUntil(() => requests.length === 1)
    await environment.advance(14_999)
    expect(outcome).toBeNull()
    await environment.advance(1)
    expect(await within(sent)).toEqual({ error: 'No answer came in time.' })
  })

  it('a body that never ends is cut off, and one that stops in the middle is not waited for', async () => {
    const endless = await receiver((_request, response) => {
      response.writeHead(200)
      const more = (): void => {
        // In a turn of its own: Node 24 calls back before it looks whether anybody has hung up.
        if (!response.destroyed) response.write('x'.repeat(10_000), () => setImmediate(more))
      }
      more()
    })
    expect(await within(privately()(post(`http://127.0.0.1:${endless.port}/`), never))).toEqual({ status: 200 })
    const stopped = await receiver((_request, response) => void response.writeHead(202).write('x'))
    const sent = privately()(post(`http://127.0.0.1:${stopped.port}/`), never)
    await waitUntil(() => stopped.requests.length === 1)
    await environment.advance(15_000)
    const outcome = await within(sent)
    // Whether the head of the answer came before the deadline is up to the network.
    expect([{ status: 202 }, { error: 'No answer came in time.' }]).toContainEqual(outcome)
  })

  it('says why there was no answer', async () => {
    const { server, port } = await receiver((request) => request.socket.destroy())
    expect(await within(privately()(post(`http://127.0.0.1:${port}/`), never))).toEqual({
      error: 'The connection failed (ECONNRESET).',
    })
    await new Promise((resolve) => server.close(resolve))
    expect(await within(privately()(post(`http://127.0.0.1:${port}/`), never))).toEqual({
      error: 'The connection failed (ECONNREFUSED).',
    })
  })

  it('ends at once when the server stops', async () => {
    const { port, requests } = await receiver(() => undefined)
    const stopping = new AbortController()
    const sent = privately()(post(`http://127.0.0.1:${port}/`), stopping.signal)
    await waitUntil(() => requests.length === 1)
    stopping.abort()
    expect(await within(sent)).toHaveProperty('error')
    expect(environment.pending).toBe(0)
    expect(await within(privately()(post(`http://127.0.0.1:${port}/`), stopping.signal))).toHaveProperty('error')
    expect(requests).toHaveLength(1)
  })
})

describe('addresses that are not public', () => {
  it('[NOTE-5] no connection is made to one, by whatever name', async () => {
    const { port, requests, server } = await receiver((_request, response) => response.end())
    let connections = 0
    server.on('connection', () => (connections += 1))
    for (const host of [
      '127.0.0.1',
      '0',
      '0x7f.1',
      '2130706433',
      '[::1]',
      '[::ffff:127.0.0.1]',
      'localhost',
      'a.localhost.',
    ]) {
      const send = httpSender({ environment, allowPrivate: false })
      expect(await within(send(post(`http://${host}:${port}/`), never)), host).toEqual({
        error: 'The address is not public.',
      })
    }
    for (const addresses of [['127.0.0.1'], ['::1'], ['::ffff:127.0.0.1'], ['10.0.0.1', '127.0.0.1'], []]) {
      const send = httpSender({ environment, allowPrivate: false, lookup: publicLookupOf(...addresses) })
      expect(await within(send(post(`http://receiver.test:${port}/`), never)), addresses.join()).toEqual({
        error: 'The name leads to no public address.',
      })
    }
    expect([requests.length, connections]).toEqual([0, 0])
  })

  it('[NOTE-5] the look-up leaves out what is private, however it is asked', async () => {
    const ask = (all: boolean): Promise<unknown> =>
      new Promise((resolve) => {
        publicLookupOf('10.0.0.1', '93.184.215.14')('receiver.test', { all }, (error, found) => resolve(error ?? found))
      })
    expect(await ask(true)).toEqual([{ address: '93.184.215.14', family: 4 }])
    expect(await ask(false)).toBe('93.184.215.14')
  })

  it('a name that cannot be looked up is an error like any other', async () => {
    const failing = publicLookup((_name, _options, callback) =>
      callback(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }), []),
    )
    const send = httpSender({ environment, allowPrivate: false, lookup: failing })
    expect(await within(send(post('http://receiver.test/'), never))).toEqual({
      error: 'The connection failed (ENOTFOUND).',
    })
  })

  it.each([
    ...['0.0.0.0', '10.1.2.3', '127.0.0.1', '127.255.255.254', '100.64.0.1', '169.254.169.254', '172.16.0.1'],
    ...['172.31.255.255', '192.168.0.1', '192.0.0.1', '192.0.2.1', '198.18.0.1', '224.0.0.1', '240.0.0.1'],
    ...['255.255.255.255', '::', '::1', '::7f00:1', '::ffff:7f00:1', '::ffff:8.8.8.8', 'fe80::1', 'fe80::1%eth0'],
    ...['fc00::1', 'fd12::1', 'fec0::1', 'ff02::1', '64:ff9b::7f00:1', '64:ff9b:1::1', '2002:7f00:1::', '2001::1'],
    ...['2001:db8::1', '100::1', 'receiver.test', ''],
  ])('[NOTE-5] %s is not public', (address) => {
    expect(isPublicAddress(address)).toBe(false)
  })

  it.each(['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700:4700::1111', '2a00:1450:4001::1'])(
    '[NOTE-5] %s is public',
    (address) => {
      expect(isPublicAddress(address)).toBe(true)
      expect(isPrivateHost(address.includes(':') ? `[${address}]` : address)).toBe(false)
    },
  )

  it('a name is judged by its look-up, but for localhost', () => {
    expect(['receiver.test', 'localhost.example', 'mylocalhost'].map(isPrivateHost)).toEqual([false, false, false])
    expect(['localhost', 'LOCALHOST', 'a.b.localhost'].map(isPrivateHost)).toEqual([true, true, true])
  })
})
