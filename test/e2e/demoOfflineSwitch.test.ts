import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Person } from '../support/browser.ts'
import { demoSuite } from '../support/demoSuite.ts'

const WINDOW_MS = 300
/** What a browser logs of a network that is gone. */
const NO_NETWORK = /WebSocket connection to .* failed|net::ERR_/

/** The shipped server with its demo, and two people in real browsers, one of whom hangs up. */
describe('the demo, hung up', () => {
  const demo = demoSuite(WINDOW_MS)

  const open = async (id: string): Promise<Person> => {
    const person = await demo.browser.person()
    await person.page.goto(`${demo.server.url}/demo/#/documents/${id}`)
    await person.page.locator('[data-testid=connection][data-phase=live]').waitFor()
    return person
  }
  const typeBehind = async ({ page }: Person, line: string, typed: string): Promise<void> => {
    await page.locator('[data-testid=editor-content] .cm-line', { hasText: line }).click()
    await page.keyboard.press('End')
    await page.keyboard.type(typed)
  }

  it('[CONF-6] [DEMO-3] the switch hangs up and says what waits; afterwards the page says what became of it', async () => {
    await demo.server.send('POST', '/documents', { id: 'trip', kind: 'text', content: 'Monday\nwater\n' })
    const [ada, ben] = [await open('trip'), await open('trip')]
    await ada.page.locator('[data-testid=offline-switch]').check()
    await ada.page.locator('[data-testid=connection][data-phase=offline]').waitFor()
    await typeBehind(ada, 'water', ' and bread')
    await ada.page.locator('[data-testid=unsaved]', { hasText: '10 characters typed' }).waitFor()
    await ada.page.locator('[data-testid=offline-switch]').uncheck()
    await ada.page.locator('[data-testid=returned][data-met=false]', { hasText: 'Nobody had changed' }).waitFor()
    expect(await demo.server.contentOf('trip')).toBe('Monday\nwater and bread\n')

    await ada.page.locator('[data-testid=offline-switch]').check()
    await typeBehind(ada, 'Monday', ' at ten')
    await typeBehind(ben, 'Monday', ' evening')
    await expect.poll(() => demo.server.contentOf('trip')).toContain('Monday evening\n')
    // What came only now is not worth judging.
    await pause(2 * WINDOW_MS)
    await ada.page.locator('[data-testid=offline-switch]').uncheck()
    await ada.page.locator('[data-testid=returned][data-met=true]', { hasText: 'both were merged' }).waitFor()
    await ada.page.locator('[data-testid=returned-show]').click()
    await ada.page.locator('[data-testid=conflict-view]').waitFor()
    expect([...ada.troubles.errors, ...ben.troubles.errors]).toEqual([])
  })

  it('[SYNC-1] [DEMO-3] a browser that loses the network is offline at once, and live again once it is back', async () => {
    await demo.server.send('POST', '/documents', { id: 'list', kind: 'text', content: 'one\n' })
    const ada = await open('list')
    await ada.context.setOffline(true)
    await ada.page.locator('[data-testid=connection][data-phase=offline]').waitFor()
    await typeBehind(ada, 'one', ' more')
    await ada.context.setOffline(false)
    await ada.page.locator('[data-testid=connection][data-phase=live]').waitFor()
    await ada.page.locator('[data-testid=returned]', { hasText: 'The connection is back.' }).waitFor()
    expect(await demo.server.contentOf('list')).toBe('one more\n')
    expect(ada.troubles.errors.filter((error) => !NO_NETWORK.test(error))).toEqual([])
  })
})
