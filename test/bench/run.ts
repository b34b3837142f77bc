/**
 * `npm run bench`: prints ratios against plain peers measured in the same run, for the machine is shared and noisy.
 * `npm run bench -- puts keystrokes` runs only the sections named.
 */
import { detection } from './detection.ts'
import { keystrokes } from './keystrokes.ts'
import { history } from './history.ts'
import { memory } from './memory.ts'
import { notifications } from './notifications.ts'
import { puts } from './puts.ts'
import { returns } from './returns.ts'
import { transactions } from './transactions.ts'

const SECTIONS: Readonly<Record<string, () => Promise<void>>> = {
  puts,
  transactions,
  keystrokes,
  memory,
  notifications,
  returns,
  detection,
  history,
}

const wanted = process.argv.slice(2)
for (const [name, run] of Object.entries(SECTIONS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  console.log(`\n${name}`)
  await run()
}
