import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Page } from 'playwright-core'
import { launchBrowser, type TestBrowser } from '../support/browser.ts'
import { startProcess, type Running } from '../support/process.ts'
import { StockClient } from '../support/stockClient.ts'

const SCHEMA = { type: 'object', properties: { seats: { type: 'number' } } }

/** The shipped server with its demo, a person in a real browser, and another whose editor breaks the schema. */
describe('the demo, with content that breaks its schema', () => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-invalid-'))
  let server: Running
  let browser: TestBrowser
  let editor: StockClient
  let headers: Record<string, string>
  beforeAll(async () => {
    const variables = { PARLEY_PORT: '0', PARLEY_DATABASE: join(folder, 'demo.db'), PARLEY_SECRET: undefined }
    server = await startProcess('dist/server/main.js', ['serve'], variables)
    browser = await launchBrowser()
    const answer = await fetch(`${server.url}/demo/token`, { method: 'POST' })
    const { token }: { token: string } = JSON.parse(await answer.text())
    headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ id: 'tour', kind: 'json', content: { seats: 4 }, schema: SCHEMA })
    expect((await fetch(`${server.url}/documents`, { method: 'POST', headers, body })).status).toBe(201)
    editor = await new StockClient(`${server.url.replace('http', 'ws')}/sync`, 'tour', { token }).synced()
  })
  afterAll(async () => {
    editor.destroy()
    await browser.close()
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const content = async (): Promise<unknown> =>
    JSON.parse(await (await fetch(`${server.url}/documents/tour/content`, { headers })).text())
  const openConflict = async (page: Page): Promise<void> => {
    await expect.poll(() => page.locator('[data-testid=conflict-item]').count()).toBe(1)
    await page.locator('[data-testid=conflict-item]').click()
    await page.locator('[data-testid=violations]', { hasText: '/seats must be number' }).waitFor()
  }
  const rewrite = async (page: Page, text: string): Promise<void> => {
    await page.locator('[data-testid=result-content]').click()
    await page.keyboard.press('ControlOrMeta+A')
    await page.keyboard.insertText(text)
  }

  it('[CONF-8] [RES-1] [RES-5] tells what broke and by whom, and offers only what the server takes', async () => {
    const { page, troubles } = await browser.person()
    await page.goto(`${server.url}/demo/#/documents/tour`)
    await page.locator('[data-testid=connection], [data-testid=no-conflicts]').first().waitFor()

    editor.map.set('seats', 'four')
    await openConflict(page)
    await page.getByRole('heading', { name: 'Content that breaks the schema' }).waitFor()
    await page
      .locator('.story', { hasText: /^Since an edit by .+ the document is not what its schema allows/ })
      .waitFor()
    expect(await page.locator('.way').allInnerTexts()).toEqual(['Take it back', 'By hand', 'Dismiss'])
    expect(await page.locator('.actions button').allInnerTexts()).toEqual(['Take it back'])
    await page.locator('[data-testid=result-content]', { hasText: '"seats": 4' }).waitFor()
    editor.map.set('since', true)
    await page.locator('[data-testid=result-behind]').waitFor()
    await page.locator('[data-testid=apply]').click()
    await page.locator('[data-testid=outcome][data-status=resolved]', { hasText: 'took it back' }).waitFor()
    expect(await content()).toEqual({ seats: 4, since: true })
    await page.locator('[data-testid=no-undo]', { hasText: 'what stood before breaks the schema' }).waitFor()
    expect(await page.locator('[data-testid=undo-look]').count()).toBe(0)

    await page.locator('[data-testid=back]').click()
    await page.locator('[data-testid=no-conflicts]').waitFor()
    editor.map.set('seats', 'five')
    await openConflict(page)
    await page.locator('[data-testid=result-edit]').click()
    await rewrite(page, '{ "seats": "5", "since": true }')
    await page.locator('[data-testid=apply]').click()
    await page.getByRole('listitem').filter({ hasText: '/seats: must be number' }).waitFor()
    editor.map.set('elsewhere', 'by another')
    await page.locator('[data-testid=result-behind]').waitFor()
    await rewrite(page, '{ "seats": 5, "since": true }')
    await page.locator('[data-testid=apply]').click()
    await page.locator('[data-testid=outcome][data-status=resolved]', { hasText: 'by hand' }).waitFor()
    expect(await content()).toEqual({ seats: 5, since: true, elsewhere: 'by another' })
    expect(troubles.errors).toEqual([])
  })
})
