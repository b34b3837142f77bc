import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { WaitLimit } from './waitFor.ts'

const CHILD = fileURLToPath(new URL('./storageChild.ts', import.meta.url))
/** Starting takes a second or two on a machine that has other things to do. */
const LIMIT_MS = 60_000

/** A child process that uses a storage of its own; see storageChild.ts for what it can do. */
export class StorageProcess {
  /** What it said so far, by line. */
  readonly lines: string[] = []
  readonly #child: ChildProcess
  readonly #closed: Promise<unknown>
  #heard: () => void = () => undefined

  constructor(task: 'write' | 'hold' | 'close', file: string, writer: 'thread' | 'inline') {
    this.#child = spawn(process.execPath, ['--import', 'tsx', CHILD, task, file, writer], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#closed = once(this.#child, 'close')
    const output = this.#child.stdout
    if (output === null) throw new Error('The output of the child is a pipe')
    createInterface(output).on('line', (line) => {
      this.lines.push(line)
      this.#heard()
    })
  }

  /** Waits until it has said so many lines, or has ended. */
  async said(lines: number): Promise<void> {
    const limit = new WaitLimit(() => `${lines} lines, got ${this.lines.length}`, LIMIT_MS)
    let ended = false
    const closed = this.#closed.then(() => (ended = true))
    while (this.lines.length < lines && !ended) {
      const heard = new Promise<void>((resolve) => (this.#heard = resolve))
      await limit.race(Promise.race([heard, closed]))
    }
    limit.end()
  }

  /** kill -9, and waits until it is gone and everything it said is read. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#closed
  }

  /** Waits for its own end; answers the exit code. */
  async ended(): Promise<number | null> {
    const limit = new WaitLimit(() => 'the end of the child', LIMIT_MS)
    await limit.race(this.#closed)
    limit.end()
    return this.#child.exitCode
  }
}
