import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Page } from 'playwright-core'
import { launchBrowser, type Person, type TestBrowser } from '../support/browser.ts'
import { DemoServer } from '../support/demoServer.ts'

const WINDOW_MS = 2_000
const PATIENCE = { timeout: 15_000 }
const SECRET = 'a secret that only this test knows'

/** The shipped server with its demo, and two people by name in real browsers. */
describe('the demo, looking back', () => {
  let server: DemoServer
  let browser: TestBrowser
  beforeAll(async () => {
    server = await DemoServer.start(WINDOW_MS, SECRET)
    browser = await launchBrowser()
  }, 90_000)
  afterAll(async () => {
    await browser.close()
    await server.stop()
  })

  const come = async (id: string, sub: string, name: string): Promise<Person> => {
    const person = await browser.person()
    await server.signIn(person, `/demo/#/documents/${id}`, await server.token({ sub, name }))
    return person
  }
  const live = (page: Page): Promise<void> => page.locator('[data-testid=connection][data-phase=live]').waitFor()
  const textOf = (page: Page): Promise<string> => page.locator('[data-testid=editor-content]').innerText()

  it('[HIST-1] [HIST-3] [DEMO-7] every version can be looked at and stand again, and that can be undone', async () => {
    await server.send('POST', '/documents', { id: 'plan', kind: 'text', content: 'Monday\n' })
    await server.send('PUT', '/documents/plan', { content: 'Tuesday\n', baseVersion: 1 })
    const [ada, ben] = [await come('plan', 'ada', 'Ada'), await come('plan', 'ben', 'Ben')]
    for (const { page } of [ada, ben]) await live(page)
    await ada.page.locator('[data-testid=history-open]').click()
    const first = ada.page.locator('[data-testid=version-row][data-version="1"]')
    await first.filter({ hasText: 'The Program created it' }).waitFor()
    await first.locator('[data-testid=version-compare]').click()
    await first.locator('[data-testid=version-changes]', { hasText: 'Monday' }).waitFor()
    await first.locator('[data-testid=version-restore]').click()
    await expect.poll(() => textOf(ben.page), PATIENCE).toContain('Monday')
    await ada.page.locator('[data-testid=version-row][data-version="3"]', { hasText: 'You restored' }).waitFor()
    await ada.page.locator('[data-testid=notice]', { hasText: 'is version 3 now' }).getByText('Undo').click()
    await expect.poll(() => textOf(ben.page), PATIENCE).toContain('Tuesday')
    expect(await server.contentOf('plan')).toBe('Tuesday\n')
    await ada.page.locator('[data-testid=history-close]').click()
    expect([...ada.troubles.errors, ...ben.troubles.errors]).toEqual([])
  }, 60_000)

  it('[DOC-6] [DEMO-8] a deleted document shows as that, with who and what is kept, and comes back by whoever deleted it', async () => {
    await server.send('POST', '/documents', { id: 'list', kind: 'text', content: 'milk\n' })
    const [ada, ben] = [await come('list', 'ada', 'Ada'), await come('list', 'ben', 'Ben')]
    for (const { page } of [ada, ben]) await live(page)
    await ada.page.locator('[data-testid=editor-content] .cm-line').first().click()
    await ada.page.keyboard.press('Home')
    await ada.page.keyboard.type('more ')
    await expect.poll(() => server.contentOf('list'), PATIENCE).toBe('more milk\n')
    await ada.page.locator('[data-testid=history-open]').click()
    await ada.page.locator('[data-testid=delete-document]').click()
    await ben.page
      .locator('[data-testid=deleted]', { hasText: /^Ada deleted it just now\. All of it is kept/ })
      .waitFor()
    expect(await ben.page.locator('[data-testid=revive]').count()).toBe(0)
    expect(await ben.page.locator('[data-testid=editor-content]').getAttribute('contenteditable')).toBe('false')
    await ben.page.reload()
    await ben.page.locator('[data-testid=deleted]', { hasText: 'deleted it' }).waitFor()

    await ada.page.locator('[data-testid=deleted]', { hasText: 'You deleted it' }).waitFor()
    await ada.page.locator('[data-testid=revive]').click()
    for (const { page } of [ada, ben]) {
      await live(page)
      await expect.poll(() => textOf(page), PATIENCE).toContain('more milk')
    }
    expect([...ada.troubles.errors, ...ben.troubles.errors]).toEqual([])
  }, 60_000)

  it('[HIST-5] [DEMO-8] of one that was purged it says that nothing is kept', async () => {
    await server.send('POST', '/documents', { id: 'gone', kind: 'text', content: 'secret\n' })
    expect(await server.send('DELETE', '/documents/gone?purge=true&baseVersion=1')).toBe(204)
    const ada = await come('gone', 'ada', 'Ada')
    await ada.page.locator('[data-testid=deleted]', { hasText: 'for good: nothing of it is kept' }).waitFor()
    expect(await ada.page.locator('[data-testid=revive]').count()).toBe(0)
    expect(ada.troubles.errors).toEqual([])
  }, 60_000)
})
