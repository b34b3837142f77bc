import type { CDPSession, Page } from 'playwright-core'

/** What Lighthouse takes for a slow phone: 1.6 Mbit/s down, 150 ms to the server and back, a CPU slowed four times. */
const DOWN_BYTES_PER_SECOND = 1_600_000 / 8
const UP_BYTES_PER_SECOND = 750_000 / 8
const LATENCY_MS = 150
const CPU_SLOWER = 4

/** What came over the wire, headers and all. */
export interface Received {
  readonly bytes: number
  readonly paths: readonly string[]
}

/** What a page takes from the server. */
export class Wire {
  readonly #session: CDPSession
  #bytes = 0
  #paths: string[] = []

  private constructor(session: CDPSession) {
    this.#session = session
    const paths = new Map<string, string>()
    session.on('Network.requestWillBeSent', ({ requestId, request }) => {
      paths.set(requestId, new URL(request.url).pathname)
    })
    session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
      // What comes from the cache takes nothing.
      if (encodedDataLength === 0) return
      this.#bytes += encodedDataLength
      this.#paths.push(paths.get(requestId) ?? '')
    })
  }

  static async of(page: Page): Promise<Wire> {
    const session = await page.context().newCDPSession(page)
    const wire = new Wire(session)
    await session.send('Network.enable')
    return wire
  }

  async slow(): Promise<this> {
    await this.#session.send('Network.emulateNetworkConditions', {
      offline: false,
      latency: LATENCY_MS,
      downloadThroughput: DOWN_BYTES_PER_SECOND,
      uploadThroughput: UP_BYTES_PER_SECOND,
    })
    await this.#session.send('Emulation.setCPUThrottlingRate', { rate: CPU_SLOWER })
    return this
  }

  /** Since the last time it was asked. */
  take(): Received {
    const received = { bytes: this.#bytes, paths: this.#paths }
    this.#bytes = 0
    this.#paths = []
    return received
  }
}

/** Milliseconds since the page was asked for until it is live and shows what is typed. */
export async function timeToFirstEdit(page: Page): Promise<number> {
  await shown(page, '[data-testid=connection][data-phase=live]')
  await page.locator('[data-testid=editor-content]').focus()
  await page.keyboard.press('x')
  await shown(page, '[data-testid=editor-content]', 'x')
  return page.evaluate(() => performance.now())
}

/** What is used of a page within it. */
interface PageGlobals {
  readonly document: { querySelector(selector: string): { readonly textContent: string } | null }
}

/** Looks at each frame: a locator looks twice a second after a while, which would be measured along. */
async function shown(page: Page, selector: string, text = ''): Promise<void> {
  await page.waitForFunction(
    ([wanted, part]) => {
      const { document } = globalThis as unknown as PageGlobals
      return document.querySelector(wanted)?.textContent.includes(part) === true
    },
    [selector, text] as const,
    { polling: 'raf', timeout: 60_000 },
  )
}
