// Types into one stock Hocuspocus client and prints the milliseconds until each keystroke is in another, as JSON.
// Arguments: the server's URL, the room, how many keystrokes, and the milliseconds between two; without those they come in a
// rush. As many more before them, in a rush, warm it up.
import { setTimeout as delay } from 'node:timers/promises'
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider'
import WebSocket from 'ws'
import * as Y from 'yjs'

const [url, name, count, pauseMs] = process.argv.slice(2)
const typist = await connect()
const reader = await connect()
const times = []
for (let index = 0; index < 2 * count; index++) {
  const start = performance.now()
  const arrived = new Promise((resolve) => reader.once('update', resolve))
  typist.getText('content').insert(index, 'x')
  await arrived
  const isCounted = index >= count
  if (isCounted) times.push(performance.now() - start)
  if (isCounted && pauseMs) await delay(Number(pauseMs))
  else if (index % 4 === 0) await delay(1)
}
console.log(JSON.stringify(times))
process.exit(0)

async function connect() {
  const document = new Y.Doc()
  const websocketProvider = new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: WebSocket })
  await new Promise((resolve) => {
    const provider = new HocuspocusProvider({ websocketProvider, name, document, onSynced: () => resolve() })
    provider.attach()
  })
  return document
}
