import { Worker } from 'node:worker_threads'
import { assertNever } from '../foundation/assert.ts'
import type { Waiting } from './askers.ts'
import { receivedProblem, type FromThread, type ToThread } from './messages.ts'

interface ThreadFile {
  readonly name: string
  readonly url: URL
  readonly argv: readonly string[]
}

interface Listener<Question, Answer> {
  readonly onAnswer: (waiting: Waiting<Question, Answer>, answer: Answer) => void
  readonly onProblem: (waiting: Waiting<Question, Answer>, problem: unknown) => void
  /** It ended by itself; what it worked on is in `running`. */
  readonly onEnd: (cause: unknown) => void
}

/** A thread, and the questions that it works on. */
export class PoolThread<Question, Answer> {
  readonly running = new Map<number, Waiting<Question, Answer>>()
  readonly #worker: Worker
  readonly #listener: Listener<Question, Answer>
  readonly #pausing: (() => void)[] = []
  #nextId = 0
  #isReady = false
  #hasEnded = false

  /** Throws where the process may have no further thread. */
  constructor({ name, url, argv }: ThreadFile, listener: Listener<Question, Answer>) {
    this.#listener = listener
    this.#worker = new Worker(url, { name, argv: [...argv] })
    let cause: unknown = null
    this.#worker.on('message', (message: FromThread<Answer>) => this.#receive(message))
    this.#worker.on('error', (error) => (cause = error))
    this.#worker.on('exit', (code) => {
      this.#hasEnded = true
      for (const told of this.#pausing.splice(0)) told()
      listener.onEnd(cause ?? new Error(`The thread ${name} ended with code ${code}.`))
    })
    // Whoever waits for an answer keeps the process; the thread alone does not.
    this.#worker.unref()
  }

  /** It could be asked. Where it ends without that, no question is to blame. */
  get isReady(): boolean {
    return this.#isReady
  }

  /** What it works on takes no other question beside it. */
  get isAlone(): boolean {
    return [...this.running.values()].some(({ isRepeat }) => isRepeat)
  }

  ask(waiting: Waiting<Question, Answer>): void {
    const id = this.#nextId++
    this.running.set(id, waiting)
    try {
      this.#send({ kind: 'ask', id, question: waiting.question })
    } catch (error) {
      this.running.delete(id)
      this.#listener.onProblem(waiting, error)
    }
  }

  drop(waiting: Waiting<Question, Answer>): void {
    for (const [id, one] of this.running) if (one === waiting) this.#send({ kind: 'drop', id })
  }

  /** Resolves when it holds nothing any more. */
  pause(): Promise<void> {
    if (this.#hasEnded) return Promise.resolve()
    return new Promise((resolve) => {
      this.#pausing.push(resolve)
      this.#send({ kind: 'pause' })
    })
  }

  resume(): void {
    this.#send({ kind: 'resume' })
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }

  #send(message: ToThread<Question>): void {
    this.#worker.postMessage(message)
  }

  #receive(message: FromThread<Answer>): void {
    switch (message.kind) {
      case 'answer':
        return this.#end(message.id, (waiting) => this.#listener.onAnswer(waiting, message.answer))
      case 'problem':
        return this.#end(message.id, (waiting) => this.#listener.onProblem(waiting, receivedProblem(message.problem)))
      case 'failure':
        return this.#end(message.id, (waiting) => {
          const error = new Error(message.message)
          error.stack = message.stack
          this.#listener.onProblem(waiting, error)
        })
      case 'paused':
        for (const told of this.#pausing.splice(0)) told()
        return
      case 'ready':
        this.#isReady = true
        return
      default:
        assertNever(message)
    }
  }

  #end(id: number, tell: (waiting: Waiting<Question, Answer>) => void): void {
    const waiting = this.running.get(id)
    this.running.delete(id)
    if (waiting !== undefined) tell(waiting)
  }
}
