import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { PROBLEMS } from '../../server/foundation/problemTable.ts'
import { startTestServer } from '../support/server.ts'
import { examples } from '../support/exampleScenario.ts'

const FILE = resolve(import.meta.dirname, '../../server/api/description/examples.json')

describe('the page of a problem', () => {
  it('[API-2] says what happened and what to do, and shows an answer, for every code', async () => {
    const server = await startTestServer()
    try {
      const shown: string[] = []
      for (const code of Object.keys(PROBLEMS)) {
        const answer = await fetch(`${server.url}/problems/${code}`, { headers: { accept: 'text/html' } })
        const page = await answer.text()
        expect(page, code).toContain('<h2>What happened</h2>')
        expect(page, code).toContain('<h2>What to do</h2>')
        expect(page, code).toContain(`&quot;code&quot;: &quot;${code}&quot;`)
        if (page.includes('<h2>An example</h2>')) shown.push(code)
      }
      // Those left are met by sockets, or where the server itself is not well.
      expect(shown.length).toBeGreaterThan(38)
    } finally {
      await server.stop()
    }
  })
})

describe('the examples of the API description', () => {
  it('[API-3] are what a server really answers', async () => {
    // `npx vitest run test/e2e/examples.test.ts -u` writes them anew.
    await expect(`${JSON.stringify(await examples(), null, 2)}\n`).toMatchFileSnapshot(FILE)
  })
})
