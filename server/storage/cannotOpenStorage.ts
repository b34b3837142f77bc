export type CannotOpenReason = 'in-use' | 'newer-schema' | 'not-a-database' | 'inaccessible'

/**
 * Why the storage cannot be opened at all. Met at the start only, by whoever starts the process:
 * the message names the file and says what to do, and is meant to be printed as it is (SPEC OPS-4).
 */
export class CannotOpenStorage extends Error {
  override readonly name = 'CannotOpenStorage'
  readonly reason: CannotOpenReason

  constructor(reason: CannotOpenReason, message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.reason = reason
  }
}
