import { setTimeout as pause } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import type { DemoStage, Role } from './demoStage.ts'
import { StockClient } from './stockClient.ts'

/** A screen of the demo in one state, as a person comes to it. */
export interface DemoScene {
  readonly name: string
  /** Leaves the page in that state; nothing moves any more. */
  readonly arrange: (stage: DemoStage) => Promise<Page>
}

const ADA: Role = { name: 'Ada' }
const BEN: Role = { name: 'Ben' }
const ROBOT: Role = { name: 'Robot' }
const PAUL: Role = { name: 'Paul', access: { '*': ['read', 'write'] } }
const READER: Role = { name: 'Rita', access: { '*': ['read'] } }

const PLAN = `# Spring release

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
const TOUR = {
  title: 'North tour',
  seats: 42,
  stops: ['Oslo', 'Bergen', 'Bodø'],
  guide: { name: 'Ingrid', phone: '555-0134' },
}
const TOUR_SCHEMA = { type: 'object', properties: { seats: { type: 'number' }, title: { type: 'string' } } }
/** Longer than what the stage takes for an absence that is not worth judging. */
const AWAY_MS = 700

const createText = (stage: DemoStage, id: string): Promise<unknown> =>
  stage.does(ADA, 'POST', '/documents', { id, kind: 'text', content: PLAN })
const createJson = (stage: DemoStage, id: string, schema?: object): Promise<unknown> =>
  stage.does(ADA, 'POST', '/documents', {
    id,
    kind: 'json',
    content: TOUR,
    ...(schema === undefined ? {} : { schema }),
  })

/** Ben moved the date and the week; a program wrote on the version before. Answers the id of the conflict. */
async function refusedWrite(stage: DemoStage, id: string): Promise<string> {
  await createText(stage, id)
  const moved = PLAN.replace('on Tuesday', 'on Thursday').replace('one more week', 'two more weeks')
  await stage.does(BEN, 'PUT', `/documents/${id}`, { content: moved, baseVersion: 1 })
  const wanted = PLAN.replace('on Tuesday', 'on Wednesday')
    .replace('one more week', 'three more weeks')
    .replace('price list', 'price list and the terms')
  return stage.refused(ROBOT, id, { content: wanted, baseVersion: 1 })
}

async function showConflict(stage: DemoStage, role: Role, id: string, conflict: string): Promise<Page> {
  const { page } = await stage.person(role, id)
  await page.goto(`${stage.url}/demo/#/documents/${id}/conflicts/${conflict}`)
  await page.locator('[data-testid=conflict-view][data-status]').waitFor()
  await page.locator('[data-testid=overlap], [data-testid=clean], [data-testid=violations]').first().waitFor()
  return page
}

