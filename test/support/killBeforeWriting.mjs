/**
 * Loaded into a server with `--import`: kills it (SIGKILL, from within) before a socket write that holds the text of
 * `KILL_BEFORE_WRITING`. So it dies after whatever it is about to tell was committed, and before anyone was told.
 */
import { Socket } from 'node:net'

const marker = process.env.KILL_BEFORE_WRITING
const write = Socket.prototype.write

Socket.prototype.write = function (chunk, ...rest) {
  if (marker && Buffer.from(chunk).includes(marker)) process.kill(process.pid, 'SIGKILL')
  return Reflect.apply(write, this, [chunk, ...rest])
}
