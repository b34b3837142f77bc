import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchBrowser, type TestBrowser } from '../support/browser.ts'
import { DemoServer } from '../support/demoServer.ts'
import { timeToFirstEdit, Wire } from '../support/wire.ts'

const WINDOW_MS = 2_000
const MOST_BYTES = 150_000
const IMMUTABLE = 'public, max-age=31536000, immutable'

/** What the shipped page takes over the wire; how long that lasts is measured by `npm run bench -- demo`. */
describe('the weight of the demo', () => {
  let server: DemoServer
  let browser: TestBrowser
  beforeAll(async () => {
    server = await DemoServer.start(WINDOW_MS)
    browser = await launchBrowser()
    expect(await server.send('POST', '/documents', { id: 'light', kind: 'text', content: 'Light\n' })).toBe(201)
  })
  afterAll(async () => {
    await browser.close()
    await server.stop()
  })

  it('[DEMO-16] a text is open for writing after less than 150 KB, without what shows conflicts and JSON; the next visit takes none of it again', async () => {
    const { page, troubles } = await browser.person()
    const wire = await Wire.of(page)
    await page.goto(`${server.url}/demo/#/documents/light`)
    await timeToFirstEdit(page)
    const first = wire.take()
    expect(first.bytes).toBeLessThan(MOST_BYTES)
    expect(first.paths.filter((path) => /conflictView|syntax|json(Editor|Look)|outside/.test(path))).toEqual([])
    expect(first.paths.filter((path) => path.includes('/assets/')).length).toBeGreaterThan(2)

    await page.locator('[data-testid=save-state][data-state=saved]').waitFor()
    await page.reload()
    await timeToFirstEdit(page)
    expect(wire.take().paths.filter((path) => path.includes('/assets/'))).toEqual([])
    expect(troubles.errors).toEqual([])
  })

  it.each([
    ['br, gzip', 'br'],
    ['gzip', 'gzip'],
    ['identity', null],
  ])('[DEMO-16] built files come as the browser takes them (%s), to be kept for good', async (accepted, encoding) => {
    const { page } = await browser.person()
    const script = page.waitForResponse(/\/assets\/index.*\.js$/)
    await page.goto(`${server.url}/demo/`)
    const url = (await script).url()
    const answer = await fetch(url, { headers: { 'accept-encoding': accepted } })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-encoding')).toBe(encoding)
    expect(answer.headers.get('vary')).toMatch(/accept-encoding/i)
    expect(answer.headers.get('vary')).toMatch(/origin/i)
    expect(answer.headers.get('cache-control')).toBe(IMMUTABLE)
    expect(answer.headers.get('content-type')).toMatch(/javascript/)
    expect(await answer.text()).toContain('parley.identity')
    await page.context().close()
  })

  it('[DEMO-16] says so where a part of the page cannot be fetched, and fetches it when the page is loaded anew', async () => {
    const { page } = await browser.person()
    await page.goto(`${server.url}/demo/#/documents/light`)
    await page.locator('[data-testid=connection][data-phase=live]').waitFor()
    await page.route('**/assets/outsideDrawer*', (route) => route.abort())
    await page.locator('[data-testid=outside-open]').click()
    await page.getByText('This part of the page could not be loaded').waitFor()
    await page.unroute('**/assets/outsideDrawer*')
    await page.getByRole('button', { name: 'Load the page anew' }).click()
    await page.locator('[data-testid=connection][data-phase=live]').waitFor()
    await page.locator('[data-testid=outside-open]').click()
    await page.locator('[data-testid=outside-drawer]').waitFor()
  })
})
