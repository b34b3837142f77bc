import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { leaveOrigin, watchOrigin } from './recorded.ts'
import { PATIENCE_MS } from './patience.ts'
import { watchLine } from './watchedLog.ts'

export interface Running {
  readonly url: string
  readonly process: ChildProcess
  /** SIGTERM, and wait for the exit; answers its code. */
  stop(): Promise<number | null>
}

/**
 * Starts a server in a process of its own and waits for its line with `listening` and the URL. `isWatched`: each line of its
 * log is looked into.
 */
export async function startProcess(
  script: string,
  args: string[],
  variables: Record<string, string | undefined> = {},
  isWatched = true,
): Promise<Running> {
  const child = spawn(process.execPath, [script, ...args], {
    env: { ...process.env, ...variables },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  // Its log, if it has one of the form of a server's.
  if (isWatched) {
    createInterface(child.stdout).on('line', (line) => {
      if (line.startsWith('{"level"')) watchLine(line)
    })
  }
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const url = await new Promise<string>((resolve, reject) => {
    let output = ''
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`${script} did not start: ${output}`))
    }, PATIENCE_MS)
    void exited.then((code) => reject(new Error(`${script} ended with ${code}: ${output}`)))
    const look = (chunk: Buffer): void => {
      output += chunk.toString()
      const match = /listening[^\n]*?(https?:\/\/[^\s"]+)/.exec(output)
      if (!match?.[1]) return
      clearTimeout(timer)
      // What it says from now on is not kept, and goes on being taken.
      child.stdout.off('data', look)
      child.stdout.resume()
      watchOrigin(match[1])
      resolve(match[1])
    }
    child.stdout.on('data', look)
  })
  void exited.then(() => leaveOrigin(url))
  return {
    url,
    process: child,
    stop: () => {
      child.kill('SIGTERM')
      return exited
    },
  }
}
