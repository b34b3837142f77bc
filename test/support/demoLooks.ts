import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DemoScene } from './demoSceneActs.ts'
import { DemoStage } from './demoStage.ts'

/** Where pictures are kept for people to look at, set by `npm run screens`; most of a run's time would go into them. */
const FOLDER = process.env['SCREENS_FOLDER']
/** Colours make barriers, and so do widths, but not the two together: each is judged once. */
const LOOKS = [
  { scheme: 'light', width: 1440, height: 900, isJudged: true },
  { scheme: 'dark', width: 1440, height: 900, isJudged: false },
  { scheme: 'light', width: 390, height: 780, isJudged: false },
  { scheme: 'dark', width: 390, height: 780, isJudged: true },
] as const

/** Each of these screens, looked at by axe-core. */
export function describeLooks(what: string, scenes: readonly DemoScene[]): void {
  describe(what, () => {
    let stage: DemoStage
    beforeAll(async () => {
      if (FOLDER !== undefined) mkdirSync(FOLDER, { recursive: true })
      stage = await DemoStage.start()
    })
    afterAll(() => stage.stop())

    it.each(scenes)(
      '[DEMO-17] $name: no barrier that axe-core finds, and nothing wider than the screen, in light and dark, wide and narrow',
      async ({ name, arrange }) => {
        const page = await arrange(stage)
        // Evaluated from outside, because the page lets no script in.
        await page.evaluate(axe.source)
        for (const { scheme, width, height, isJudged } of LOOKS) {
          await page.emulateMedia({ colorScheme: scheme })
          await page.setViewportSize({ width, height })
          await isDrawn(page)
          if (FOLDER !== undefined) {
            await page.screenshot({ path: join(FOLDER, `${name}-${scheme}-${width}.png`), animations: 'disabled' })
          }
          expect(await page.locator('html').evaluate((html) => html.scrollWidth)).toBe(width)
          if (isJudged) {
            expect({ scheme, width, barriers: await barriersOf(page) }).toEqual({ scheme, width, barriers: [] })
          }
        }
        await page.context().close()
      },
    )
  })
}

/** Editors measure themselves in one frame and draw in the next. */
const isDrawn = (page: Page): Promise<unknown> =>
  page.evaluate('new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))')

interface Finding {
  readonly id: string
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[]
}

async function barriersOf(page: Page): Promise<readonly string[]> {
  const violations: readonly Finding[] = await page.evaluate('axe.run().then((results) => results.violations)')
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary = '' }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`),
  )
}
