import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Page } from 'playwright-core'
import { launchBrowser, type Person, type TestBrowser } from '../support/browser.ts'
import { DemoServer } from '../support/demoServer.ts'

const WINDOW_MS = 2_000
const PATIENCE = { timeout: 15_000 }
/** Without pairs, so that no editor completes anything. */
const TYPED = 'the quick brown fox jumps over the lazy dog 0123456789'
/** The conflict page compares the whole document after each key. */
const FEW = 'the quick brown fox'
/** The page gets a sixth of its processor: it is held up for so many milliseconds, and then free for so many. */
const BUSY = [50, 10] as const

/** The shipped server with its demo, on a machine that is six times slower than the person types. */
describe('the demo, typed into without a pause', () => {
  let server: DemoServer
  let browser: TestBrowser
  beforeAll(async () => {
    server = await DemoServer.start(WINDOW_MS)
    browser = await launchBrowser()
  }, 90_000)
  afterAll(async () => {
    await browser.close()
    await server.stop()
  })

  const opened: Person[] = []
  // A page that is slowed keeps a processor busy for as long as it is open.
  afterEach(async () => {
    for (const { context } of opened.splice(0)) await context.close()
  })
  const open = async (id: string): Promise<Person> => {
    const person = await browser.person()
    opened.push(person)
    await person.page.goto(`${server.url}/demo/#/documents/${id}`)
    await person.page.locator('[data-testid=connection][data-phase=live]').waitFor()
    await slow(person)
    return person
  }
  /** Chromium's own emulation stops a page for seconds where processors are shared. */
  const slow = async ({ page }: Person): Promise<void> =>
    page.evaluate(([busyMs, freeMs]) => {
      const block = (): void => {
        const end = performance.now() + busyMs
        while (performance.now() < end);
        setTimeout(block, freeMs)
      }
      block()
    }, BUSY)
  const caretBehind = async (page: Page, testId: string, line: string): Promise<void> => {
    await page.locator(`[data-testid=${testId}] .cm-line`, { hasText: line }).click()
    await page.keyboard.press('End')
  }
  const textIn = (page: Page, testId: string): Promise<string> => page.locator(`[data-testid=${testId}]`).innerText()
  const typed = async (page: Page, testId: string): Promise<void> =>
    expect.poll(() => textIn(page, testId), PATIENCE).toContain(TYPED)

  it('[DEMO-1] the json editor keeps every key, while others write as well', async () => {
    await server.send('POST', '/documents', { id: 'keys', kind: 'json', content: { note: 'here', other: 0 } })
    const { page, troubles } = await open('keys')
    await caretBehind(page, 'editor-content', 'note')
    for (const _ of '",') await page.keyboard.press('ArrowLeft')
    const typing = page.keyboard.type(TYPED)
    for (let version = 1; version <= 5; version++) {
      const content = { note: 'here', other: version }
      expect(await server.send('PUT', '/documents/keys', { content, baseVersion: version })).toBe(200)
    }
    await typing
    await typed(page, 'editor-content')
    await page.locator('[data-testid=json-bar][data-status=edited]').waitFor()
    expect(await textIn(page, 'editor-content')).toContain(`"here${TYPED}"`)
    expect(troubles.errors).toEqual([])
  }, 120_000)

  it('[DEMO-1] the json editor keeps every key that is typed while it saves', async () => {
    await server.send('POST', '/documents', { id: 'saved', kind: 'json', content: { note: 'here' } })
    const { page } = await open('saved')
    await caretBehind(page, 'editor-content', 'note')
    await page.keyboard.press('ArrowLeft')
    for (const word of TYPED.split(/(?<= )/)) {
      await page.keyboard.type(word)
      await page.keyboard.press('ControlOrMeta+S')
    }
    await typed(page, 'editor-content')
    await expect.poll(() => server.contentOf('saved'), PATIENCE).toContain(TYPED)
  }, 120_000)

  it('[DEMO-1] the text editor keeps every key, while others type as well', async () => {
    await server.send('POST', '/documents', { id: 'text', kind: 'text', content: 'first\nlast\n' })
    const [ada, ben] = [await open('text'), await open('text')]
    await caretBehind(ada.page, 'editor-content', 'first')
    await caretBehind(ben.page, 'editor-content', 'last')
    await Promise.all([ada.page.keyboard.type(TYPED), ben.page.keyboard.type(TYPED)])
    await expect.poll(() => server.contentOf('text'), PATIENCE).toBe(`first${TYPED}\nlast${TYPED}\n`)
  }, 120_000)

  it('[DEMO-1] words for one place keep every key', async () => {
    const { page } = await openConflict('words')
    await page.locator('[data-testid=pick-own]').check()
    await page.locator('[data-testid=own-text]').press('End')
    await page.keyboard.type(FEW)
    await expect.poll(() => page.locator('[data-testid=own-text]').inputValue(), PATIENCE).toContain(FEW)
  }, 120_000)

  it('[DEMO-1] a result written by hand keeps every key, while others write as well', async () => {
    const { page } = await openConflict('result')
    await page.locator('[data-testid=result-edit]').click()
    await page.locator('[data-testid=result-content] .cm-line').first().click()
    await page.keyboard.press('Home')
    const typing = page.keyboard.type(FEW)
    await server.send('PUT', '/documents/result', { content: 'alpha current\nmore\n', baseVersion: 2 })
    await typing
    await expect.poll(() => textIn(page, 'result-content'), PATIENCE).toContain(`${FEW}alpha`)
  }, 120_000)

  /** Two sides of one line. */
  async function openConflict(id: string): Promise<Person> {
    await server.send('POST', '/documents', { id, kind: 'text', content: 'alpha\n' })
    await server.send('PUT', `/documents/${id}`, { content: 'alpha current\n', baseVersion: 1 })
    expect(await server.send('PUT', `/documents/${id}`, { content: 'alpha incoming\n', baseVersion: 1 })).toBe(409)
    const person = await open(id)
    await person.page.locator('[data-testid=conflict-item]').click()
    return person
  }
})
