import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DemoStage, type Role } from '../support/demoStage.ts'

const PROPOSER = { name: 'Paul', access: { '*': ['read', 'write'] } }
const BEFORE = '# Trip\nWe leave on Monday\nBring water\nCall Ada\n'

/** Two people in real browsers, one of whom may write but not resolve, and a program. */
describe('the demo, with proposals', () => {
  let stage: DemoStage
  beforeAll(async () => {
    stage = await DemoStage.start()
  })
  afterAll(() => stage.stop())

  /** A conflict over the second line; answers its id. */
  const conflictIn = async (id: string): Promise<string> => {
    await stage.does({ name: 'Ada' }, 'POST', '/documents', { id, kind: 'text', content: BEFORE })
    const edited = { content: BEFORE.replace('Monday', 'Tuesday'), baseVersion: 1 }
    await stage.does({ name: 'Ada' }, 'PUT', `/documents/${id}`, edited)
    return stage.refused({ name: 'Robot' }, id, { content: BEFORE.replace('Monday', 'Friday'), baseVersion: 1 })
  }

  it('[DEMO-11] [RES-3] [CONF-4] a proposal shows what it does to the document as it is now, before anyone accepts it, and its author is not asked to', async () => {
    const conflict = await conflictIn('trip')
    const paul = await stage.person(PROPOSER, 'trip')
    const ada = await stage.person({ name: 'Ada' }, 'trip')

    await paul.page.goto(`${stage.url}/demo/#/documents/trip/conflicts/${conflict}`)
    await paul.page.locator('[data-testid=pick-own]').check()
    await paul.page.locator('[data-testid=own-text]').fill('We leave on Sunday')
    await paul.page.locator('[data-testid=comment]').fill('Neither day has a train')
    await paul.page.locator('[data-testid=apply]').click()
    await paul.page.locator('[data-testid=proposal][data-status=pending]').waitFor()
    await paul.page.locator('[data-testid=own-proposal]').waitFor()
    expect(await paul.page.locator('[data-testid=accept-proposal]').count()).toBe(0)

    await ada.page.locator('[data-testid=conflict-item]').click()
    const diff = ada.page.locator('[data-testid=proposal-diff]')
    await diff.locator('.cm-line', { hasText: 'We leave on Sunday' }).waitFor()
    await diff.locator('.cm-deletedChunk', { hasText: 'We leave on Tuesday' }).waitFor()
    expect(await stage.contentOf('trip')).toContain('Tuesday')

    // Somebody goes on elsewhere: what accepting does is shown with that in it.
    await stage.does({ name: 'Ada' }, 'PUT', '/documents/trip', {
      content: BEFORE.replace('Monday', 'Tuesday').replace('Call Ada', 'Call everyone'),
      baseVersion: 2,
    })
    await ada.page.locator('.proposal', { hasText: 'version 3' }).waitFor()
    expect(await diff.locator('.cm-deletedChunk').allInnerTexts()).toEqual(['We leave on Tuesday'])
    await ada.page.locator('[data-testid=accept-proposal]').click()
    for (const { page } of [paul, ada]) await page.locator('[data-testid=outcome][data-status=resolved]').waitFor()
    expect(await stage.contentOf('trip')).toBe('# Trip\nWe leave on Sunday\nBring water\nCall everyone\n')
    // What was accepted can still be read.
    await ada.page.locator('[data-testid=proposal] summary').click()
    await diff.locator('.cm-line', { hasText: 'We leave on Sunday' }).waitFor()
    expect([...paul.troubles.errors, ...ada.troubles.errors]).toEqual([])
  })

  it('[DEMO-11] [RES-4] a proposal over whose place others wrote says so, and cannot be accepted as it is', async () => {
    const conflict = await conflictIn('late')
    await stage.does(PROPOSER, 'POST', '/resolve-conflict', { conflictId: conflict, baseVersion: 2, use: 'incoming' })
    const eve = await stage.person({ name: 'Eve' }, 'late')
    await stage.does({ name: 'Ada' }, 'PUT', '/documents/late', {
      content: BEFORE.replace('Monday', 'Thursday'),
      baseVersion: 2,
    })
    await eve.page.locator('[data-testid=conflict-item]').click()
    await eve.page.locator('.proposal', { hasText: 'Others wrote in the same place since' }).waitFor()
    await eve.page.locator('[data-testid=proposal-diff] .cm-line', { hasText: 'We leave on Friday' }).waitFor()
    expect(await eve.page.locator('[data-testid=accept-proposal]').isDisabled()).toBe(true)
    await eve.page.locator('[data-testid=reject-proposal]').click()
    await eve.page.locator('[data-testid=proposal][data-status=rejected]', { hasText: 'rejected by you' }).waitFor()
    expect(eve.troubles.errors).toEqual([])
  })

  it('[DEMO-11] [RES-3] what one may not do is not offered: a reader reads, a writer proposes, and a lock of another bars', async () => {
    const conflict = await conflictIn('rights')
    const show = async (role: Role): Promise<Page> => {
      const { page } = await stage.person(role, 'rights')
      await page.goto(`${stage.url}/demo/#/documents/rights/conflicts/${conflict}`)
      await page.locator('[data-testid=overlap]').waitFor()
      return page
    }
    const reader = await show({ name: 'Rita', access: { '*': ['read'] } })
    await reader.locator('[data-testid=no-rights]').waitFor()
    const offers = [
      '[data-testid=overlap] input',
      '[data-testid=ways]',
      '[data-testid=apply]',
      '[data-testid=result-edit]',
    ]
    expect(await reader.locator(offers.join(', ')).count()).toBe(0)

    const paul = await show(PROPOSER)
    await paul.locator('[data-testid=way-incoming]').check()
    expect(await paul.locator('[data-testid=apply]').innerText()).toBe('Propose: take incoming')
    expect(await paul.locator('.way').allInnerTexts()).not.toContain('Dismiss')
    await paul.locator('[data-testid=apply]').click()
    await paul.locator('[data-testid=own-proposal]').waitFor()

    const ada = await show({ name: 'Ada' })
    await ada.locator('[data-testid=way-current]').check()
    await ada.locator('[data-testid=apply]:enabled').waitFor()
    await stage.does({ name: 'Ben' }, 'POST', '/documents/rights/lock', { ttlSeconds: 60 })
    await ada.locator('.actions [data-testid=locked-words]').waitFor()
    expect(await ada.locator('[data-testid=apply]').isDisabled()).toBe(true)
    expect(await ada.locator('[data-testid=accept-proposal]').isDisabled()).toBe(true)
    await ada.locator('[data-testid=way-dismiss]').check()
    await ada.locator('[data-testid=apply]').click()
    await ada.locator('[data-testid=outcome][data-status=dismissed]').waitFor()
  })
})
