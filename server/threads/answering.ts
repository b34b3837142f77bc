import { parentPort } from 'node:worker_threads'
import { invariant } from '../foundation/assert.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { Answering } from './desk.ts'
import { sentProblem, type FromThread, type ToThread } from './messages.ts'

export interface AnsweringOptions {
  /** Lets go of all that is held, and holds nothing until what it answers is called. */
  readonly pause?: () => Promise<() => void>
}

/** Answers questions for as long as the thread lives. Bytes in an answer are handed over, not copied. */
export function answerQuestions<Question, Answer>(
  answering: Answering<Question, Answer>,
  { pause }: AnsweringOptions = {},
): void {
  const port = parentPort
  invariant(port !== null, 'questions are answered in a thread')
  const running = new Map<number, AbortController>()
  let resume: (() => void) | null = null
  const send = (message: FromThread<Answer>): void => {
    const bytes = message.kind === 'answer' && message.answer instanceof Uint8Array ? [message.answer.buffer] : []
    port.postMessage(
      message,
      bytes.filter((buffer) => buffer instanceof ArrayBuffer),
    )
  }
  const answer = async (id: number, question: Question): Promise<void> => {
    const control = new AbortController()
    running.set(id, control)
    try {
      send({ kind: 'answer', id, answer: await answering(question, control.signal) })
    } catch (error) {
      if (error instanceof ParleyError) send({ kind: 'problem', id, problem: sentProblem(error) })
      else send({ kind: 'failure', id, ...failureOf(error) })
    }
    running.delete(id)
  }
  port.on('message', (message: ToThread<Question>) => {
    if (message.kind === 'ask') void answer(message.id, message.question)
    else if (message.kind === 'drop') running.get(message.id)?.abort()
    else if (message.kind === 'resume') {
      resume?.()
      resume = null
    } else {
      void (async () => {
        resume ??= (await pause?.()) ?? null
        send({ kind: 'paused' })
      })()
    }
  })
  send({ kind: 'ready' })
}

function failureOf(error: unknown): { message: string; stack: string } {
  if (error instanceof Error) return { message: error.message, stack: error.stack ?? '' }
  return { message: String(error), stack: '' }
}
