// People who type in one room, five keys a second each, over raw sockets. Arguments: protocol (parley or hocuspocus), URL of
// the room's socket, room, token, how many, milliseconds. Prints as JSON how long keys took to reach some of the others.
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { WebSocket } from 'ws'
import * as Y from 'yjs'

const [protocol, url, room, token, people, ms] = process.argv.slice(2)
const KEYS_A_SECOND = 5
/** Of whom it is looked at what arrives; the others only take it. */
const WATCHERS = 5
const isHocuspocus = protocol === 'hocuspocus'

/** When each key of each person was sent: by client id, by clock. */
const sentMs = new Map()
const latenciesMs = []

const typists = await Promise.all(Array.from({ length: Number(people) }, (_, n) => join(n)))
const startMs = performance.now()
const endMs = startMs + Number(ms)
let isCounting = false
setTimeout(() => (isCounting = true), Number(ms) / 3)
await new Promise((resolve) => {
  const spacingMs = 1000 / KEYS_A_SECOND / typists.length
  let count = 0
  const timer = setInterval(() => {
    const now = performance.now()
    for (; startMs + count * spacingMs < now; count++) typists[count % typists.length]()
    if (now < endMs) return
    clearInterval(timer)
    resolve()
  }, 4)
})
// What is still on its way has some seconds to arrive; what does not is as late as can be.
const counted = [...sentMs.values()].flatMap((clocks) => [...clocks.values()]).filter((sent) => sent.counts)
const isMissing = (sent) => sent.seen < WATCHERS - 1
for (let n = 0; n < 100 && counted.some(isMissing); n++) await new Promise((resolve) => setTimeout(resolve, 100))
const latest = 1e9
for (const sent of counted) if (isMissing(sent)) latenciesMs.push(latest)
latenciesMs.sort((a, b) => a - b)
const at = (share) => latenciesMs[Math.floor(latenciesMs.length * share)] ?? latest
console.log(JSON.stringify({ p50: at(0.5), p99: at(0.99), keys: counted.length }))
process.exit(0)

/** Joins the room as stock clients do, which say at once who they are; answers what types one key. */
async function join(n) {
  const client = 1_000_000 + n
  /** By client id, who is here: clock and state as they were told. */
  const own = { clock: 1, state: JSON.stringify({ user: { name: `typist ${n}` } }) }
  const present = new Map([[client, own]])
  const socket = new WebSocket(isHocuspocus ? url : `${url}/${room}?token=${token}`)
  socket.on('error', () => undefined)
  // Before it is open: the server's first frame may come in one piece with that news.
  const isReady = new Promise((resolve) => socket.on('message', (data) => read(data, { n, present, socket }, resolve)))
  await new Promise((resolve) => socket.once('open', resolve))
  if (isHocuspocus)
    socket.send(
      framed(
        (encoder) => (
          encoding.writeVarUint(encoder, 2),
          encoding.writeVarUint(encoder, 0),
          encoding.writeVarString(encoder, token),
          encoding.writeVarString(encoder, '4.0.0')
        ),
      ),
    )
  socket.send(framed((encoder) => writeSync(encoder, 0, Uint8Array.of(0))))
  socket.send(framed((encoder) => writePresent(encoder, present)))
  await isReady
  setInterval(() => {
    own.clock += 1
    socket.send(framed((encoder) => writePresent(encoder, new Map([[client, own]]))))
  }, 15_000)
  let clock = 0
  sentMs.set(client, new Map())
  return () => {
    sentMs.get(client).set(clock, { ms: performance.now(), counts: isCounting, seen: 0 })
    const update = key(client, clock)
    clock += 1
    socket.send(framed((encoder) => writeSync(encoder, 2, update)))
  }
}

function framed(write) {
  const encoder = encoding.createEncoder()
  if (isHocuspocus) encoding.writeVarString(encoder, room)
  write(encoder)
  return encoding.toUint8Array(encoder)
}

function writeSync(encoder, step, body) {
  encoding.writeVarUint(encoder, 0)
  encoding.writeVarUint(encoder, step)
  encoding.writeVarUint8Array(encoder, body)
}

function writePresent(encoder, present) {
  const body = encoding.createEncoder()
  encoding.writeVarUint(body, present.size)
  for (const [client, { clock, state }] of present) {
    encoding.writeVarUint(body, client)
    encoding.writeVarUint(body, clock)
    encoding.writeVarString(body, state)
  }
  encoding.writeVarUint(encoder, 1)
  encoding.writeVarUint8Array(encoder, encoding.toUint8Array(body))
}

/** Takes in what is told of others; what is told of `own` is an echo. */
function readPresent(decoder, present, own) {
  const body = decoding.createDecoder(decoding.readVarUint8Array(decoder))
  for (let left = decoding.readVarUint(body); left > 0; left--) {
    const client = decoding.readVarUint(body)
    const [clock, state] = [decoding.readVarUint(body), decoding.readVarString(body)]
    if (client === own) continue
    if (state === 'null') present.delete(client)
    else present.set(client, { clock, state })
  }
}

/** One letter behind the last of the same person. */
function key(client, clock) {
  const encoder = encoding.createEncoder()
  for (const number of [1, 1, client, clock]) encoding.writeVarUint(encoder, number)
  encoding.writeUint8(encoder, clock === 0 ? 4 : 0x84)
  if (clock === 0) {
    encoding.writeVarUint(encoder, 1)
    encoding.writeVarString(encoder, 'content')
  } else for (const number of [client, clock - 1]) encoding.writeVarUint(encoder, number)
  encoding.writeVarString(encoder, 'x')
  encoding.writeVarUint(encoder, 0)
  return encoding.toUint8Array(encoder)
}

function read(data, { n, present, socket }, onReady) {
  const decoder = decoding.createDecoder(new Uint8Array(data))
  if (isHocuspocus) decoding.readVarString(decoder)
  const type = decoding.readVarUint(decoder)
  if (type === 1) readPresent(decoder, present, 1_000_000 + n)
  // As stock clients do, which list everybody they know of.
  if (type === 3) socket.send(framed((encoder) => writePresent(encoder, present)))
  if (type !== 0) return
  const step = decoding.readVarUint(decoder)
  // As stock clients do: it has nothing that the server lacks and is not on its way.
  if (step === 0) socket.send(framed((encoder) => writeSync(encoder, 1, Uint8Array.of(0, 0))))
  if (step === 0) return
  if (step === 1) onReady()
  if (n >= WATCHERS) return
  const now = performance.now()
  for (const { id, length } of Y.decodeUpdate(decoding.readVarUint8Array(decoder)).structs) {
    // Its own are only the confirmation.
    if (id.client === 1_000_000 + n) continue
    for (let clock = id.clock; clock < id.clock + length; clock++) {
      const sent = sentMs.get(id.client)?.get(clock)
      if (!sent?.counts) continue
      sent.seen += 1
      latenciesMs.push(now - sent.ms)
    }
  }
}
