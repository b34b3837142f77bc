// Loaded into a measured server with `--import`: on SIGUSR2 it prints the longest time in which its event loop stood still
// since the last such signal, by the clock and in the processor's time that its thread took meanwhile: on a machine that is
// shared only the latter says what the server did.
import { openSync, readSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()

const file = (() => {
  try {
    return openSync('/proc/self/schedstat', 'r')
  } catch {
    return null
  }
})()
const buffer = Buffer.alloc(64)

/** Of the main thread, which is the one that this file is of; null where the system does not tell. */
function busyMs() {
  if (file === null) return null
  const length = readSync(file, buffer, 0, buffer.length, 0)
  return Number(buffer.toString('latin1', 0, length).split(' ', 1)[0]) / 1e6
}

let last = busyMs()
let longest = 0
setInterval(() => {
  const now = busyMs()
  longest = Math.max(longest, (now ?? 0) - (last ?? 0))
  last = now
}, 1).unref()

process.on('SIGUSR2', () => {
  console.log(`stall ${JSON.stringify({ ms: delay.max / 1e6, busyMs: last === null ? delay.max / 1e6 : longest })}`)
  delay.reset()
  longest = 0
})
