import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ADA, BEN, createText, offlineMerge, refusedWrite, showConflict, typeBehind } from '../support/demoSceneActs.ts'
import { DemoStage } from '../support/demoStage.ts'

const NARROW = { viewport: { width: 390, height: 780 } }
/** Longer than what the stage takes for an absence that is not worth judging. */
const AWAY_MS = 700

/** Goes on to a document in the very moment in which the list is drawn. */
const HURRY = `
  const drawn = new MutationObserver(() => {
    if (document.querySelector('[data-testid=self]') === null) return
    drawn.disconnect()
    location.hash = '#/documents/quick'
  })
  drawn.observe(document, { childList: true, subtree: true })
`

/** People in real browsers, where a page that supposes would tell them what is not so. */
describe('the demo says no more than it knows', () => {
  let stage: DemoStage
  beforeAll(async () => {
    stage = await DemoStage.start()
  })
  afterAll(() => stage.stop())

  it('[DEMO-3] [DEMO-1] what waited is told of over a reload as well', async () => {
    await createText(stage, 'reloaded')
    const { page, troubles } = await stage.person(ADA, 'reloaded')
    page.on('dialog', (dialog) => void dialog.accept())
    await page.locator('[data-testid=offline-switch]').check()
    await typeBehind(page, 'Who talks', ' Ben does.')
    await page.reload()
    await page
      .locator('[data-testid=returned][data-met=false]', { hasText: 'opened anew. What you wrote is in the document' })
      .waitFor()
    expect(await stage.contentOf('reloaded')).toContain('Ben does.')
    expect(troubles.errors).toEqual([])
  })

  it('[DEMO-3] an older conflict is not what one came back to, and what cannot be found out is not denied', async () => {
    const page = await offlineMerge(stage, 'older')
    // The list is not read yet when the person hangs up.
    await page.route('**/conflicts?**', async (route) => {
      await pause(2_000)
      await route.continue()
    })
    await page.reload()
    await page.locator('[data-testid=connection][data-phase=live]').waitFor()
    const away = async (line: string): Promise<string> => {
      await page.locator('[data-testid=offline-switch]').check()
      await typeBehind(page, line, ' So it is.')
      await pause(AWAY_MS)
      await page.locator('[data-testid=offline-switch]').uncheck()
      return page.locator('[data-testid=returned]').innerText()
    }
    expect(await away('Who talks')).toContain('Nobody had changed the same place.')
    await page.unroute('**/conflicts?**')
    await page.route('**/conflicts?**', (route) => route.abort())
    expect(await away('Ada writes')).toContain('could not be found out')
    await page.context().close()
  })

  it('[LOCK-1] [DEMO-2] "write from outside" says that a lock refuses it, before and afterwards', async () => {
    await createText(stage, 'outside')
    const { page, troubles } = await stage.person(ADA, 'outside')
    await page.locator('[data-testid=outside-open]').click()
    await page.locator('[data-testid=outside-write]').waitFor()
    const fate = page.locator('.steps li', { hasText: 'Write on version 1' })
    expect(await fate.innerText()).toContain('this succeeds')
    await stage.does(BEN, 'POST', '/documents/outside/lock', { ttlSeconds: 60 })
    await page.locator('.steps li', { hasText: 'As long as the document is locked, it is refused with 423.' }).waitFor()
    await page.locator('[data-testid=outside-send]').click()
    await page.locator('[data-testid=outside-answer][data-status="423"]', { hasText: 'is locked' }).waitFor()
    expect(troubles.errors).toEqual([])
  })

  it('[DEMO-8] [CONF-4] the page of a conflict says that its document was deleted, offers only to bring that back, and keeps words that were not sent', async () => {
    const conflict = await refusedWrite(stage, 'ended')
    const page = await showConflict(stage, ADA, 'ended', conflict)
    await page.locator('[data-testid=pick-own]').first().check()
    await page.locator('[data-testid=own-text]').fill('We ship when it is ready.')
    await stage.does(ADA, 'DELETE', '/documents/ended?baseVersion=2')
    const view = page.locator('[data-testid=conflict-view]')
    await view.locator('[data-testid=deleted]', { hasText: 'You deleted it' }).waitFor()
    expect(await page.locator('[data-testid=apply], [data-testid=ways], [data-testid=overlap] input').count()).toBe(0)
    await page.locator('[data-testid=unsent]', { hasText: 'We ship when it is ready.' }).waitFor()
    await view.locator('[data-testid=revive]').click()
    await view.locator('[data-testid=deleted]').waitFor({ state: 'detached' })
    // Its conflicts do not come back with it.
    await page.locator('[data-testid=outcome][data-status=expired]').waitFor()
    expect(await page.locator('[data-testid=apply]').count()).toBe(0)
    await page.context().close()
  })

  it('an address that changes while the first screen is drawn is the screen that shows', async () => {
    await createText(stage, 'quick')
    const { page, troubles } = await stage.signIn(ADA)
    await page.addInitScript({ content: HURRY })
    await page.reload()
    await page.locator('[data-testid=connection][data-phase=live]').waitFor()
    expect(troubles.errors).toEqual([])
  })

  it('[DEMO-4] where no document is open no button opens its list of conflicts', async () => {
    const { page } = await stage.signIn(ADA, NARROW)
    await page.goto(`${stage.url}/demo/#/documents/nowhere`)
    await page.locator('[data-testid=document-absent]').waitFor()
    expect(await page.locator('[data-testid=panel-open]').count()).toBe(0)
    await createText(stage, 'over')
    await stage.does(ADA, 'DELETE', '/documents/over?baseVersion=1')
    await page.goto(`${stage.url}/demo/#/documents/over`)
    await page.locator('[data-testid=deleted]').waitFor()
    expect(await page.locator('[data-testid=panel-open]').count()).toBe(0)
  })
})
