import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket, type RawData } from 'ws'
import { EventStreamReader } from '../support/eventStream.ts'
import { startTestServer, type Caller, type TestServer } from '../support/server.ts'
import { Receiver } from '../support/webhookReceiver.ts'

describe('what GET /asyncapi.json says', () => {
  let server: TestServer
  let ann: Caller
  /** What is wrong with a message of a channel. */
  let faults: (channel: string, message: string, value: unknown, part?: 'payload' | 'headers') => string[]

  beforeAll(async () => {
    server = await startTestServer({ variables: { PARLEY_WEBHOOK_PRIVATE: 'true' } })
    ann = await server.as('ann', { '*': ['admin'] })
    const document = JSON.parse(await (await fetch(`${server.url}/asyncapi.json`)).text())
    const ajv = new Ajv2020({ strict: false })
    addFormats.default(ajv)
    ajv.addSchema(document, 'asyncapi')
    faults = (channel, message, value, part = 'payload') => {
      const check = ajv.compile({ $ref: `asyncapi#/channels/${channel}/messages/${message}/${part}` })
      return check(value) ? [] : (check.errors ?? []).map(({ instancePath, message: why }) => `${instancePath} ${why}`)
    }
    await ann.post('/documents', { id: 'frames', kind: 'text', content: 'a' })
  })
  afterAll(() => server.stop())

  /** A conflict, its resolution, a lock. */
  async function happenings(): Promise<void> {
    const { body } = await ann.get('/documents/frames')
    const baseVersion = body.version
    await ann.put('/documents/frames', { content: `${body.content}b`, baseVersion })
    const { body: refused } = await ann.put('/documents/frames', { content: `${body.content}c`, baseVersion })
    const { conflict } = refused
    await ann.post('/resolve-conflict', { conflictId: conflict.id, baseVersion: baseVersion + 1, use: 'incoming' })
    await ann.post('/documents/frames/lock', { ttlSeconds: 60 })
    await ann.delete('/documents/frames/lock?break=true')
  }

  it('[API-3] holds for every frame of a WebSocket', async () => {
    const url = `${server.url.replace('http', 'ws')}/conflict-notifications`
    const socket = new WebSocket(url, 'conflict-notifications.v1')
    const frames: { type: string }[] = []
    const isDone = new Promise<void>((resolve) => {
      socket.on('message', (data: RawData) => {
        const frame = JSON.parse(String(data))
        frames.push(frame)
        if (frame.event?.type === 'parley.document.unlocked') resolve()
      })
    })
    await once(socket, 'open')
    const events = ['parley.conflict.detected', 'parley.document.changed', 'parley.document.unlocked']
    for (const frame of [
      { type: 'authenticate', token: ann.token },
      { type: 'subscribe', id: 's', documents: ['frames'], events },
      { type: 'ping' },
    ]) {
      expect(faults('notifications', frame.type, frame)).toEqual([])
      socket.send(JSON.stringify(frame))
    }
    socket.send(JSON.stringify({ type: 'nonsense' }))
    // A resync: a cursor of another epoch.
    socket.send(JSON.stringify({ type: 'subscribe', id: 'old', since: 'x.00000000001' }))
    await happenings()
    await isDone
    socket.close()
    expect(frames.flatMap((frame) => faults('notifications', frame.type, frame))).toEqual([])
    expect(new Set(frames.map(({ type }) => type))).toEqual(
      new Set(['welcome', 'subscribed', 'pong', 'error', 'resync', 'event']),
    )
  })

  it('[API-3] holds for what a stream tells', async () => {
    const url = `${server.url}/conflict-notifications?documents=frames&token=${ann.token}`
    const answer = await fetch(url, { headers: { accept: 'text/event-stream', 'last-event-id': 'of no epoch' } })
    const stream = new EventStreamReader()
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
    await happenings()
    while (!stream.events.some(({ type }) => type === 'parley.document.unlocked')) {
      stream.push((await reader?.read())?.value ?? '')
    }
    await reader?.cancel()
    const told = stream.events.map(({ type, data }) => faults('stream', type === 'resync' ? 'resync' : 'event', data))
    expect(told.flat()).toEqual([])
    expect(stream.events[0]?.type).toBe('resync')
  })

  it('[API-3] holds for what is posted to a webhook', async () => {
    const receiver = new Receiver()
    await receiver.listen()
    await ann.post('/conflict-notifications', { url: receiver.url, documents: ['frames'] })
    await happenings()
    await receiver.until(4)
    await receiver.close()
    for (const { headers, body } of receiver.received) {
      expect(faults('webhook', 'event', JSON.parse(body))).toEqual([])
      expect(faults('webhook', 'event', headers, 'headers')).toEqual([])
    }
  })
})
