import { setTimeout as pause } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { demoSuite } from '../support/demoSuite.ts'

/** Short, so that an absence worth judging is one too. */
const WINDOW_MS = 300
const BEFORE = '# Trip\nWe leave on Monday\nBring water\n'

/** What only a browser can do: its network process answers for a page that has read nothing. */
describe('a page in a real browser that does not read', () => {
  const demo = demoSuite(WINDOW_MS)

  /** An open editor with its cursor behind the word that both will change. */
  const editing = async (id: string): Promise<Page> => {
    expect(await demo.server.send('POST', '/documents', { id, kind: 'text', content: BEFORE })).toBe(201)
    const { page } = await demo.browser.person()
    await page.goto(`${demo.server.url}/demo/#/documents/${id}`)
    await page.locator('[data-testid=connection][data-phase=live]').waitFor()
    await page.locator('[data-testid=editor-content] .cm-line', { hasText: 'We leave on' }).click()
    await page.keyboard.press('End')
    return page
  }
  const writeMeanwhile = async (id: string): Promise<void> => {
    const content = BEFORE.replace('Monday', 'Tuesday')
    expect(await demo.server.send('PUT', `/documents/${id}`, { content, baseVersion: 1 })).toBe(200)
    await pause(3 * WINDOW_MS)
  }

  it('[CONF-6] Chromium set offline by its own emulation: what it had not read counts as not seen', async () => {
    const page = await editing('emulated')
    await page.context().setOffline(true)
    await writeMeanwhile('emulated')
    await page.keyboard.insertText(', Friday')
    await pause(2 * WINDOW_MS)
    await page.context().setOffline(false)
    await expect.poll(() => demo.server.contentOf('emulated')).toContain('Friday')
    await expect.poll(() => demo.server.kindsOf('emulated')).toEqual(['concurrent-edit'])
  })

  it('[CONF-6] a page whose main thread hangs while somebody types into it', async () => {
    const page = await editing('hanging')
    const hangs = page.evaluate((hangsMs) => {
      const end = Date.now() + hangsMs
      while (Date.now() < end);
    }, 4_000)
    await pause(200)
    await writeMeanwhile('hanging')
    await Promise.all([page.keyboard.insertText(', Friday'), hangs])
    await expect.poll(() => demo.server.contentOf('hanging')).toContain('Friday')
    await expect.poll(() => demo.server.kindsOf('hanging')).toEqual(['concurrent-edit'])
  })
})
