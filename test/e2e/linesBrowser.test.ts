import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchBrowser, type TestBrowser } from '../support/browser.ts'
import { startProcess, type Running } from '../support/process.ts'

/** Short, so that an absence worth judging is one too. */
const WINDOW_MS = 300
const PATIENCE = { timeout: 15_000 }
const BEFORE = '# Trip\nWe leave on Monday\nBring water\n'

/** What only a browser can do: its network process answers for a page that has read nothing. */
describe('a page in a real browser that does not read', () => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-lines-'))
  let server: Running
  let browser: TestBrowser
  beforeAll(async () => {
    server = await startProcess('dist/server/main.js', ['serve'], {
      PARLEY_PORT: '0',
      PARLEY_DATABASE: join(folder, 'lines.db'),
      PARLEY_SECRET: undefined,
      PARLEY_CONCURRENT_EDIT_WINDOW_MS: String(WINDOW_MS),
    })
    browser = await launchBrowser()
  }, 90_000)
  afterAll(async () => {
    await browser.close()
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const guest = async (): Promise<Record<string, string>> => {
    const answer = await fetch(`${server.url}/demo/token`, { method: 'POST' })
    const { token }: { token: string } = JSON.parse(await answer.text())
    return { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  }
  const send = async (method: string, path: string, body: object): Promise<number> =>
    (await fetch(`${server.url}${path}`, { method, headers: await guest(), body: JSON.stringify(body) })).status
  const contentOf = async (id: string): Promise<string> =>
    (await fetch(`${server.url}/documents/${id}/content`, { headers: await guest() })).text()
  const kindsOf = async (id: string): Promise<string[]> => {
    const answer = await fetch(`${server.url}/conflicts?document=${id}`, { headers: await guest() })
    const { items }: { items: { kind: string }[] } = JSON.parse(await answer.text())
    return items.map(({ kind }) => kind)
  }
  /** An open editor with its cursor behind the word that both will change. */
  const editing = async (id: string): Promise<Page> => {
    expect(await send('POST', '/documents', { id, kind: 'text', content: BEFORE })).toBe(201)
    const { page } = await browser.person()
    await page.goto(`${server.url}/demo/#/documents/${id}`)
    await page.locator('[data-testid=connection][data-phase=live]').waitFor()
    await page.locator('[data-testid=editor-content] .cm-line', { hasText: 'We leave on' }).click()
    await page.keyboard.press('End')
    return page
  }
  const writeMeanwhile = async (id: string): Promise<void> => {
    const content = BEFORE.replace('Monday', 'Tuesday')
    expect(await send('PUT', `/documents/${id}`, { content, baseVersion: 1 })).toBe(200)
    await pause(3 * WINDOW_MS)
  }

  it('[CONF-6] Chromium set offline by its own emulation: what it had not read counts as not seen', async () => {
    const page = await editing('emulated')
    await page.context().setOffline(true)
    await writeMeanwhile('emulated')
    await page.keyboard.insertText(', Friday')
    await pause(2 * WINDOW_MS)
    await page.context().setOffline(false)
    await expect.poll(() => contentOf('emulated'), PATIENCE).toContain('Friday')
    await expect.poll(() => kindsOf('emulated'), PATIENCE).toEqual(['concurrent-edit'])
  }, 60_000)

  it('[CONF-6] a page whose main thread hangs while somebody types into it', async () => {
    const page = await editing('hanging')
    const hangs = page.evaluate((hangsMs) => {
      const end = Date.now() + hangsMs
      while (Date.now() < end);
    }, 4_000)
    await pause(200)
    await writeMeanwhile('hanging')
    await Promise.all([page.keyboard.insertText(', Friday'), hangs])
    await expect.poll(() => contentOf('hanging'), PATIENCE).toContain('Friday')
    await expect.poll(() => kindsOf('hanging'), PATIENCE).toEqual(['concurrent-edit'])
  }, 60_000)
})
