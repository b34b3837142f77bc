import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SCENES } from '../support/demoScenes.ts'
import { SCENES_OF_STATE } from '../support/demoScenesOfState.ts'
import { DemoStage } from '../support/demoStage.ts'

/** Git ignores it: the pictures are there to be looked at after a run. */
const FOLDER = 'screens'
/** Colours make barriers, and so do widths, but not the two together: each is judged once. */
const LOOKS = [
  { scheme: 'light', width: 1440, height: 900, isJudged: true },
  { scheme: 'dark', width: 1440, height: 900, isJudged: false },
  { scheme: 'light', width: 390, height: 780, isJudged: false },
  { scheme: 'dark', width: 390, height: 780, isJudged: true },
] as const

/** Each screen of the demo in each of its states: looked at by axe-core, and its pictures kept for people. */
describe('the screens of the demo', () => {
  let stage: DemoStage
  beforeAll(async () => {
    mkdirSync(FOLDER, { recursive: true })
    stage = await DemoStage.start()
  }, 90_000)
  afterAll(() => stage.stop())

  it.each([...SCENES, ...SCENES_OF_STATE])(
    '[DEMO-17] $name: no barrier that axe-core finds, and nothing wider than the screen, in light and dark, wide and narrow',
    async ({ name, arrange }) => {
      const page = await arrange(stage)
      for (const { scheme, width, height, isJudged } of LOOKS) {
        await page.emulateMedia({ colorScheme: scheme })
        await page.setViewportSize({ width, height })
        await page.screenshot({ path: join(FOLDER, `${name}-${scheme}-${width}.png`), animations: 'disabled' })
        expect(await page.locator('html').evaluate((html) => html.scrollWidth)).toBe(width)
        if (isJudged) {
          expect({ scheme, width, barriers: await barriersOf(page) }).toEqual({ scheme, width, barriers: [] })
        }
      }
      await page.context().close()
    },
    90_000,
  )
})

interface Finding {
  readonly id: string
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[]
}

/** What axe-core finds; its code is evaluated from outside, because the page lets no script in. */
async function barriersOf(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source)
  const violations: readonly Finding[] = await page.evaluate('axe.run().then((results) => results.violations)')
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary = '' }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`),
  )
}
