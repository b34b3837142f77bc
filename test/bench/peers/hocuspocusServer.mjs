// The stock Hocuspocus server, in memory only: nothing is stored.
import { Server } from '@hocuspocus/server'

const server = new Server({ port: 0, address: '127.0.0.1', quiet: true, stopOnSignals: true })
await server.listen()
console.log(`listening on http://127.0.0.1:${server.address.port}`)
