// The least a notification server could do: a ws server that sends what it is posted to every socket. Nothing is
// stored, nobody is asked for a token, and every socket gets everything.
import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'

const server = createServer((request, response) => {
  const chunks = []
  request.on('data', (chunk) => chunks.push(chunk))
  request.on('end', () => {
    response.end()
    const payload = Buffer.concat(chunks)
    for (const socket of sockets.clients) socket.send(payload, { binary: false })
  })
})
const sockets = new WebSocketServer({ server, perMessageDeflate: false })
server.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`))
