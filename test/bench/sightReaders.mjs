// Stock y-websocket editors that look on. Arguments: URL that ends in `/sync`, room, token, how many. Prints `ready` once all are
// in sync; answers each line of its input with the length of the shortest text that one of them shows.
import { createInterface } from 'node:readline'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

const [url, room, token, count] = process.argv.slice(2)
/** Handshakes under way at once. */
const CONNECTING = 50

const docs = []
// Each provider listens for the end of the process.
process.setMaxListeners(0)
for (let n = 0; n < Number(count); n += CONNECTING) {
  await Promise.all(Array.from({ length: Math.min(CONNECTING, Number(count) - n) }, look))
}
console.log('ready')
const shortest = () => Math.min(...docs.map((doc) => doc.getText('content').length))
createInterface({ input: process.stdin }).on('line', () => console.log(String(shortest())))

async function look() {
  const doc = new Y.Doc()
  docs.push(doc)
  const provider = new WebsocketProvider(url, room, doc, {
    params: { token },
    disableBc: true,
    connect: false,
    WebSocketPolyfill: WebSocket,
  })
  // Who tells nobody of a cursor: 500 who each tell all others every 15 s would cost far more than what is measured.
  provider.awareness.setLocalState(null)
  const isSynced = new Promise((resolve) => provider.on('sync', resolve))
  provider.connect()
  await isSynced
}
