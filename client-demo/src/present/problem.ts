import { ProblemError, UnreachableError } from '../parley/rest.ts'
import { UnexpectedShape } from '../parley/readers.ts'

/** What an error means to the person in front of the screen, in one or two sentences. */
export function explain(error: unknown): string {
  if (error instanceof ProblemError) return explainProblem(error)
  if (error instanceof UnreachableError) return 'The server cannot be reached. Nothing was sent; try again in a moment.'
  if (error instanceof UnexpectedShape) return 'The server answered in a way this page does not understand.'
  return error instanceof Error ? error.message : String(error)
}

function explainProblem({ problem }: ProblemError): string {
  if (problem.status === 401) return 'Your token is no longer accepted. Sign in again to go on.'
  if (problem.status === 403) return `You may not do this: ${problem.detail || problem.title}`
  if (problem.status === 404) return 'There is nothing here that you may read.'
  if (problem.status === 429) return 'Too many requests. Wait a moment and try again.'
  return problem.detail || problem.title
}

/** What a 422 names, one line each: the places at fault. */
export function faults(error: unknown): readonly string[] {
  if (!(error instanceof ProblemError)) return []
  const { errors = [], violations = [] } = error.problem
  return [
    ...errors.map(({ message }) => message),
    ...violations.map(({ pointer, message }) => `${pointer === '' ? 'The whole document' : pointer}: ${message}`),
  ]
}
