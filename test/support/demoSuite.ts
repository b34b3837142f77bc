import { afterAll, beforeAll } from 'vitest'
import { launchBrowser, type TestBrowser } from './browser.ts'
import { DemoServer } from './demoServer.ts'

/** The shipped server with its demo, and a browser, from before the first test of the group to after the last. */
export interface DemoSuite {
  readonly server: DemoServer
  readonly browser: TestBrowser
}

/** `windowMs`: of CONF-7. */
export function demoSuite(windowMs: number): DemoSuite {
  let server: DemoServer
  let browser: TestBrowser
  beforeAll(async () => {
    server = await DemoServer.start(windowMs)
    browser = await launchBrowser()
  })
  afterAll(async () => {
    await browser.close()
    await server.stop()
  })
  return {
    get server() {
      return server
    },
    get browser() {
      return browser
    },
  }
}
