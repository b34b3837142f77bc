import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DemoStage } from '../support/demoStage.ts'

const ADA = { name: 'Ada' }
const BEFORE = '# Trip\nWe leave on Monday\nBring water\nCall Ada\nPay the hut\nLock the door\n'
const day = (name: string): string => BEFORE.replace('Monday', name)

/** People in real browsers who resolve conflicts, look at what came of it, and take it back. */
describe('the demo, after a resolution', () => {
  let stage: DemoStage
  beforeAll(async () => {
    stage = await DemoStage.start()
  })
  afterAll(() => stage.stop())

  const conflictIn = async (id: string): Promise<string> => {
    await stage.does(ADA, 'POST', '/documents', { id, kind: 'text', content: BEFORE })
    await stage.does(ADA, 'PUT', `/documents/${id}`, { content: day('Tuesday'), baseVersion: 1 })
    return stage.refused({ name: 'Robot' }, id, { content: day('Friday'), baseVersion: 1 })
  }
  const show = (page: Page, id: string, conflict: string): Promise<unknown> =>
    page.goto(`${stage.url}/demo/#/documents/${id}/conflicts/${conflict}`)

  it('[DEMO-11] [DEMO-12] [RES-7] each way is shown before it is done; then both see what was chosen and what came of it', async () => {
    const conflict = await conflictIn('ways')
    const [ada, ben] = [await stage.person(ADA, 'ways'), await stage.person({ name: 'Ben' }, 'ways')]
    for (const { page } of [ada, ben]) await show(page, 'ways', conflict)
    const { page } = ada
    await page.locator('[data-testid=way-current]').check()
    await page.locator('[data-testid=result-same]', { hasText: 'Incoming is not taken' }).waitFor()
    await page.locator('[data-testid=way-dismiss]').check()
    await page.locator('[data-testid=result-same]', { hasText: 'without a decision' }).waitFor()
    expect(await page.locator('[data-testid=apply].primary').count()).toBe(0)
    await page.locator('[data-testid=way-incoming]').check()
    await page.locator('[data-testid=result-content]', { hasText: 'We leave on Friday' }).waitFor()
    expect(await stage.contentOf('ways')).toBe(day('Tuesday'))

    await page.locator('[data-testid=pick-incoming]').check()
    await page.locator('[data-testid=comment]').fill('The train goes then')
    await page.locator('[data-testid=apply]', { hasText: 'Apply choices' }).click()
    for (const { page } of [ada, ben]) {
      await page.locator('[data-testid=outcome]', { hasText: 'The train goes then' }).waitFor()
      await page.locator('[data-testid=chosen][data-chosen=incoming]').waitFor()
      await page.locator('[data-testid=made] .cm-line', { hasText: 'We leave on Friday' }).waitFor()
      await page.locator('[data-testid=made] .cm-deletedChunk', { hasText: 'We leave on Monday' }).waitFor()
    }
    expect([...ada.troubles.errors, ...ben.troubles.errors]).toEqual([])
  })

  it('[DEMO-12] a resolution is undone: what stood before comes back, and what others wrote elsewhere stays', async () => {
    const conflict = await conflictIn('undo')
    const { page, troubles } = await stage.person(ADA, 'undo')
    await show(page, 'undo', conflict)
    await page.locator('[data-testid=way-incoming]').check()
    await page.locator('[data-testid=apply]').click()
    await page.locator('[data-testid=made]').waitFor()
    await stage.does({ name: 'Ben' }, 'PUT', '/documents/undo', {
      content: day('Friday').replace('Lock the door', 'Lock both doors'),
      baseVersion: 3,
    })
    await page.locator('[data-testid=undo-look]').click()
    await page.locator('[data-testid=undo-diff] .cm-line', { hasText: 'We leave on Tuesday' }).waitFor()
    expect(await stage.contentOf('undo')).toContain('Friday')
    await page.locator('[data-testid=undo-do]').click()
    await page.locator('[data-testid=done][data-outcome=written]').waitFor()
    expect(await stage.contentOf('undo')).toBe(day('Tuesday').replace('Lock the door', 'Lock both doors'))
    expect(troubles.errors).toEqual([])
  })

  it('[DEMO-12] undoing overwrites nobody: where others wrote in the same place since, a conflict opens', async () => {
    const conflict = await conflictIn('undone')
    const { page, troubles } = await stage.person(ADA, 'undone')
    await show(page, 'undone', conflict)
    await page.locator('[data-testid=way-incoming]').check()
    await page.locator('[data-testid=apply]').click()
    await page.locator('[data-testid=made]').waitFor()
    await stage.does({ name: 'Ben' }, 'PUT', '/documents/undone', { content: day('Sunday'), baseVersion: 3 })
    await page.locator('[data-testid=undo-look]').click()
    await page.locator('[data-testid=undo]', { hasText: 'Nothing of theirs is overwritten' }).waitFor()
    await page.locator('[data-testid=undo-do]').click()
    await page.locator('[data-testid=done-conflict]').click()
    await page.locator('.side-current', { hasText: 'We leave on Sunday' }).waitFor()
    await page.locator('.side-incoming', { hasText: 'We leave on Tuesday' }).waitFor()
    expect(await stage.contentOf('undone')).toBe(day('Sunday'))
    expect(troubles.errors).toEqual([])
  })

  it('[DEMO-12] what was dismissed is found among the closed conflicts, and opened again', async () => {
    const conflict = await conflictIn('again')
    const { page, troubles } = await stage.person(ADA, 'again')
    await show(page, 'again', conflict)
    await page.locator('[data-testid=way-dismiss]').check()
    await page.locator('[data-testid=apply]').click()
    await page.locator('[data-testid=outcome][data-status=dismissed]').waitFor()
    await page.locator('[data-testid=back]').click()
    await page.locator('[data-testid=closed] summary').click()
    await page.locator('[data-testid=closed-item][data-status=dismissed]', { hasText: 'You dismissed it' }).click()
    await page.locator('[data-testid=reopen]').click()
    await page.locator('[data-testid=done-conflict]').click()
    await page.locator('[data-testid=conflict-view][data-status=open]').waitFor()
    await page.locator('.side-incoming', { hasText: 'We leave on Friday' }).waitFor()
    await page.locator('[data-testid=way-incoming]').check()
    await page.locator('[data-testid=apply]').click()
    await page.locator('[data-testid=made]').waitFor()
    expect(await stage.contentOf('again')).toBe(day('Friday'))
    // Both are found now, the newest first.
    await expect
      .poll(() =>
        page.locator('[data-testid=closed-item]').evaluateAll((all) => all.map((one) => one.dataset['status'])),
      )
      .toEqual(['resolved', 'dismissed'])
    expect(troubles.errors).toEqual([])
  })

  it('[DEMO-13] [RES-6] choices, words and comment survive going back and a reload, and are still there when another was faster', async () => {
    const conflict = await conflictIn('kept')
    const { page, troubles } = await stage.person(ADA, 'kept')
    await show(page, 'kept', conflict)
    await page.locator('[data-testid=pick-own]').check()
    await page.locator('[data-testid=own-text]').fill('We leave when it rains')
    await page.locator('[data-testid=pick-incoming]').check()
    await page.locator('[data-testid=comment]').fill('Until the weather is known')
    await page.locator('[data-testid=back]').click()
    await page.locator('[data-testid=editor]').waitFor()
    await page.goBack()
    await page.locator('[data-testid=pick-incoming]:checked').waitFor()
    await page.reload()
    await page.locator('[data-testid=pick-incoming]:checked').waitFor()
    expect(await page.locator('[data-testid=comment]').inputValue()).toBe('Until the weather is known')
    await page.locator('[data-testid=pick-own]').check()
    expect(await page.locator('[data-testid=own-text]').inputValue()).toBe('We leave when it rains')

    // By hand, over a reload and the other ways.
    await page.locator('[data-testid=way-hand]').check()
    await page.locator('[data-testid=result-content] .cm-line', { hasText: 'Bring water' }).click()
    await page.keyboard.press('End')
    await page.keyboard.type(' and tea')
    await page.reload()
    await page.locator('[data-testid=way-hand]:checked').waitFor()
    await page.locator('[data-testid=result-content] .cm-line', { hasText: 'Bring water and tea' }).waitFor()
    await page.locator('[data-testid=way-current]').check()
    await page.locator('[data-testid=way-hand]').check()
    await page.locator('[data-testid=result-content] .cm-line', { hasText: 'Bring water and tea' }).waitFor()

    await stage.does({ name: 'Ben' }, 'POST', '/resolve-conflict', {
      conflictId: conflict,
      baseVersion: 2,
      use: 'current',
    })
    const unsent = page.locator('[data-testid=unsent]')
    for (const words of ['We leave when it rains', 'Bring water and tea', 'Until the weather is known']) {
      await unsent.locator('.command', { hasText: words }).first().waitFor()
    }
    expect(troubles.errors).toEqual([])
  })
})
