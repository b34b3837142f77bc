import { describe, expect, it } from 'vitest'
import type { Page } from 'playwright-core'
import { caretBehind, slowDemo, textIn, whileSlow } from '../support/slowDemo.ts'

/** Without pairs, so that no editor completes anything. */
const TYPED = 'the quick brown fox jumps over the lazy dog 0123456789'

const typed = async (page: Page, testId: string): Promise<void> =>
  expect.poll(() => textIn(page, testId)).toContain(TYPED)

describe('an editor of the demo, typed into without a pause', () => {
  const demo = slowDemo()

  it('[DEMO-1] the json editor keeps every key, while others write as well', async () => {
    await demo.server.send('POST', '/documents', { id: 'keys', kind: 'json', content: { note: 'here', other: 0 } })
    const { page, troubles } = await demo.open('keys')
    await caretBehind(page, 'editor-content', 'note')
    for (const _ of '",') await page.keyboard.press('ArrowLeft')
    const typing = whileSlow(page, () => page.keyboard.type(TYPED))
    for (let version = 1; version <= 5; version++) {
      const content = { note: 'here', other: version }
      expect(await demo.server.send('PUT', '/documents/keys', { content, baseVersion: version })).toBe(200)
    }
    await typing
    await typed(page, 'editor-content')
    await page.locator('[data-testid=json-bar][data-status=edited]').waitFor()
    expect(await textIn(page, 'editor-content')).toContain(`"here${TYPED}"`)
    expect(troubles.errors).toEqual([])
  })

  it('[DEMO-1] the json editor keeps every key that is typed while it saves', async () => {
    await demo.server.send('POST', '/documents', { id: 'saved', kind: 'json', content: { note: 'here' } })
    const { page } = await demo.open('saved')
    await caretBehind(page, 'editor-content', 'note')
    await page.keyboard.press('ArrowLeft')
    await whileSlow(page, async () => {
      for (const word of TYPED.split(/(?<= )/)) {
        await page.keyboard.type(word)
        await page.keyboard.press('ControlOrMeta+S')
      }
    })
    await typed(page, 'editor-content')
    await expect.poll(() => demo.server.contentOf('saved')).toContain(TYPED)
  })

  it('[DEMO-1] the text editor keeps every key, while others type as well', async () => {
    await demo.server.send('POST', '/documents', { id: 'text', kind: 'text', content: 'first\nlast\n' })
    const [ada, ben] = [await demo.open('text'), await demo.open('text')]
    await caretBehind(ada.page, 'editor-content', 'first')
    await caretBehind(ben.page, 'editor-content', 'last')
    await Promise.all([ada, ben].map(({ page }) => whileSlow(page, () => page.keyboard.type(TYPED))))
    await expect.poll(() => demo.server.contentOf('text')).toBe(`first${TYPED}\nlast${TYPED}\n`)
  })
})
