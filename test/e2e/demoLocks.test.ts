import { describe, expect, it } from 'vitest'
import type { Page } from 'playwright-core'
import type { Person } from '../support/browser.ts'
import { demoSuite } from '../support/demoSuite.ts'

const WINDOW_MS = 300

/** The shipped server with its demo, and two people in real browsers, one of whom locks. */
describe('the demo, with a lock', () => {
  const demo = demoSuite(WINDOW_MS)

  const open = async (id: string): Promise<Person> => {
    const person = await demo.browser.person()
    person.page.on('dialog', (dialog) => void dialog.accept())
    await person.page.goto(`${demo.server.url}/demo/#/documents/${id}`)
    await live(person.page)
    return person
  }
  const live = (page: Page): Promise<void> => page.locator('[data-testid=connection][data-phase=live]').waitFor()
  const textOf = (page: Page): Promise<string> => page.locator('[data-testid=editor-content]').innerText()
  const typeBehind = async (page: Page, line: string, typed: string): Promise<void> => {
    await page.locator('[data-testid=editor-content] .cm-line', { hasText: line }).click()
    await page.keyboard.press('End')
    await page.keyboard.type(typed)
  }

  it('[LOCK-4] [DEMO-2] shows whose lock it is and until when; what a barred editor writes waits, outlives a reload, and goes in when the lock ends', async () => {
    await demo.server.send('POST', '/documents', { id: 'trip', kind: 'text', content: 'Monday\nwater\n' })
    const [ada, ben] = [await open('trip'), await open('trip')]
    await ben.page.locator('[data-testid=lock-acquire]').click()
    await ben.page.locator('[data-testid=lock-state][data-own=true]', { hasText: 'Locked by you' }).waitFor()
    const state = ada.page.locator('[data-testid=lock-state][data-own=false]')
    await expect.poll(() => state.innerText()).toMatch(/^Locked by .+ until .+ \([45]:\d\d\)$/)

    await typeBehind(ada.page, 'Monday', ' at ten')
    await ada.page.locator('[data-testid=barred][data-waits=true]', { hasText: 'Your edits wait' }).waitFor()
    await typeBehind(ben.page, 'water', ' and bread')
    await expect.poll(() => demo.server.contentOf('trip')).toBe('Monday\nwater and bread\n')

    await ada.page.reload()
    await live(ada.page)
    await expect.poll(() => textOf(ada.page)).toContain('Monday at ten')
    await ada.page.locator('[data-testid=barred][data-waits=true]').waitFor()
    expect(await demo.server.contentOf('trip')).toBe('Monday\nwater and bread\n')

    await ben.page.locator('[data-testid=lock-release]').click()
    await ada.page.locator('[data-testid=returned]', { hasText: 'The lock has ended.' }).waitFor()
    expect(await demo.server.contentOf('trip')).toBe('Monday at ten\nwater and bread\n')
    expect(await ada.page.locator('body').innerText()).not.toMatch(/came back with offline edits/)
    expect([...ada.troubles.errors, ...ben.troubles.errors]).toEqual([])
  })

  it('[LOCK-4] [CONF-6] [DEMO-2] where the owner changed the same place, the page speaks of edits that had to wait, and of no offline ones', async () => {
    await demo.server.send('POST', '/documents', { id: 'same', kind: 'text', content: 'Monday\n' })
    const [ada, ben] = [await open('same'), await open('same')]
    await ben.page.locator('[data-testid=lock-acquire]').click()
    await ada.page.locator('[data-testid=lock-state]').waitFor()
    await typeBehind(ada.page, 'Monday', ' at ten')
    await ada.page.locator('[data-testid=barred][data-waits=true]').waitFor()
    await typeBehind(ben.page, 'Monday', ' evening')
    await expect.poll(() => demo.server.contentOf('same')).toBe('Monday evening\n')
    await ada.page.waitForTimeout(2 * WINDOW_MS)
    await ben.page.locator('[data-testid=lock-release]').click()
    await ada.page.locator('[data-testid=returned][data-met=true]', { hasText: 'The lock has ended.' }).waitFor()
    for (const { page } of [ada, ben]) {
      await page.locator('[data-testid=conflict-item]', { hasText: 'had to wait' }).click()
      await page.getByRole('heading', { name: 'Edits that had to wait met others’ edits here' }).waitFor()
      await page.locator('.story', { hasText: 'had to wait for a lock' }).waitFor()
      expect(await page.locator('body').innerText()).not.toMatch(/offline edits|while offline|made offline/)
    }
    expect([...ada.troubles.errors, ...ben.troubles.errors]).toEqual([])
  })

  it('[LOCK-2] [DEMO-2] a json draft waits for the lock, outlives a reload, and is saved then', async () => {
    await demo.server.send('POST', '/documents', { id: 'menu', kind: 'json', content: { soup: 'leek' } })
    const [ada, ben] = [await open('menu'), await open('menu')]
    await ben.page.locator('[data-testid=lock-acquire]').click()
    await ada.page.locator('[data-testid=lock-state][data-own=false]').waitFor()
    await ada.page.locator('[data-testid=editor-content] .cm-line', { hasText: 'leek' }).click()
    await ada.page.keyboard.press('End')
    await ada.page.keyboard.press('ArrowLeft')
    await ada.page.keyboard.type(' and potato')
    await ada.page.locator('[data-testid=json-note]', { hasText: 'You can save when the lock ends' }).waitFor()
    expect(await ada.page.locator('[data-testid=json-save]').isDisabled()).toBe(true)

    await ada.page.reload()
    await expect.poll(() => textOf(ada.page)).toContain('leek and potato')
    // Who holds the lock saves.
    await ben.page.locator('[data-testid=editor-content] .cm-line', { hasText: '{' }).click()
    await ben.page.keyboard.press('End')
    await ben.page.keyboard.type(' ')
    await ben.page.locator('[data-testid=json-save]').click()
    await ben.page.locator('[data-testid=json-bar][data-status=clean]').waitFor()
    await ben.page.locator('[data-testid=lock-release]').click()
    await ada.page.locator('[data-testid=json-save]:enabled').click()
    await expect.poll(() => demo.server.contentOf('menu')).toContain('leek and potato')
    expect([...ada.troubles.errors, ...ben.troubles.errors]).toEqual([])
  })
})
