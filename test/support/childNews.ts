import type { ChildProcess } from 'node:child_process'

/** Answers how to wait for the next message of a forked process; asked for before it comes. Its end is an error. */
export function childNews<T>(child: ChildProcess): () => Promise<T> {
  const ended = new Promise<never>((_, reject) => {
    child.once('exit', (code, signal) => reject(new Error(`the process ended with ${code ?? signal}`)))
  })
  ended.catch(() => undefined)
  return () => Promise.race([new Promise<T>((resolve) => child.once('message', resolve)), ended])
}
