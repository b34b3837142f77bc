import {
  ADA,
  BEN,
  ROBOT,
  READER,
  PLAN,
  TOUR,
  TOUR_SCHEMA,
  createText,
  createJson,
  refusedWrite,
  offlineMerge,
  typeBehind,
  type DemoScene,
} from './demoSceneActs.ts'

/** The screens of the demo before there is a conflict to decide. */
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
      await typeBehind(page, 'We ship on', ' All of it.')
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
      await typeBehind(page, 'Who talks', ' Ben does.')
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
      await typeBehind(page, 'Bergen', ' "Ålesund"')
      await page.locator('[data-testid=json-note].field-problem').waitFor()
      return page
    },
  },
  {
    name: 'deleted-by-another',
    async arrange(stage) {
      await createText(stage, 'gone')
      const { page } = await stage.person(ADA, 'gone')
      await stage.does(BEN, 'DELETE', '/documents/gone?baseVersion=1')
      await page.locator('[data-testid=deleted]').first().waitFor()
      return page
    },
  },
]
