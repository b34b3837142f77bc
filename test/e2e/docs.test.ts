import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchBrowser, type TestBrowser } from '../support/browser.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

describe('the reference for a person', () => {
  let server: TestServer
  let browser: TestBrowser
  beforeAll(async () => {
    server = await startTestServer()
    browser = await launchBrowser()
  })
  afterAll(async () => {
    await browser.close()
    await server.stop()
  })

  it('[API-3] shows every request, and loads nothing from elsewhere, under a strict policy', async () => {
    const { page, troubles } = await browser.person()
    const asked: string[] = []
    page.on('request', (request) => asked.push(request.url()))
    await page.goto(`${server.url}/docs`)
    await page.locator('.opblock').first().waitFor()
    const { paths } = JSON.parse(await (await fetch(`${server.url}/openapi.json`)).text())
    const count = Object.values<object>(paths).flatMap((operations) => Object.keys(operations)).length
    expect(await page.locator('.opblock').count()).toBe(count)
    // An operation unfolds, with its examples.
    await page.locator('#operations-documents-createDocument .opblock-summary-control').click()
    await page.locator('#operations-documents-createDocument .responses-table').waitFor()
    expect(asked.filter((url) => !url.startsWith(server.url) && !url.startsWith('data:'))).toEqual([])
    expect(troubles.errors).toEqual([])
  })

  it('[API-3] shows sockets, streams and webhooks without a script', async () => {
    const { page, troubles } = await browser.person({ javaScriptEnabled: false })
    await page.goto(`${server.url}/docs/sockets`)
    expect(await page.locator('h2').allTextContents()).toEqual([
      'Live editing',
      'Notifications by WebSocket',
      'Notifications as Server-Sent Events',
      'Notifications by webhook',
    ])
    expect(troubles.errors).toEqual([])
  })
})

describe('GET /', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startTestServer()
  })
  afterAll(() => server.stop())

  it('[API-11] tells a program what this is, and where to go on', async () => {
    const answer = await fetch(server.url)
    const { name, version, links } = JSON.parse(await answer.text())
    expect(name).toBe('Parley')
    expect(version).toMatch(/^\d+\.\d+\.\d+/)
    const relations = links.map(({ rel }: { rel: string }) => rel)
    expect(relations).toEqual(['service-desc', 'service-desc', 'service-doc', 'status'])
    for (const { rel, href } of links) {
      expect(answer.headers.get('link')).toContain(`<${href}>; rel="${rel}"`)
      expect((await fetch(server.url + href)).status, href).toBe(200)
    }
  })

  it('[API-11] leads a browser to a page', async () => {
    const headers = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }
    const answer = await fetch(server.url, { headers, redirect: 'manual' })
    expect(answer.status).toBe(302)
    expect(answer.headers.get('location')).toBe('/docs')
  })
})
