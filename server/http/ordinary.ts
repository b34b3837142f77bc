import { ServerResponse, type IncomingMessage, type Server } from 'node:http'
import type { Duplex } from 'node:stream'

/** Of one connection only, so that they mean nothing to who gets the request anew. */
const OF_UPGRADES = new Set(['upgrade', 'http2-settings'])

export const isWebSocketUpgrade = ({ headers }: IncomingMessage): boolean =>
  headers.upgrade?.toLowerCase() === 'websocket'

/**
 * Answers a request that asks for another upgrade, which RFC 9110 §7.8 lets a server ignore: `Upgrade: h2c` goes with each
 * call of Java's client. Node has parted from the connection by now, so the request goes back into it without what asked
 * for the upgrade, and the connection is taken up as a new one.
 */
export function answerOrdinarily(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { method = 'GET', url = '/', httpVersion, rawHeaders } = request
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [name = '', value = ''] = rawHeaders.slice(i, i + 2)
    if (OF_UPGRADES.has(name.toLowerCase())) continue
    lines.push(`${name}: ${name.toLowerCase() === 'connection' ? withoutUpgrade(value) : value}`)
  }
  const bytes = Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head])
  const onReset = (): void => void socket.destroy()
  socket.on('error', onReset)
  whenAnswered(socket, () => {
    socket.off('error', onReset)
    if (socket.destroyed) return
    socket.unshift(bytes)
    server.emit('connection', socket)
  })
}

/** Requests that came before on the connection are answered first, in their order. */
function whenAnswered(socket: Duplex, then: () => void): void {
  // Node has no other name for the answer that is being written.
  const answering: unknown = Reflect.get(socket, '_httpMessage')
  if (!(answering instanceof ServerResponse)) then()
  else answering.once('close', () => setImmediate(whenAnswered, socket, then))
}

function withoutUpgrade(connection: string): string {
  const kept = connection.split(',').map((option) => option.trim())
  return kept.filter((option) => !OF_UPGRADES.has(option.toLowerCase())).join(', ') || 'keep-alive'
}
