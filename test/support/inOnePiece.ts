import { Socket } from 'node:net'
import type { WebSocket } from 'ws'

/** Hands what is sent meanwhile to the network at once, so that it arrives together however fast it is taken. */
export function inOnePiece(socket: WebSocket, send: () => void): void {
  const line: unknown = Reflect.get(socket, '_socket')
  if (!(line instanceof Socket)) throw new Error('ws keeps its line elsewhere')
  line.cork()
  send()
  line.uncork()
}
