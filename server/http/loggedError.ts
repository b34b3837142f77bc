/** An error as the log shows it. */
type LoggedError = {
  readonly type: string
  readonly code?: string
  readonly message: string
  readonly stack: string
  readonly cause?: LoggedError
}

/** Errors name their causes; nobody needs more of them than these. */
const MAX_CAUSES = 4
const UNQUOTED = 'not shown, because it quotes what was read'

/**
 * Its name, message, code, stack and causes, and no member besides, for those may be contents. The message of a
 * SyntaxError is one: it quotes what was parsed.
 */
export function loggedError(error: unknown, causes = MAX_CAUSES): LoggedError {
  if (!(error instanceof Error))
    return { type: typeof error, message: 'something else than an error was thrown', stack: '' }
  const { name: type, stack = '', cause } = error
  const message = error instanceof SyntaxError ? UNQUOTED : error.message
  const code: unknown = Reflect.get(error, 'code')
  const frames = stack.split('\n').filter((line) => /^ {4}at /.test(line))
  return {
    type,
    ...(typeof code === 'string' ? { code } : {}),
    message,
    stack: [`${type}: ${message}`, ...frames].join('\n'),
    ...(cause !== undefined && causes > 0 ? { cause: loggedError(cause, causes - 1) } : {}),
  }
}