async function resolved(stage: DemoStage, id: string): Promise<Page> {
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

/** Two write one line, one of them hung up. */
async function offlineMerge(stage: DemoStage, id: string): Promise<Page> {
  await createText(stage, id)
  const [ada, ben] = [await stage.person(ADA, id), await stage.person(BEN, id)]
  const write = async (page: Page, typed: string): Promise<void> => {
    await page.locator('[data-testid=editor-content] .cm-line', { hasText: 'We ship on' }).click()
    await page.keyboard.press('End')
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

export const SCENES: readonly DemoScene[] = [
  {
    name: 'sign-in',
    async arrange(stage) {
      const { page } = await stage.browser.person()
      await page.goto(`${stage.url}/demo/`)
      await page.locator('[data-testid=token-input]').waitFor()
      return page
    },
  },
  {
    name: 'list-empty',
    async arrange(stage) {
      const { page } = await stage.signIn({ name: 'Nora', access: { 'nora:*': ['read', 'write'] } })
      await page.locator('[data-testid=empty-state]').waitFor()
      return page
    },
  },
  {
    name: 'list',
    async arrange(stage) {
      await refusedWrite(stage, 'list:release')
      await createText(stage, 'list:minutes')
      await createJson(stage, 'list:tour')
      const { page } = await stage.signIn({ name: 'Ada', access: { 'list:*': ['read', 'write', 'resolve'] } })
      await page.locator('[data-testid=document-row]').nth(2).waitFor()
      return page
    },
  },
  {
    name: 'text',
    async arrange(stage) {
      await createText(stage, 'text')
      const ben = await stage.person(BEN, 'text')
      const { page } = await stage.person(ADA, 'text')
      await ben.page.locator('[data-testid=editor-content] .cm-line', { hasText: 'Ada writes' }).click()
      await page.locator('.remote-caret').waitFor()
      return page
    },
  },
  {
    name: 'text-with-conflict',
    async arrange(stage) {
      await createText(stage, 'release')
      const { page } = await stage.person(ADA, 'release')
      await page.locator('[data-testid=editor-content] .cm-line', { hasText: 'We ship on' }).click()
      await page.keyboard.press('End')
      await page.keyboard.type(' All of it.')
      await page.locator('[data-testid=save-state][data-state=saved]').waitFor()
      await stage.refused(ROBOT, 'release', { content: PLAN.replace('Tuesday', 'Wednesday'), baseVersion: 1 })
      await page.locator('[data-testid=notice]').waitFor()
      await page.locator('[data-testid=editor] .mark-conflict').waitFor()
      return page
    },
  },
  {
    name: 'text-offline',
    async arrange(stage) {
      await createText(stage, 'train')
      const { page } = await stage.person(ADA, 'train')
      await page.locator('[data-testid=offline-switch]').check()
      await page.locator('[data-testid=editor-content] .cm-line', { hasText: 'Who talks' }).click()
      await page.keyboard.press('End')
      await page.keyboard.type(' Ben does.')
      await page.locator('[data-testid=unsaved]').waitFor()
      return page
    },
  },
  { name: 'text-merged-offline', arrange: (stage) => offlineMerge(stage, 'merged') },
  {
    name: 'text-locked',
    async arrange(stage) {
      await createText(stage, 'locked')
      await stage.does(BEN, 'POST', '/documents/locked/lock', { ttlSeconds: 3000 })
      const { page } = await stage.person(ADA, 'locked')
      await page.locator('[data-testid=barred]').waitFor()
      return page
    },
  },
  {
    name: 'text-read-only',
    async arrange(stage) {
      await createText(stage, 'minutes')
      const { page } = await stage.person(READER, 'minutes')
      await page.locator('[data-testid=read-only]').waitFor()
      return page
    },
  },
  {
    name: 'absent',
    async arrange(stage) {
      const { page } = await stage.signIn(ADA)
      await page.goto(`${stage.url}/demo/#/documents/nowhere`)
      await page.locator('[data-testid=document-absent]').waitFor()
      return page
    },
  },
  {
    name: 'outside',
    async arrange(stage) {
      await createText(stage, 'outside')
      const { page } = await stage.person(ADA, 'outside')
      await page.locator('[data-testid=outside-open]').click()
      await page.locator('[data-testid=outside-write]').waitFor()
      return page
    },
  },
  {
    name: 'json',
    async arrange(stage) {
      await createJson(stage, 'tour')
      await stage.does(BEN, 'PUT', '/documents/tour', { content: { ...TOUR, seats: 40 }, baseVersion: 1 })
      await stage.refused(ROBOT, 'tour', { content: { ...TOUR, seats: 45 }, baseVersion: 1 })
      const { page } = await stage.person(ADA, 'tour')
      await page.locator('[data-testid=editor] .mark-conflict').waitFor()
      return page
    },
  },
  {
    name: 'json-schema',
    async arrange(stage) {
      await createJson(stage, 'bus', TOUR_SCHEMA)
      const { page } = await stage.person(ADA, 'bus')
      await page.locator('[data-testid=editor-content]').click()
      await page.keyboard.press('ControlOrMeta+A')
      await page.keyboard.insertText(JSON.stringify({ ...TOUR, seats: 'many', title: 7 }, null, 2))
      await page.locator('[data-testid=json-save]').click()
      await page.locator('[data-testid=editor] .mark-violation').first().waitFor()
      return page
    },
  },
  {
    name: 'json-syntax',
    async arrange(stage) {
      await createJson(stage, 'typo')
      const { page } = await stage.person(ADA, 'typo')
      await page.locator('[data-testid=editor-content] .cm-line', { hasText: 'Bergen' }).click()
      await page.keyboard.press('End')
      await page.keyboard.type(' "Ålesund"')
      await page.locator('[data-testid=json-note].field-problem').waitFor()
      return page
    },
  },
  {
    name: 'conflict',
    async arrange(stage) {
      const page = await showConflict(stage, ADA, 'spring-release', await refusedWrite(stage, 'spring-release'))
      await page.locator('[data-testid=pick-incoming]').first().check()
      return page
    },
  },
  {
    name: 'conflict-ready',
    async arrange(stage) {
      const page = await showConflict(stage, ADA, 'ready', await refusedWrite(stage, 'ready'))
      await page.locator('[data-testid=pick-incoming]').first().check()
      await page.locator('[data-testid=pick-current]').last().check()
      await page.locator('#result').evaluate((result) => result.scrollIntoView())
      return page
    },
  },
  {
    name: 'conflict-take-incoming',
    async arrange(stage) {
      const page = await showConflict(stage, ADA, 'taken', await refusedWrite(stage, 'taken'))
      await page.locator('[data-testid=way-incoming]').check()
      await page.locator('[data-testid=result-content]', { hasText: 'Wednesday' }).waitFor()
      return page
    },
  },
  {
    name: 'conflict-by-hand',
    async arrange(stage) {
      const page = await showConflict(stage, ADA, 'hand', await refusedWrite(stage, 'hand'))
      await page.locator('[data-testid=pick-own]').first().check()
      await page.locator('[data-testid=own-text]').first().fill('We ship when it is ready.')
      await page.locator('[data-testid=way-hand]').check()
      await page.locator('[data-testid=result-content]').waitFor()
      return page
    },
  },
  {
    name: 'conflict-clean',
    async arrange(stage) {
      await createText(stage, 'clean')
      const moved = { content: PLAN.replace('Tuesday', 'Thursday'), baseVersion: 1 }
      await stage.does(BEN, 'PUT', '/documents/clean', moved)
      const wanted = { content: PLAN.replace('the press?', 'the press, and when?'), baseVersion: 1 }
      return showConflict(stage, ADA, 'clean', await stage.refused(ROBOT, 'clean', wanted))
    },
  },
  {
    name: 'conflict-json',
    async arrange(stage) {
      await createJson(stage, 'north')
      const [theirs, wanted] = [
        { ...TOUR, seats: 40, guide: { ...TOUR.guide, name: 'Sven' } },
        { ...TOUR, seats: 45, guide: { ...TOUR.guide, name: 'Astrid' } },
      ]
      await stage.does(BEN, 'PUT', '/documents/north', { content: theirs, baseVersion: 1 })
      return showConflict(stage, ADA, 'north', await stage.refused(ROBOT, 'north', { content: wanted, baseVersion: 1 }))
    },
  },
  {
    name: 'conflict-offline',
    async arrange(stage) {
      const page = await offlineMerge(stage, 'woven')
      await page.locator('[data-testid=conflict-item]').click()
      await page.locator('[data-testid=merged]').waitFor()
      return page
    },
  },
  {
    name: 'conflict-invalid',
    async arrange(stage) {
      await createJson(stage, 'broken', TOUR_SCHEMA)
      const editor = await new StockClient(`${stage.url.replace('http', 'ws')}/sync`, 'broken', {
        token: await stage.token(BEN),
      }).synced()
      const { page } = await stage.person(ADA, 'broken')
      editor.map.set('seats', 'many')
      await page.locator('[data-testid=conflict-item]').click()
      await page.locator('[data-testid=violations]').waitFor()
      editor.destroy()
      return page
    },
  },
  {
    name: 'conflict-proposal',
    async arrange(stage) {
      const conflict = await refusedWrite(stage, 'proposed')
      await stage.does(PAUL, 'POST', '/resolve-conflict', {
        conflictId: conflict,
        baseVersion: 2,
        use: 'choices',
        choices: { L3: 'incoming', L5: { text: 'The beta stays open until summer.' } },
        comment: 'Support would rather have Wednesday',
      })
      const page = await showConflict(stage, ADA, 'proposed', conflict)
      await page.locator('[data-testid=proposal-diff] .cm-line').first().waitFor()
      return page
    },
  },
  {
    name: 'conflict-read-only',
    async arrange(stage) {
      return showConflict(stage, READER, 'looked', await refusedWrite(stage, 'looked'))
    },
  },
  { name: 'conflict-resolved', arrange: (stage) => resolved(stage, 'resolved') },
  {
    name: 'conflict-undo',
    async arrange(stage) {
      const page = await resolved(stage, 'undone')
      await page.locator('[data-testid=undo-look]').click()
      await page.locator('[data-testid=undo-diff]').waitFor()
      return page
    },
  },
  {
    name: 'deleted',
    async arrange(stage) {
      await createText(stage, 'gone')
      const { page } = await stage.person(ADA, 'gone')
      await stage.does(ADA, 'DELETE', '/documents/gone?baseVersion=1')
      await page.locator('[data-testid=deleted]').first().waitFor()
      return page
    },
  },
  {
    name: 'closed-conflicts',
    async arrange(stage) {
      const page = await resolved(stage, 'closed')
      await page.setViewportSize({ width: 390, height: 780 })
      await page.locator('[data-testid=panel-open]').click()
      await page.locator('[data-testid=closed] summary').click()
      await page.locator('[data-testid=closed-item]').waitFor()
      return page
    },
  },
  {
    name: 'conflict-dismissed',
    async arrange(stage) {
      const page = await showConflict(stage, ADA, 'dismissed', await refusedWrite(stage, 'dismissed'))
      await page.locator('[data-testid=way-dismiss]').check()
      await page.locator('[data-testid=apply]').click()
      await page.locator('[data-testid=outcome]').waitFor()
      return page
    },
  },
]
