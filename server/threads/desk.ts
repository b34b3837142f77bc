/** Who asks, and a signal that is aborted when nobody waits for the answer any more. */
export interface Asking {
  readonly by: string
  readonly gone?: AbortSignal | null
}

/** Where questions are answered that would keep everybody else waiting, were they answered on the event loop. */
export interface Desk<Question, Answer> {
  /** Throws the problem that the question comes to, or `overloaded`. */
  ask(question: Question, asking: Asking): Promise<Answer>
  close(): Promise<void>
}

/** How a question is answered; `givenUp` is aborted when nobody waits any more. */
export type Answering<Question, Answer> = (question: Question, givenUp: AbortSignal | null) => Promise<Answer>

/** Answers on the event loop, where there is no thread: started from the source, which a plain worker cannot load. */
export const deskHere = <Question, Answer>(answering: Answering<Question, Answer>): Desk<Question, Answer> => ({
  ask: (question, { gone = null }) => answering(question, gone),
  close: async () => undefined,
})
