/** Turns of the event loop that others had while a question was answered. */
export async function withTurns<T>(question: () => Promise<T>): Promise<{ answer: T; turns: number }> {
  let turns = 0
  let ended = false
  const count = (): void => {
    turns += 1
    if (!ended) setImmediate(count)
  }
  setImmediate(count)
  const answer = await question()
  ended = true
  return { answer, turns }
}
