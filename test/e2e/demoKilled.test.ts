import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ADA, createJson, createText, typeBehind } from '../support/demoSceneActs.ts'
import { DemoStage } from '../support/demoStage.ts'

/** What was typed up to so long before the end is there again. */
const KEPT_AFTER_MS = 3_000

/** A page whose process dies hears nothing of its end; the browser brings back what the tab had stored. */
describe('the demo, in a page that is killed', () => {
  let stage: DemoStage
  beforeAll(async () => {
    stage = await DemoStage.start()
  })
  afterAll(() => stage.stop())

  /** Playwright cannot go on with a page that crashed, so that this one only stores nothing at its end. */
  const kill = async (page: Page): Promise<void> => {
    await page.evaluate('Storage.prototype.setItem = Storage.prototype.removeItem = () => {}')
    await page.reload()
  }

  it('[DEMO-1] a text that waits and a json draft are there again, and what was saved comes back nowhere', async () => {
    await createText(stage, 'train')
    await createJson(stage, 'tour')
    const { page, troubles } = await stage.person(ADA, 'train')
    page.on('dialog', (dialog) => void dialog.accept())
    await page.locator('[data-testid=offline-switch]').check()
    await typeBehind(page, 'Who talks', ' Ben does.')
    await page.waitForTimeout(KEPT_AFTER_MS)
    await kill(page)
    await expect.poll(() => stage.contentOf('train')).toContain('Who talks to the press? Ben does.')

    await stage.open(page, 'tour')
    await typeBehind(page, '"Bergen"', ' "Bergen"')
    await page.waitForTimeout(KEPT_AFTER_MS)
    await kill(page)
    await page.locator('[data-testid=json-bar][data-status=edited]').waitFor()
    expect(await page.locator('[data-testid=editor-content]').innerText()).toContain('"Bergen", "Bergen"')
    await page.locator('[data-testid=editor-content]').click()
    await page.keyboard.press('ControlOrMeta+A')
    await page.keyboard.insertText('{"seats": 7}')
    await page.locator('[data-testid=json-save]').click()
    await page.locator('[data-testid=json-bar][data-status=clean]').waitFor()
    await page.waitForTimeout(KEPT_AFTER_MS)
    await stage.does(ADA, 'PUT', '/documents/tour', { content: { seats: 8 }, baseVersion: 2 })
    await kill(page)
    await page.locator('[data-testid=editor-content]', { hasText: '8' }).waitFor()
    await page.locator('[data-testid=json-bar][data-status=clean]').waitFor()
    expect(troubles.errors).toEqual([])
  })
})
