/**
 * `npm run picture`: makes the pictures of README anew from the built demo (docs/pictures), one for light and one for dark
 * pages. They are small on purpose: they are the first thing that README loads.
 */
import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { SCENES_OF_CONFLICT } from './demoScenesOfConflict.ts'
import { DemoStage } from './demoStage.ts'

const FOLDER = 'docs/pictures'
const SCENE = 'conflict'
const VIEWPORT = { width: 1120, height: 940 }

mkdirSync(FOLDER, { recursive: true })
const stage = await DemoStage.start()
try {
  const page = await SCENES_OF_CONFLICT.find(({ name }) => name === SCENE)?.arrange(stage)
  if (page === undefined) throw new Error(`There is no scene ${SCENE}.`)
  await page.setViewportSize(VIEWPORT)
  await page.locator('[data-testid=pick-current]').last().check()
  await page.locator('.conflict-scroll').evaluate((sheet) => sheet.scrollTo(0, 0))
  for (const scheme of ['light', 'dark'] as const) {
    const path = join(FOLDER, `${SCENE}-${scheme}.png`)
    await page.emulateMedia({ colorScheme: scheme })
    await page.screenshot({ path, animations: 'disabled' })
    console.log(`${path}: ${Math.round(statSync(path).size / 1_000)} KB`)
  }
} finally {
  await stage.stop()
}
