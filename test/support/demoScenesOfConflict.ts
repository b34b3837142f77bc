import {
  ADA,
  BEN,
  ROBOT,
  PAUL,
  READER,
  PLAN,
  TOUR,
  TOUR_SCHEMA,
  createText,
  createJson,
  refusedWrite,
  showConflict,
  resolved,
  offlineMerge,
  type DemoScene,
} from './demoSceneActs.ts'
import { StockClient } from './stockClient.ts'

/** A conflict that is looked at, decided, and closed. */
export const SCENES_OF_CONFLICT: readonly DemoScene[] = [
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
