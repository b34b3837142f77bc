import chromium from '@sparticuz/chromium'
import {
  chromium as playwright,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Page,
} from 'playwright-core'
import { PATIENCE_MS } from './patience.ts'

/** What a page did that no test should have to overlook. */
export interface PageTroubles {
  /**
   * Uncaught exceptions and `console.error`, in order; a Content-Security-Policy violation is one of these.
   * Refused requests are not: a 409 is what many tests are about.
   */
  readonly errors: readonly string[]
}

export interface Person {
  readonly page: Page
  readonly context: BrowserContext
  readonly troubles: PageTroubles
}

export interface TestBrowser {
  readonly browser: Browser
  /** A window with its own storage: another person. */
  person(options?: BrowserContextOptions): Promise<Person>
  close(): Promise<void>
}

/** The browser asks nobody outside: without these it looks up its vendor's hosts at every start. */
const QUIET_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
]

/** What the browser logs for every answer from 400 up. */
const REFUSED_REQUEST = 'Failed to load resource: the server responded with a status of'

/**
 * Starts a real Chromium, headless, from the registry package alone. Close it in `afterAll`: its contexts go
 * with it.
 */
export async function launchBrowser(): Promise<TestBrowser> {
  const browser = await playwright.launch({
    executablePath: await chromium.executablePath(),
    headless: true,
    args: QUIET_FLAGS,
    // Unpacked at its first start, which a slow disk makes long.
    timeout: 2 * PATIENCE_MS,
  })
  return {
    browser,
    person: (options = {}) => newPerson(browser, options),
    close: () => browser.close(),
  }
}

async function newPerson(browser: Browser, options: BrowserContextOptions): Promise<Person> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    reducedMotion: 'reduce',
    ...options,
  })
  context.setDefaultTimeout(PATIENCE_MS)
  const page = await context.newPage()
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().startsWith(REFUSED_REQUEST)) errors.push(message.text())
  })
  return { page, context, troubles: { errors } }
}
