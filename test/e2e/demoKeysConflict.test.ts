import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { slowDemo, textIn, whileSlow } from '../support/slowDemo.ts'

/** The conflict page compares the whole document after each key. */
const FEW = 'the quick brown fox'

describe('the page of a conflict in the demo, typed into without a pause', () => {
  const demo = slowDemo()

  it('[DEMO-1] words for one place keep every key', async () => {
    const page = await openConflict('words')
    await page.locator('[data-testid=pick-own]').check()
    await page.locator('[data-testid=own-text]').press('End')
    await whileSlow(page, () => page.keyboard.type(FEW))
    await expect.poll(() => page.locator('[data-testid=own-text]').inputValue()).toContain(FEW)
  })

  it('[DEMO-1] a result written by hand keeps every key, while others write as well', async () => {
    const page = await openConflict('result')
    await page.locator('[data-testid=result-edit]').click()
    await page.locator('[data-testid=result-content] .cm-line').first().click()
    await page.keyboard.press('Home')
    const typing = whileSlow(page, () => page.keyboard.type(FEW))
    await demo.server.send('PUT', '/documents/result', { content: 'alpha current\nmore\n', baseVersion: 2 })
    await typing
    await expect.poll(() => textIn(page, 'result-content')).toContain(`${FEW}alpha`)
  })

  /** Two sides of one line. */
  async function openConflict(id: string): Promise<Page> {
    await demo.server.send('POST', '/documents', { id, kind: 'text', content: 'alpha\n' })
    await demo.server.send('PUT', `/documents/${id}`, { content: 'alpha current\n', baseVersion: 1 })
    expect(await demo.server.send('PUT', `/documents/${id}`, { content: 'alpha incoming\n', baseVersion: 1 })).toBe(409)
    const { page } = await demo.open(id)
    await page.locator('[data-testid=conflict-item]').click()
    return page
  }
})
