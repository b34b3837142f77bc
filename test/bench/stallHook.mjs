// Loaded into a measured server with `--import`: on SIGUSR2 it prints the longest time in which its event loop stood still
// since the last such signal.
import { monitorEventLoopDelay } from 'node:perf_hooks'

const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()
process.on('SIGUSR2', () => {
  console.log(`stall ${JSON.stringify({ ms: delay.max / 1e6 })}`)
  delay.reset()
})
