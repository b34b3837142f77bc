/**
 * `npm run bench`: prints ratios against plain peers measured in the same run, for the machine is shared and noisy.
 * `npm run bench -- puts keystrokes` runs only the sections named.
 *
 * What is measured is the built server, as it is shipped, and its built modules: started from the source they run with
 * what the loader adds to them, which makes small functions several times slower.
 */
import { register } from 'node:module'

register('../support/builtServer.mjs', import.meta.url)

const SECTIONS: Readonly<Record<string, () => Promise<void>>> = {
  puts: async () => (await import('./puts.ts')).puts(),
  tolls: async () => (await import('./tolls.ts')).tolls(),
  hot: async () => (await import('./hot.ts')).hot(),
  unlike: async () => (await import('./unlike.ts')).unlike(),
  transactions: async () => (await import('./transactions.ts')).transactions(),
  keystrokes: async () => (await import('./keystrokes.ts')).keystrokes(),
  memory: async () => (await import('./memory.ts')).memory(),
  notifications: async () => (await import('./notifications.ts')).notifications(),
  returns: async () => (await import('./returns.ts')).returns(),
  detection: async () => (await import('./detection.ts')).detection(),
  sight: async () => (await import('./sight.ts')).sight(),
  crowd: async () => (await import('./crowd.ts')).crowd(),
  stalls: async () => (await import('./stalls.ts')).stalls(),
  demo: async () => (await import('./demo.ts')).demo(),
  history: async () => (await import('./history.ts')).history(),
  starts: async () => (await import('./starts.ts')).starts(),
}

const wanted = process.argv.slice(2)
for (const [name, run] of Object.entries(SECTIONS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  console.log(`\n${name}`)
  await run()
}
