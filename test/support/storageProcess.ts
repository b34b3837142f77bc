import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { childUrl } from './children.ts'
import { WaitLimit } from './waitFor.ts'
import type { Writer } from './storageSqlite.ts'

const CHILD = fileURLToPath(childUrl('storageChild'))

/** A child process that uses a storage of its own; see storageChild.ts for what it can do. */
export class StorageProcess {
  /** What it said so far, by line. */
  readonly lines: string[] = []
  /** What it wrote to its standard error. */
  errors = ''
  readonly #child: ChildProcessWithoutNullStreams
  readonly #closed: Promise<unknown>
  #ended = false
  #heard: () => void = () => undefined

  constructor(task: 'write' | 'hold' | 'close' | 'lose-writer', file: string, writer: Writer) {
    this.#child = spawn(process.execPath, [CHILD, task, file, writer], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#closed = once(this.#child, 'close').then(() => (this.#ended = true))
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (this.errors += text))
    createInterface(this.#child.stdout).on('line', (line) => {
      this.lines.push(line)
      this.#heard()
    })
  }

  /** Waits until it has said so many lines, or has ended. */
  async said(lines: number): Promise<void> {
    const limit = new WaitLimit(() => `${lines} lines, got ${this.lines.length} ${this.errors}`)
    while (this.lines.length < lines && !this.#ended) {
      const heard = new Promise<void>((resolve) => (this.#heard = resolve))
      await limit.race(Promise.race([heard, this.#closed]))
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
    const limit = new WaitLimit(() => `the end of the child ${this.errors}`)
    await limit.race(this.#closed)
    limit.end()
    return this.#child.exitCode
  }
}
