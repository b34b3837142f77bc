import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Page } from 'playwright-core'
import { startProcess, type Running } from '../support/process.ts'
import { launchBrowser, type Person, type TestBrowser } from '../support/browser.ts'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The shipped server with its demo, two people in real browsers, and a program beside them. */
describe('the demo', () => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-demo-'))
  let server: Running
  let browser: TestBrowser
  beforeAll(async () => {
    const variables = { PARLEY_PORT: '0', PARLEY_DATABASE: join(folder, 'demo.db'), PARLEY_SECRET: undefined }
    server = await startProcess('dist/server/main.js', ['serve'], variables)
    browser = await launchBrowser()
  })
  afterAll(async () => {
    await browser.close()
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const call = async (method: string, path: string, body: unknown): Promise<Response> => {
    const guest: { token: string } = JSON.parse(
      await (await fetch(`${server.url}/demo/token`, { method: 'POST' })).text(),
    )
    return fetch(server.url + path, {
      method,
      headers: { authorization: `Bearer ${guest.token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  }
  const textOf = (page: Page): Promise<string> => page.locator('[data-testid=editor-content]').innerText()
  const open = async (person: Person, id: string): Promise<void> => {
    await person.page.goto(`${server.url}/demo/#/documents/${id}`)
    await person.page.locator('[data-testid=editor-content]').waitFor()
  }

  it('[AUTH-5] [DEMO-6] no two guests who come one after the other have one name', async () => {
    const names: string[] = []
    for (let guest = 0; guest < 40; guest += 1) {
      const answer = await fetch(`${server.url}/demo/token`, { method: 'POST' })
      names.push((JSON.parse(await answer.text()) as { name: string }).name)
    }
    expect(new Set(names).size).toBe(40)
  })

  it('[AUTH-5] [SYNC-1] [CONF-1] [NOTE-2] [RES-1] two windows edit live, a program meets a 409, one window resolves it, everyone learns it', async () => {
    await call('POST', '/documents', { id: 'plan', kind: 'text', content: '# Plan\nMeet on Monday\n' })
    const [ada, ben] = [await browser.person(), await browser.person()]
    await open(ada, 'plan')
    await open(ben, 'plan')
    await expect.poll(() => textOf(ben.page)).toContain('Meet on Monday')

    await ada.page.locator('[data-testid=editor-content] .cm-line', { hasText: 'Meet on Monday' }).click()
    await ada.page.keyboard.press('End')
    await ada.page.keyboard.type(' at ten')
    await expect.poll(() => textOf(ben.page)).toContain('Meet on Monday at ten')

    const refused = await call('PUT', '/documents/plan', { content: '# Plan\nMeet on Friday\n', baseVersion: 1 })
    expect(refused.status).toBe(409)
    for (const person of [ada, ben]) {
      await person.page.locator('[data-testid=notice]').first().waitFor()
      await expect.poll(() => person.page.locator('[data-testid=conflict-item]').count()).toBeGreaterThan(0)
    }

    // On a narrow screen the list of conflicts is opened, and no news lies upon it.
    await ada.page.setViewportSize({ width: 360, height: 740 })
    await ada.page.locator('[data-testid=panel-open]').click()
    await ada.page.locator('[data-testid=conflict-item]').first().waitFor()
    expect(await ada.page.locator('[data-testid=notice]').count()).toBe(0)
    await ada.page.setViewportSize({ width: 1280, height: 720 })

    await ben.page.locator('[data-testid=conflict-item]').first().click()
    await ben.page.locator('[data-testid=way-incoming]').check()
    await ben.page.locator('[data-testid=result-content]', { hasText: 'Meet on Friday' }).waitFor()
    await ben.page.locator('[data-testid=apply]').click()
    for (const person of [ada, ben]) await expect.poll(() => textOf(person.page)).toContain('Meet on Friday')
    await ada.page
      .locator('[data-testid=outcome], [data-testid=notice]', { hasText: /resolved|incoming/i })
      .first()
      .waitFor()
    expect([...ada.troubles.errors, ...ben.troubles.errors]).toEqual([])
  })
})
