import type { Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DemoStage } from '../support/demoStage.ts'
import { StockClient } from '../support/stockClient.ts'

const ADA = { name: 'Ada' }
const LINES = Array.from({ length: 60 }, (_, index) => `Line ${index + 1} of the list`)
const BEFORE = LINES.join('\n')
/** A conflict over broken content comes two seconds after it broke. */

/** People in real browsers who see in the text where a conflict is, and news that lie upon nothing. */
describe('the demo, where a conflict is', () => {
  let stage: DemoStage
  beforeAll(async () => {
    stage = await DemoStage.start()
  })
  afterAll(() => stage.stop())

  const conflictAtLine = async (id: string, line: number): Promise<string> => {
    const was = `Line ${line} of the list`
    await stage.does(ADA, 'PUT', `/documents/${id}`, { content: BEFORE.replace(was, `${was}, by Ada`), baseVersion: 1 })
    return stage.refused({ name: 'Robot' }, id, { content: BEFORE.replace(was, `${was}, by Robot`), baseVersion: 1 })
  }
  const createText = (id: string): Promise<unknown> =>
    stage.does(ADA, 'POST', '/documents', { id, kind: 'text', content: BEFORE })
  const markIn = (page: Page): Locator => page.locator('[data-testid=editor] .mark-conflict')

  it('[DEMO-14] both see it underlined in the text, it moves with what is written, leads to its page, and goes with the conflict', async () => {
    await createText('marked')
    const [ada, ben] = [await stage.person(ADA, 'marked'), await stage.person({ name: 'Ben' }, 'marked')]
    const conflict = await conflictAtLine('marked', 3)
    for (const { page } of [ada, ben]) await markIn(page).filter({ hasText: 'Line 3 of the list, by Ada' }).waitFor()
    await ada.page.locator('[data-testid=editor-content] .cm-line').first().click()
    await ada.page.keyboard.press('Home')
    await ada.page.keyboard.type('A line above\n')
    await ben.page.locator('.cm-line', { hasText: 'A line above' }).waitFor()
    for (const { page } of [ada, ben])
      expect(await markIn(page).allInnerTexts()).toEqual(['Line 3 of the list, by Ada'])
    // Somebody who comes later finds it where it is by now.
    const eve = await stage.person({ name: 'Eve' }, 'marked')
    await markIn(eve.page).filter({ hasText: 'Line 3 of the list, by Ada' }).waitFor()

    await ben.page.locator('[data-testid=editor] .mark-sign').click()
    await ben.page.locator(`[data-testid=conflict-view][data-id=${conflict}]`).waitFor()
    await ben.page.locator('[data-testid=way-incoming]').check()
    await ben.page.locator('[data-testid=apply]').click()
    for (const { page } of [ada, eve]) {
      await page.locator('.cm-line', { hasText: 'Line 3 of the list, by Robot' }).waitFor()
      await expect.poll(() => markIn(page).count()).toBe(0)
    }
    expect([...ada.troubles.errors, ...ben.troubles.errors, ...eve.troubles.errors]).toEqual([])
  })

  it('[DEMO-14] in a json document as well, at its member; and where content breaks its schema', async () => {
    const schema = { type: 'object', properties: { seats: { type: 'number' } } }
    const content = { title: 'Tour', seats: 4, stops: ['Rome', 'Oslo'] }
    await stage.does(ADA, 'POST', '/documents', { id: 'tour', kind: 'json', content, schema })
    const { page, troubles } = await stage.person(ADA, 'tour')
    await stage.does(ADA, 'PUT', '/documents/tour', { content: { ...content, title: 'The tour' }, baseVersion: 1 })
    await stage.refused({ name: 'Robot' }, 'tour', { content: { ...content, title: 'A tour' }, baseVersion: 1 })
    await markIn(page).filter({ hasText: '"title": "The tour"' }).waitFor()

    const token = await stage.token({ name: 'Paul' })
    const editor = await new StockClient(`${stage.url.replace('http', 'ws')}/sync`, 'tour', { token }).synced()
    editor.map.set('seats', 'four')
    await markIn(page).filter({ hasText: '"seats": "four"' }).waitFor()
    editor.destroy()
    await page.locator('[data-testid=editor] .mark-sign').first().click()
    await page.getByRole('heading', { name: 'Content that breaks the schema' }).waitFor()
    expect(troubles.errors).toEqual([])
  })

  it('[DEMO-14] what a schema does not allow is marked at its place and listed, each leading there; nothing is written', async () => {
    const schema = { type: 'object', properties: { seats: { type: 'number' }, title: { type: 'string' } } }
    await stage.does(ADA, 'POST', '/documents', {
      id: 'bus',
      kind: 'json',
      content: { seats: 4, title: 'Bus' },
      schema,
    })
    const { page, troubles } = await stage.person(ADA, 'bus')
    await page.locator('[data-testid=editor-content]').click()
    await page.keyboard.press('ControlOrMeta+A')
    await page.keyboard.insertText('{\n  "seats": "four",\n  "title": 5\n}')
    await page.locator('[data-testid=json-save]').click()
    await page.locator('[data-testid=json-violations]', { hasText: '/seats must be number' }).waitFor()
    const marks = page.locator('[data-testid=editor] .mark-violation')
    await expect.poll(() => marks.allInnerTexts()).toEqual(['"seats": "four"', '"title": 5'])
    expect(await page.locator('[data-testid=notice]').count()).toBe(0)
    expect(await stage.contentOf('bus')).toBe('{"seats":4,"title":"Bus"}')
    await page.getByRole('button', { name: '/title must be string' }).click()
    await page.keyboard.insertText('"title": "Coach"')
    await page.getByRole('button', { name: '/seats must be number' }).click()
    await page.keyboard.insertText('"seats": 50')
    await page.locator('[data-testid=json-save]').click()
    await page.locator('[data-testid=json-bar][data-status=clean]').waitFor()
    expect(await marks.count()).toBe(0)
    expect(await stage.contentOf('bus')).toBe('{"seats":50,"title":"Coach"}')
    expect(troubles.errors).toEqual([])
  })

  it.each([
    ['wide', { width: 1440, height: 700 }],
    ['narrow', { width: 390, height: 740 }],
  ])(
    '[DEMO-15] on a %s screen news cover neither the line they speak of nor the list, and the line being typed stays in view',
    async (name, viewport) => {
      const id = `news-${name}`
      await createText(id)
      const { page, troubles } = await stage.person(ADA, id, { viewport })
      await page.locator('[data-testid=editor-content]').click()
      await page.keyboard.press('ControlOrMeta+End')
      await page.keyboard.type(' and its end')
      await page.locator('[data-testid=save-state][data-state=saved]').waitFor()
      await stage.refused({ name: 'Robot' }, id, { content: `${BEFORE}, by Robot`, baseVersion: 1 })
      const notice = page.locator('[data-testid=notice]')
      await notice.waitFor()
      await markIn(page).first().waitFor()
      const line = page.locator('.cm-line', { hasText: 'and its end' })
      const visible = await page.locator('[data-testid=editor] .cm-scroller').boundingBox()
      const box = await line.boundingBox()
      expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThanOrEqual((visible?.y ?? 0) + (visible?.height ?? 0) + 1)
      for (const other of [line, page.locator('[data-testid=conflict-item]')]) {
        if ((await other.count()) > 0) expect(await overlap(notice, other.first())).toBe(false)
      }
      expect(troubles.errors).toEqual([])
    },
  )

  it('[DEMO-15] news of one document never show up at another, however late they come', async () => {
    for (const id of ['here', 'there']) await createText(id)
    const { page, troubles } = await stage.person(ADA, 'here')
    await conflictAtLine('here', 5)
    await page.locator('[data-testid=notice]').waitFor()
    // The answer that another notice waits for comes when the person is elsewhere already.
    let goOn = (): void => {}
    const isElsewhere = new Promise<void>((resolve) => (goOn = resolve))
    await page.route('**/conflicts/cfl_*', async (route) => {
      await isElsewhere
      await route.continue()
    })
    const asked = page.waitForRequest('**/conflicts/cfl_*')
    await stage.refused({ name: 'Eve' }, 'here', {
      content: `${BEFORE}!`.replace('Line 5', 'Line five'),
      baseVersion: 1,
    })
    await asked
    await stage.open(page, 'there')
    expect(await page.locator('[data-testid=notice]').count()).toBe(0)
    const answered = page.waitForResponse('**/conflicts/cfl_*')
    goOn()
    await answered
    await page.locator('[data-testid=editor-content]').click()
    await page.keyboard.type('on')
    await page.locator('[data-testid=save-state][data-state=saved]').waitFor()
    expect(await page.locator('[data-testid=notice]').count()).toBe(0)
    expect(troubles.errors).toEqual([])
  })
})

async function overlap(one: Locator, other: Locator): Promise<boolean> {
  const [a, b] = [await one.boundingBox(), await other.boundingBox()]
  if (a === null || b === null) return false
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
}
