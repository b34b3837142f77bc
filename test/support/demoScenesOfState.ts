import type { Page } from 'playwright-core'
import type { DemoScene } from './demoSceneActs.ts'
import type { DemoStage, Role } from './demoStage.ts'

const ADA: Role = { name: 'Ada' }
const BEN: Role = { name: 'Ben' }

async function open(stage: DemoStage, role: Role, id: string): Promise<Page> {
  const { page } = await stage.person(role, id)
  await page.locator('[data-testid=connection][data-phase=live]').waitFor()
  return page
}

async function written(stage: DemoStage, id: string): Promise<void> {
  await stage.does(ADA, 'POST', '/documents', { id, kind: 'text', content: '# Trip\nWe leave on Monday\n' })
  await stage.does(BEN, 'PUT', `/documents/${id}`, { content: '# Trip\nWe leave on Tuesday\n', baseVersion: 1 })
  await stage.does(ADA, 'PUT', `/documents/${id}`, { content: '# Trip\nWe leave on Tuesday at ten\n', baseVersion: 2 })
}

async function deleted(stage: DemoStage, id: string): Promise<Page> {
  await written(stage, id)
  const page = await open(stage, ADA, id)
  await page.locator('[data-testid=history-open]').click()
  await page.locator('[data-testid=delete-document]').click()
  await page.locator('[data-testid=deleted]').waitFor()
  return page
}

/** What becomes of a document as a whole, and of who sits before it. */
export const SCENES_OF_STATE: readonly DemoScene[] = [
  {
    name: 'own-lock',
    arrange: async (stage) => {
      await written(stage, 'own-lock')
      const page = await open(stage, ADA, 'own-lock')
      await page.locator('[data-testid=lock-acquire]').click()
      await page.locator('[data-testid=lock-state][data-own=true]').waitFor()
      return page
    },
  },
  {
    name: 'history',
    arrange: async (stage) => {
      await written(stage, 'history')
      const page = await open(stage, ADA, 'history')
      await page.locator('[data-testid=history-open]').click()
      await page.locator('[data-testid=version-row][data-version="1"] [data-testid=version-compare]').click()
      await page.locator('[data-testid=version-changes]').waitFor()
      return page
    },
  },
  { name: 'deleted', arrange: (stage) => deleted(stage, 'deleted') },
  {
    name: 'deleted-before',
    arrange: async (stage) => {
      const page = await deleted(stage, 'deleted-before')
      await page.reload()
      await page.locator('[data-testid=deleted]').waitFor()
      return page
    },
  },
  {
    name: 'left-text',
    arrange: async (stage) => {
      await written(stage, 'left-text')
      const page = await open(stage, ADA, 'left-text')
      page.on('dialog', (dialog) => void dialog.accept())
      await page.locator('[data-testid=offline-switch]').check()
      await page.locator('[data-testid=editor-content] .cm-line').first().click()
      await page.keyboard.type('more ')
      const root: Role = { name: 'Root', access: { '*': ['admin'] } }
      await stage.does(root, 'DELETE', '/documents/left-text?purge=true&baseVersion=3')
      await stage.does(ADA, 'POST', '/documents', { id: 'left-text', kind: 'text', content: 'anew\n' })
      await page.reload()
      await page.locator('[data-testid=left-text]').waitFor()
      return page
    },
  },
  {
    name: 'held',
    arrange: async (stage) => {
      await written(stage, 'held')
      const page = await open(stage, BEN, 'held')
      await page.locator('[data-testid=offline-switch]').check()
      await page.locator('[data-testid=editor-content] .cm-line').first().click()
      await page.keyboard.type('more ')
      await page.getByRole('link', { name: 'All documents' }).click()
      await page.locator('[data-testid=held], [data-testid=held-elsewhere]').first().waitFor()
      return page
    },
  },
  {
    name: 'signed-out',
    arrange: async (stage) => {
      await written(stage, 'signed-out')
      const page = await open(stage, { name: 'Zoe' }, 'signed-out')
      await stage.does({ name: 'Root', access: { '*': ['admin'] } }, 'POST', '/revocations', { sub: 'zoe' })
      await page.locator('[data-testid=sign-in][data-why=refused]').waitFor()
      return page
    },
  },
]
