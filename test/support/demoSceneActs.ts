import { setTimeout as pause } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import type { DemoStage, Role } from './demoStage.ts'

/** A screen of the demo in one state, as a person comes to it. */
export interface DemoScene {
  readonly name: string
  /** Leaves the page in that state; nothing moves any more. */
  readonly arrange: (stage: DemoStage) => Promise<Page>
}

export const ADA: Role = { name: 'Ada' }
export const BEN: Role = { name: 'Ben' }
export const ROBOT: Role = { name: 'Robot' }
export const PAUL: Role = { name: 'Paul', access: { '*': ['read', 'write'] } }
export const READER: Role = { name: 'Rita', access: { '*': ['read'] } }

export const PLAN = `# Spring release

We ship on Tuesday, after the review.
Ada writes the announcement.
The beta stays open for one more week.

## Before that

- Update the price list
- Ask support to read the notes
- Close the old sign-up page

## Open questions

Who talks to the press?
`
export const TOUR = {
  title: 'North tour',
  seats: 42,
  stops: ['Oslo', 'Bergen', 'Bodø'],
  guide: { name: 'Ingrid', phone: '555-0134' },
}
export const TOUR_SCHEMA = { type: 'object', properties: { seats: { type: 'number' }, title: { type: 'string' } } }
/** Longer than what the stage takes for an absence that is not worth judging. */
const AWAY_MS = 700

export const createText = (stage: DemoStage, id: string): Promise<unknown> =>
  stage.does(ADA, 'POST', '/documents', { id, kind: 'text', content: PLAN })
export const createJson = (stage: DemoStage, id: string, schema?: object): Promise<unknown> =>
  stage.does(ADA, 'POST', '/documents', {
    id,
    kind: 'json',
    content: TOUR,
    ...(schema === undefined ? {} : { schema }),
  })

/** Ben moved the date and the week; a program wrote on the version before. Answers the id of the conflict. */
export async function refusedWrite(stage: DemoStage, id: string): Promise<string> {
  await createText(stage, id)
  const moved = PLAN.replace('on Tuesday', 'on Thursday').replace('one more week', 'two more weeks')
  await stage.does(BEN, 'PUT', `/documents/${id}`, { content: moved, baseVersion: 1 })
  const wanted = PLAN.replace('on Tuesday', 'on Wednesday')
    .replace('one more week', 'three more weeks')
    .replace('price list', 'price list and the terms')
  return stage.refused(ROBOT, id, { content: wanted, baseVersion: 1 })
}

export async function showConflict(stage: DemoStage, role: Role, id: string, conflict: string): Promise<Page> {
  const { page } = await stage.person(role, id)
  await page.goto(`${stage.url}/demo/#/documents/${id}/conflicts/${conflict}`)
  await page.locator('[data-testid=conflict-view][data-status]').waitFor()
  await page.locator('[data-testid=overlap], [data-testid=clean], [data-testid=violations]').first().waitFor()
  return page
}

export async function resolved(stage: DemoStage, id: string): Promise<Page> {
  const conflict = await refusedWrite(stage, id)
  const page = await showConflict(stage, ADA, id, conflict)
  await page.locator('[data-testid=pick-incoming]').first().check()
  await page.locator('[data-testid=pick-own]').last().check()
  await page.locator('[data-testid=own-text]').fill('The beta stays open until the press has answered.')
  await page.locator('[data-testid=comment]').fill('Wednesday is what support asked for')
  await page.locator('[data-testid=apply]').click()
  await page.locator('[data-testid=made]').waitFor()
  return page
}

async function caretBehind(page: Page, line: string): Promise<void> {
  await page.locator('[data-testid=editor-content] .cm-line', { hasText: line }).click()
  await page.keyboard.press('End')
}

/** At the end of the line that holds this. */
export async function typeBehind(page: Page, line: string, typed: string): Promise<void> {
  await caretBehind(page, line)
  await page.keyboard.type(typed)
}

/** Two write one line, one of them hung up. */
export async function offlineMerge(stage: DemoStage, id: string): Promise<Page> {
  await createText(stage, id)
  const [ada, ben] = [await stage.person(ADA, id), await stage.person(BEN, id)]
  const write = async (page: Page, typed: string): Promise<void> => {
    await caretBehind(page, 'We ship on')
    for (const _ of 'Tuesday, after the review.') await page.keyboard.press('Backspace')
    await page.keyboard.type(typed)
  }
  await ada.page.locator('[data-testid=offline-switch]').check()
  await pause(AWAY_MS)
  await write(ada.page, 'Friday, after the holidays.')
  await write(ben.page, 'Monday, whatever happens.')
  await ben.page.locator('[data-testid=save-state][data-state=saved]').waitFor()
  await pause(AWAY_MS)
  await ada.page.locator('[data-testid=offline-switch]').uncheck()
  await ada.page.locator('[data-testid=returned][data-met=true]').waitFor()
  await ada.page.locator('[data-testid=conflict-item]').waitFor()
  await ada.page.locator('[data-testid=editor] .mark-conflict').waitFor()
  await ben.context.close()
  return ada.page
}
