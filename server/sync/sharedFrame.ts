import { binaryFrame } from '../sockets/frame.ts'
import { encodeMessage } from './yProtocol.ts'
import type { ServerMessage } from './messages.ts'

const frames = new WeakMap<ServerMessage, Uint8Array>()

/** A message as it goes on the wire, made once however many sessions the same object goes to. */
export function sharedFrame(message: ServerMessage): Uint8Array {
  const known = frames.get(message)
  if (known) return known
  const frame = binaryFrame(encodeMessage(message))
  frames.set(message, frame)
  return frame
}
