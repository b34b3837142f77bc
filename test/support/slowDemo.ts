import { afterEach } from 'vitest'
import type { Page } from 'playwright-core'
import type { Person } from './browser.ts'
import type { DemoServer } from './demoServer.ts'
import { demoSuite } from './demoSuite.ts'

const WINDOW_MS = 2_000
/** The page gets a sixth of its processor: it is held up for so many milliseconds, and then free for so many. */
const BUSY = [50, 10] as const

/** The shipped server with its demo, and people who open its documents. */
export interface SlowDemo {
  readonly server: DemoServer
  open(id: string): Promise<Person>
}

/** From before the first test of the group to after the last. */
export function slowDemo(): SlowDemo {
  const demo = demoSuite(WINDOW_MS)
  const opened: Person[] = []
  afterEach(async () => {
    for (const { context } of opened.splice(0)) await context.close()
  })
  return {
    get server() {
      return demo.server
    },
    open: async (id) => {
      const person = await demo.browser.person()
      opened.push(person)
      await person.page.goto(`${demo.server.url}/demo/#/documents/${id}`)
      await person.page.locator('[data-testid=connection][data-phase=live]').waitFor()
      return person
    },
  }
}

/**
 * Acts on a page as on a machine that is six times slower than the person types. Chromium's own emulation stops a page for
 * seconds where processors are shared.
 */
export async function whileSlow(page: Page, act: () => Promise<void>): Promise<void> {
  await page.evaluate(([busyMs, freeMs]) => {
    Reflect.set(globalThis, 'isSlow', true)
    const block = (): void => {
      if (Reflect.get(globalThis, 'isSlow') !== true) return
      const end = performance.now() + busyMs
      while (performance.now() < end);
      setTimeout(block, freeMs)
    }
    block()
  }, BUSY)
  await act()
  // Only what happens meanwhile is in question, and others need the processor.
  await page.evaluate(() => void Reflect.set(globalThis, 'isSlow', false))
}

/** The caret stands at the end of the line that holds this. */
export async function caretBehind(page: Page, testId: string, line: string): Promise<void> {
  await page.locator(`[data-testid=${testId}] .cm-line`, { hasText: line }).click()
  await page.keyboard.press('End')
}

/** What an editor shows. */
export const textIn = (page: Page, testId: string): Promise<string> =>
  page.locator(`[data-testid=${testId}]`).innerText()
