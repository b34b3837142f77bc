import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { examples } from '../support/exampleScenario.ts'

const FILE = resolve(import.meta.dirname, '../../server/api/description/examples.json')

describe('the examples of the API description', () => {
  it('[API-3] are what a server really answers', async () => {
    // `npx vitest run test/e2e/examples.test.ts -u` writes them anew.
    await expect(`${JSON.stringify(await examples(), null, 2)}\n`).toMatchFileSnapshot(FILE)
  }, 60_000)
})
