import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { deferred } from '../support/deferred.ts'
import { exchange, listening, request, server } from './httpRoutes.ts'
import { serverWith } from './httpServer.ts'

it('[AUTH-1] every request on a connection is judged by its own token', async () => {
  const { port } = await listening()
  const line = 'GET /documents/doc:1'
  const kept = (token: string | null): string => request(line, token, 'X: y').replace('Connection: close\r\n', '')
  const tokens = ['reader', 'reader', 'nobody', 'writer', null, 'blindWriter']
  const answer = await exchange(port, tokens.map(kept).join('') + request(line, 'reader', 'X: y'))
  const answers = answer.split('HTTP/1.1 ').slice(1)
  expect(answers.map((one) => one.slice(0, 3))).toEqual(['200', '200', '401', '200', '401', '404', '200'])
  expect(answers.map((one) => /"by":"(\w+)"/.exec(one)?.[1])).toEqual([
    'reader',
    'reader',
    undefined,
    'writer',
    undefined,
    undefined,
    'reader',
  ])
})

describe('sockets', () => {
  it('[API-2] answers bytes that are not HTTP with a problem document', async () => {
    const { port } = await listening()
    const answer = await exchange(port, 'nonsense\r\n\r\n')
    expect(answer).toMatch(/^HTTP\/1.1 400 Bad Request\r\nContent-Type: application\/problem\+json/)
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({ code: 'invalid-request', status: 400 })
  })

  it('[API-2] answers a request without Host with a problem document', async () => {
    const { port } = await listening()
    const answer = await exchange(port, 'GET /problems HTTP/1.1\r\nConnection: close\r\n\r\n')
    expect(answer).toMatch(/^HTTP\/1.1 400 [^]*"detail":"The Host header is missing."/)
    expect(await exchange(port, 'GET /problems HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 200 /)
  })

  it('[API-2] answers headers beyond 16 KiB with 431', async () => {
    const { port } = await listening()
    const answer = await exchange(port, `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1.1 431 /)
    expect(answer).toContain('"code":"headers-too-large"')
  })

  it('bounds how long headers and bodies may take to arrive', async () => {
    const app = server()
    expect(app.server.headersTimeout).toBe(20_000)
    expect(app.server.requestTimeout).toBe(300_000)
    const late = await listening({ headersTimeoutMs: 100, requestTimeoutMs: 200 })
    expect(late.app.server).toMatchObject({ headersTimeout: 100, requestTimeout: 200 })
  })

  it('[OPS-2] finishes what it has begun, and answers 503 to what still comes while it stops', async () => {
    const release = deferred()
    const closing = deferred()
    const app = serverWith(async (instance) => {
      instance.get('/slow', { config: { access: 'public' } }, async () => {
        await release.promise
        return { slow: true }
      })
    })
    app.addHook('preClose', (done) => {
      closing.resolve()
      done()
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
    const answers = new Promise<string>((resolve) => {
      let text = ''
      socket.on('data', (data) => (text += data.toString()))
      socket.on('close', () => resolve(text))
    })
    const send = async () => {
      const arrived = once(app.server, 'request')
      socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n')
      await arrived
    }
    await send()
    const closed = app.close()
    await closing.promise
    await send()
    release.resolve()
    await closed
    expect(await answers).toMatch(/^HTTP\/1.1 200 [^]*\{"slow":true\}HTTP\/1.1 503 [^]*"code":"shutting-down"/)
  })
})
