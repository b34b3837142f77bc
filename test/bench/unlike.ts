import { Connection } from './httpLoad.ts'
import { median, startParley, withFolder } from './processes.ts'
import { benchToken } from './token.ts'

/** Lines and characters a line, 1 MB each. */
const SHAPES = [
  [13_000, 80],
  [50_000, 20],
  [1_000, 1_000],
  [1, 1_000_000],
  [140_000, 7],
] as const
const ROUNDS = 9

/**
 * A write of 1 MB that has nothing in common with what was there: how long another client waits meanwhile for the answer to a
 * small request, which it sends one after the other. That is the longest piece of work in one go.
 */
export async function unlike(): Promise<void> {
  await withFolder(async (folder) => {
    const token = await benchToken()
    const parley = await startParley(folder)
    const [writer, other] = [new Connection(new URL(parley.url), token), new Connection(new URL(parley.url), token)]
    for (const [lines, width] of SHAPES) {
      const path = `/documents/unlike-${lines}`
      const stalls: number[] = []
      for (let version = 0; version < ROUNDS; version++) {
        const content = randomText(lines, width)
        const work = { isDone: false }
        const written = writer.put(path, { content, baseVersion: version }).then((status) => {
          work.isDone = true
          if (status >= 300) throw new Error(`PUT answered ${status}`)
        })
        let longest = 0
        while (!work.isDone) {
          const start = performance.now()
          await other.send('POST', '/documents', {})
          longest = Math.max(longest, performance.now() - start)
        }
        await written
        // The first has nothing to be compared with, and the next few run before the engine has compiled what runs.
        if (version > 2) stalls.push(longest)
      }
      const [least, most] = [Math.min(...stalls), Math.max(...stalls)]
      const figures = `${median(stalls).toFixed(0)} ms (${least.toFixed(0)} to ${most.toFixed(0)})`
      console.log(`  ${lines} lines of ${width}: ${figures} (wanted: at most 50)`)
    }
    for (const connection of [writer, other]) connection.close()
    await parley.stop()
  })
}

function randomText(lines: number, width: number): string {
  const letter = (): string => String.fromCharCode(97 + Math.floor(Math.random() * 26))
  const line = (): string => Array.from({ length: width - 1 }, letter).join('')
  return Array.from({ length: lines }, line).join('\n')
}
