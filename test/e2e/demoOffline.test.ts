import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Page } from 'playwright-core'
import { launchBrowser, type Person, type TestBrowser } from '../support/browser.ts'
import { startLine, type Line } from '../support/line.ts'
import { DemoServer } from '../support/demoServer.ts'

/** Short, so that an absence worth judging is one too. */
const WINDOW_MS = 300
const OFFLINE_MS = 500
/** What a browser logs of a line that is cut. */
const LOST_LINE = /WebSocket connection to .* failed|net::ERR_/
/** Keeps what every notice said, however soon it went. */
const KEEP_NOTICES = `
  globalThis.noticesSeen = new Set()
  new MutationObserver(() => {
    for (const { textContent } of document.querySelectorAll('[data-testid=notice] p')) noticesSeen.add(textContent)
  }).observe(document, { childList: true, subtree: true })
`

/** The shipped server with its demo, and two people in real browsers, one of whom loses the network. */
describe('the demo, offline', () => {
  let server: DemoServer
  let line: Line
  let browser: TestBrowser
  beforeAll(async () => {
    server = await DemoServer.start(WINDOW_MS)
    line = await startLine(server.url)
    browser = await launchBrowser()
  })
  afterAll(async () => {
    await browser.close()
    await line.close()
    await server.stop()
  })

  const create = async (id: string, content: string): Promise<void> =>
    expect(await server.send('POST', '/documents', { id, kind: 'text', content })).toBe(201)
  const textOf = (page: Page): Promise<string> => page.locator('[data-testid=editor-content]').innerText()
  const open = async ({ page }: Person, origin: string, id: string): Promise<void> => {
    await page.goto(`${origin}/demo/#/documents/${id}`)
    await page.locator('[data-testid=connection][data-phase=live]').waitFor()
  }
  /** Puts the cursor behind a word and types over it, as a person does. */
  const typeOver = async ({ page }: Person, line: string, word: string, typed: string): Promise<void> => {
    await page.locator('[data-testid=editor-content] .cm-line', { hasText: line }).click()
    await page.keyboard.press('End')
    for (const _ of word) await page.keyboard.press('Backspace')
    await page.keyboard.type(typed)
  }

  it('[CONF-6] [CONF-1] [NOTE-2] [RES-1] [DEMO-3] two windows write one paragraph, one of them offline: both see what met, one decides, both see the outcome', async () => {
    await create('trip', '# Trip\nWe leave on Monday\nBring water\n')
    const [ada, ben] = [await browser.person(), await browser.person()]
    await ada.page.addInitScript({ content: KEEP_NOTICES })
    await open(ada, line.url, 'trip')
    await open(ben, server.url, 'trip')

    line.cut()
    await ada.page.locator('[data-testid=connection][data-phase=reconnecting]').waitFor()
    await pause(OFFLINE_MS)
    await typeOver(ada, 'We leave on', 'Monday', 'Friday')
    await typeOver(ben, 'We leave on', 'Monday', 'Tuesday')
    await expect.poll(() => server.contentOf('trip')).toContain('Tuesday')
    expect(await textOf(ada.page)).toContain('on Friday')
    line.mend()
    // Side by side: news go by themselves after some seconds. Who came back is told below the text, and stays so.
    await Promise.all([
      ada.page.locator('[data-testid=returned][data-met=true]', { hasText: 'both were merged' }).waitFor(),
      ben.page.locator('[data-testid=notice]', { hasText: 'came back with offline edits' }).waitFor(),
    ])
    await expect.poll(() => ada.page.locator('[data-testid=conflict-item]').count()).toBe(1)
    await expect.poll(() => ben.page.locator('[data-testid=conflict-item]').count()).toBe(1)
    const merged = await server.contentOf('trip')
    const [, mergedLine = ''] = merged.split('\n')
    expect(mergedLine).toMatch(/^We leave on (FridayTuesday|TuesdayFriday)$/)

    for (const { page } of [ada, ben]) {
      await page.locator('[data-testid=editor] .mark-conflict', { hasText: mergedLine }).waitFor()
      await page.locator('[data-testid=conflict-item]').click()
      await page.getByRole('heading', { name: 'Edits made offline met others’ edits here' }).waitFor()
      const card = page.locator('[data-testid=overlap]')
      await card.locator('[data-testid=merged]', { hasText: mergedLine }).waitFor()
      await card.locator('.side-base', { hasText: 'We leave on Monday' }).waitFor()
      await card.locator('.side-current', { hasText: 'We leave on Tuesday' }).waitFor()
      await card.locator('.side-incoming', { hasText: 'We leave on Friday' }).waitFor()
      // What stands can be kept, but two edits woven into each other are not what is urged.
      await page.locator('[data-testid=way-merged]').waitFor()
      expect(await page.locator('[data-testid=apply]').innerText()).toBe('1 place to choose')
      await page.locator('[data-testid=way-merged]').check()
      await page.locator('[data-testid=apply]:not(.primary)', { hasText: 'Keep the merge' }).waitFor()
    }
    await ada.page.locator('.side-incoming', { hasText: 'by you' }).first().waitFor()
    await ben.page.locator('.side-current', { hasText: 'by you' }).first().waitFor()

    await ben.page.locator('[data-testid=pick-incoming]').check()
    await ben.page.locator('[data-testid=result-content]', { hasText: 'We leave on Friday' }).waitFor()
    await ben.page.setViewportSize({ width: 360, height: 800 })
    expect(await ben.page.locator('html').evaluate((html) => html.scrollWidth)).toBe(360)
    await ben.page.locator('[data-testid=apply]').click()
    for (const { page } of [ada, ben]) {
      await page.locator('[data-testid=outcome][data-status=resolved]', { hasText: 'chose place by place' }).waitFor()
      await page.locator('[data-testid=back]').click()
      await expect.poll(() => textOf(page)).toContain('We leave on Friday')
      expect(await textOf(page)).not.toContain('Tuesday')
    }
    expect(await server.contentOf('trip')).toBe('# Trip\nWe leave on Friday\nBring water\n')
    const noticesSeen: string[] = await ada.page.evaluate('[...noticesSeen]')
    expect(noticesSeen.filter((text) => text.startsWith('New conflict'))).toEqual([])
    expect([...ada.troubles.errors.filter((error) => !LOST_LINE.test(error)), ...ben.troubles.errors]).toEqual([])
  })
})
