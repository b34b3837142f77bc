/**
 * Many WebSocket clients in one process, as cheap as they can be made, so that a server is measured and not they.
 * `subscribeMany` starts it and says what its arguments are.
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'

/** What the parent is told. Times are nanoseconds of the clock that all processes of the machine share. */
export type SubscriberNews = { readonly ready: true } | { readonly told: number; readonly atNs: string }

const TEXT = 1
const PING = 9
/** Empty and masked, as a client's are; the mask is of no interest. */
const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0])
/** Handshakes under way at once: below what a server lets wait to be accepted. */
const CONNECTING = 100

const [url = '', count = '0', marker = '', welcome = '', tokenFile = ''] = process.argv.slice(2)
const tokens = tokenFile === '' ? [] : readFileSync(tokenFile, 'utf8').split('\n')
const target = new URL(url)
/** How many were told of the n-th event. */
const told: number[] = []

const tell = (news: SubscriberNews): void => void process.send?.(news)

function countTold(index: number): void {
  told[index] = (told[index] ?? 0) + 1
  if (told[index] === Number(count)) tell({ told: index, atNs: String(process.hrtime.bigint()) })
}

/** Connects; resolves once the server has said that it tells of events from now on. */
async function subscribe(index: number): Promise<void> {
  const socket = connect(Number(target.port), target.hostname)
  await once(socket, 'connect')
  const token = tokens[index]
  const path = `${target.pathname}${target.search}${token === undefined ? '' : `&token=${token}`}`
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: ${target.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}\r\n\r\n`,
  )
  await new Promise<void>((resolve, reject) => {
    read(socket, resolve)
    socket.once('close', () => reject(new Error('A socket was closed.')))
  })
}

function read(socket: Socket, subscribed: () => void): void {
  let rest: Buffer | null = null
  let events = 0
  const take = (bytes: Buffer): void => {
    let data = rest === null ? bytes : Buffer.concat([rest, bytes])
    for (let frame = firstFrame(data); frame !== null; frame = firstFrame(data)) {
      data = data.subarray(frame.length)
      if (frame.opcode === PING) socket.write(PONG)
      else if (frame.opcode !== TEXT) continue
      else if (frame.payload.includes(marker)) countTold(events++)
      else if (frame.payload.includes(welcome)) subscribed()
    }
    rest = data.length === 0 ? null : data
  }
  // Servers here answer the handshake in one piece.
  socket.once('data', (answer) => {
    socket.on('data', take)
    if (welcome === '') subscribed()
    take(answer.subarray(answer.indexOf('\r\n\r\n') + 4))
  })
}

/** A whole frame of a server (RFC 6455 §5.2, unmasked and not fragmented), or null. */
function firstFrame(data: Buffer): { opcode: number; payload: Buffer; length: number } | null {
  const short = (data[1] ?? 0) & 0x7f
  const head = short < 126 ? 2 : short === 126 ? 4 : 10
  if (data.length < head) return null
  const size = short < 126 ? short : short === 126 ? data.readUInt16BE(2) : Number(data.readBigUInt64BE(2))
  if (data.length < head + size) return null
  return { opcode: (data[0] ?? 0) & 0x0f, payload: data.subarray(head, head + size), length: head + size }
}

process.on('disconnect', () => process.exit())
for (let from = 0; from < Number(count); from += CONNECTING) {
  const indexes = Array.from({ length: Math.min(CONNECTING, Number(count) - from) }, (_, n) => from + n)
  await Promise.all(indexes.map(subscribe))
}
tell({ ready: true })
