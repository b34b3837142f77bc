import { afterAll, expect } from 'vitest'
import { takeLeaks } from './watchedLog.ts'
import { compareBytesAtOnce } from './sameBytes.ts'
import { leaveSeen, recordFetches, takeBreaches } from './recorded.ts'

recordFetches()
compareBytesAtOnce()

// Runs after all that a file registers, when its servers have stopped.
afterAll(() => {
  leaveSeen()
  expect(takeBreaches(), 'answers that are not as the API description says').toEqual([])
  expect(takeLeaks(), 'lines of the log that hold a token, a secret or a content (OPS-10)').toEqual([])
})
