import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { launchBrowser, type TestBrowser } from '../support/browser.ts'
import { startProcess } from '../support/process.ts'
import { passing } from '../support/proxies.ts'
import { freePort } from '../support/realProxies.ts'

let browser: TestBrowser
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())

it.each([true, false])(
  '[API-7] [AUTH-6] the demo edits live under the path that a proxy shows it by, taken away or not: %s',
  async (strips) => {
    const folder = mkdtempSync(join(tmpdir(), 'parley-demo-'))
    const port = await freePort()
    const proxy = await passing({ upstream: `http://127.0.0.1:${port}`, prefix: '/parley', strips })
    const server = await startProcess('dist/server/main.js', ['serve'], {
      PARLEY_PORT: String(port),
      PARLEY_DATABASE: join(folder, 'demo.db'),
      PARLEY_PUBLIC_URL: proxy.url,
      PARLEY_SECRET: undefined,
    })
    onTestFinished(async () => {
      await proxy.stop()
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    })
    const answer = await fetch(`${proxy.url}/demo/token`, { method: 'POST' })
    const { token }: { token: string } = JSON.parse(await answer.text())
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ id: 'plan', kind: 'text', content: 'one' })
    expect((await fetch(`${proxy.url}/documents`, { method: 'POST', headers, body })).status).toBe(201)

    const { page, troubles } = await browser.person()
    await page.goto(`${proxy.url}/`)
    expect(page.url()).toBe(`${proxy.url}/demo/`)
    await page.goto(`${proxy.url}/demo/#/documents/plan`)
    await page.locator('[data-testid=connection][data-phase=live]').waitFor()
    await page.locator('[data-testid=editor-content] .cm-line').click()
    await page.keyboard.press('End')
    await page.keyboard.type(' and two')
    const content = async (): Promise<string> =>
      (await fetch(`${proxy.url}/documents/plan/content`, { headers })).text()
    await expect.poll(content).toBe('one and two')
    expect(troubles.errors).toEqual([])
  },
)
