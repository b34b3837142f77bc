import { expect, it } from 'vitest'
import { newUlid, systemEnvironment } from '../../server/foundation/environment.ts'

it('[AUTH-3] chance is drawn once: what was given away is neither given again nor changed later', () => {
  const drawn = Array.from({ length: 3_000 }, (_, n) => systemEnvironment.randomBytes(8 + (n % 32)))
  const texts = drawn.map((bytes) => Buffer.from(bytes).toString('hex'))
  expect(new Set(texts).size).toBe(drawn.length)
  expect(drawn.every((bytes, n) => bytes.length === 8 + (n % 32) && bytes.buffer.byteLength >= bytes.length)).toBe(true)
  for (let n = 0; n < 1_000; n++) systemEnvironment.randomBytes(16)
  expect(drawn.map((bytes) => Buffer.from(bytes).toString('hex'))).toEqual(texts)
})

it('[CONF-4] ids of one moment differ, and those of a later one come after them', () => {
  let now = 1_700_000_000_000
  const environment = { ...systemEnvironment, now: () => now }
  const early = Array.from({ length: 1_000 }, () => newUlid(environment))
  now += 1
  const late = newUlid(environment)
  expect(new Set(early).size).toBe(early.length)
  expect(early.every((id) => /^[0-9A-HJKMNP-TV-Z]{26}$/.test(id) && id < late)).toBe(true)
})
