import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Page } from 'playwright-core'
import { launchBrowser, type Person, type TestBrowser } from '../support/browser.ts'
import { deferred } from '../support/deferred.ts'
import { DemoServer } from '../support/demoServer.ts'

const WINDOW_MS = 2_000
const SECRET = 'a secret that only this test knows'

/** The shipped server with its demo, and two people by name in real browsers. */
describe('the demo, looking back', () => {
  let server: DemoServer
  let browser: TestBrowser
  beforeAll(async () => {
    server = await DemoServer.start(WINDOW_MS, SECRET)
    browser = await launchBrowser()
  })
  afterAll(async () => {
    await browser.close()
    await server.stop()
  })

  const come = async (id: string, sub: string, name: string): Promise<Person> => {
    const person = await browser.person()
    await server.signIn(person, `/demo/#/documents/${id}`, await server.token({ sub, name }))
    return person
  }
  const live = (page: Page): Promise<void> => page.locator('[data-testid=connection][data-phase=live]').waitFor()
  const textOf = (page: Page): Promise<string> => page.locator('[data-testid=editor-content]').innerText()

  it('[HIST-1] [HIST-3] [DEMO-7] every version can be looked at and stand again, and that can be undone', async () => {
    await server.send('POST', '/documents', { id: 'plan', kind: 'text', content: 'Monday\n' })
    await server.send('PUT', '/documents/plan', { content: 'Tuesday\n', baseVersion: 1 })
    const [ada, ben] = [await come('plan', 'ada', 'Ada'), await come('plan', 'ben', 'Ben')]
    for (const { page } of [ada, ben]) await live(page)
    await ada.page.locator('[data-testid=history-open]').click()
    const first = ada.page.locator('[data-testid=version-row][data-version="1"]')
    await first.filter({ hasText: 'The Program created it' }).waitFor()
    await first.locator('[data-testid=version-compare]').click()
    await first.locator('[data-testid=version-changes]', { hasText: 'Monday' }).waitFor()
    await first.locator('[data-testid=version-restore]').click()
    await expect.poll(() => textOf(ben.page)).toContain('Monday')
    await ada.page.locator('[data-testid=version-row][data-version="3"]', { hasText: 'You restored' }).waitFor()
    await ada.page.locator('[data-testid=notice]', { hasText: 'is version 3 now' }).getByText('Undo').click()
    await expect.poll(() => textOf(ben.page)).toContain('Tuesday')
    expect(await server.contentOf('plan')).toBe('Tuesday\n')
    await ada.page.locator('[data-testid=history-close]').click()
    expect([...ada.troubles.errors, ...ben.troubles.errors]).toEqual([])
  })

  it('[DOC-6] [DEMO-8] a deleted document shows as that, with who and what is kept, and comes back by whoever deleted it', async () => {
    await server.send('POST', '/documents', { id: 'list', kind: 'text', content: 'milk\n' })
    const [ada, ben] = [await come('list', 'ada', 'Ada'), await come('list', 'ben', 'Ben')]
    for (const { page } of [ada, ben]) await live(page)
    await ada.page.locator('[data-testid=editor-content] .cm-line').first().click()
    await ada.page.keyboard.press('Home')
    await ada.page.keyboard.type('more ')
    await expect.poll(() => server.contentOf('list')).toBe('more milk\n')
    await ada.page.locator('[data-testid=history-open]').click()
    await ada.page.locator('[data-testid=delete-document]').click()
    await ben.page
      .locator('[data-testid=deleted]', { hasText: /^Ada deleted it just now\. All of it is kept/ })
      .waitFor()
    expect(await ben.page.locator('[data-testid=revive]').count()).toBe(0)
    expect(await ben.page.locator('[data-testid=editor-content]').getAttribute('contenteditable')).toBe('false')
    await ben.page.reload()
    await ben.page.locator('[data-testid=deleted]', { hasText: 'deleted it' }).waitFor()

    await ada.page.locator('[data-testid=deleted]', { hasText: 'You deleted it' }).waitFor()
    await ada.page.locator('[data-testid=revive]').click()
    for (const { page } of [ada, ben]) {
      await live(page)
      await expect.poll(() => textOf(page)).toContain('more milk')
    }
    expect([...ada.troubles.errors, ...ben.troubles.errors]).toEqual([])
  })

  it('[HIST-5] [DEMO-8] of one that was purged it says that nothing is kept', async () => {
    await server.send('POST', '/documents', { id: 'gone', kind: 'text', content: 'secret\n' })
    expect(await server.send('DELETE', '/documents/gone?purge=true&baseVersion=1')).toBe(204)
    const ada = await come('gone', 'ada', 'Ada')
    await ada.page.locator('[data-testid=deleted]', { hasText: 'for good: nothing of it is kept' }).waitFor()
    expect(await ada.page.locator('[data-testid=revive]').count()).toBe(0)
    expect(ada.troubles.errors).toEqual([])
  })

  it('[HIST-3] [DEMO-7] the undo of a restore takes back the restore alone: where somebody wrote since, a conflict opens', async () => {
    await server.send('POST', '/documents', { id: 'since', kind: 'text', content: 'Monday\n' })
    await server.send('PUT', '/documents/since', { content: 'Tuesday\n', baseVersion: 1 })
    const ada = await come('since', 'ada', 'Ada')
    await live(ada.page)
    await ada.page.locator('[data-testid=history-open]').click()
    await ada.page.locator('[data-testid=version-row][data-version="1"] [data-testid=version-restore]').click()
    const undo = ada.page.locator('[data-testid=notice]', { hasText: 'is version 3 now' }).getByText('Undo')
    await undo.waitFor()
    expect(await server.send('PUT', '/documents/since', { content: 'Monday at ten\n', baseVersion: 3 })).toBe(200)
    await expect.poll(() => textOf(ada.page)).toContain('Monday at ten')
    await ada.page.locator('[data-testid=version][data-version="4"]').waitFor()
    await undo.click()
    await ada.page.locator('[data-testid=conflict-item]').waitFor()
    expect(await server.contentOf('since')).toBe('Monday at ten\n')
    expect(ada.troubles.errors).toEqual([])
  })

  it('[DOC-6] [DEMO-8] what somebody wrote unseen is not deleted with what was seen', async () => {
    await server.send('POST', '/documents', { id: 'unseen', kind: 'json', content: { a: 1 } })
    const ada = await browser.person()
    // No news come through.
    await ada.page.routeWebSocket(/conflict-notifications/, () => {})
    await server.signIn(ada, '/demo/#/documents/unseen', await server.token({ sub: 'ada', name: 'Ada' }))
    await ada.page.locator('[data-testid=history-open]').click()
    await ada.page.locator('[data-testid=delete-document]').waitFor()
    expect(await server.send('PUT', '/documents/unseen', { content: { a: 2 }, baseVersion: 1 })).toBe(200)
    await ada.page.locator('[data-testid=delete-document]').click()
    await ada.page.locator('[data-testid=notice][data-tone=problem]').waitFor()
    expect(JSON.parse(await server.contentOf('unseen'))).toEqual({ a: 2 })
  })

  it('[DEMO-1] [DEMO-8] what was not saved goes into no other life of its document: it is there to be copied, and the list says so', async () => {
    await server.send('POST', '/documents', { id: 'again', kind: 'text', content: 'old\n' })
    const ada = await come('again', 'ada', 'Ada')
    ada.page.on('dialog', (dialog) => void dialog.accept())
    await live(ada.page)
    await ada.page.locator('[data-testid=offline-switch]').check()
    await ada.page.locator('[data-testid=editor-content] .cm-line').first().click()
    await ada.page.keyboard.press('End')
    await ada.page.keyboard.type(' and dear')
    expect(await server.send('DELETE', '/documents/again?purge=true&baseVersion=1')).toBe(204)
    await server.send('POST', '/documents', { id: 'again', kind: 'text', content: 'new\n' })
    await ada.page.reload()
    await live(ada.page)
    await ada.page.locator('[data-testid=left-text-content]', { hasText: 'old and dear' }).waitFor()
    await expect.poll(() => textOf(ada.page)).toContain('new')
    expect(await textOf(ada.page)).not.toContain('dear')

    await ada.page.getByRole('link', { name: 'All documents' }).click()
    await ada.page.locator('[data-testid=document-row][data-id=again] [data-testid=held]').waitFor()
    await ada.page.locator('[data-testid=document-row][data-id=again]').click()
    await ada.page.locator('[data-testid=left-text-discard]').click()
    await ada.page.getByRole('link', { name: 'All documents' }).click()
    await ada.page.locator('[data-testid=document-row][data-id=again]').waitFor()
    expect(await ada.page.locator('[data-testid=held]').count()).toBe(0)
    expect(await server.contentOf('again')).toBe('new\n')
    expect(ada.troubles.errors).toEqual([])
  })

  it('[DEMO-1] [DEMO-8] what waits for a lock when its page is left can still be copied where the document ends before the lock', async () => {
    await server.send('POST', '/documents', { id: 'waits', kind: 'text', content: 'Monday\n' })
    const [ada, ben] = [await come('waits', 'ada', 'Ada'), await come('waits', 'ben', 'Ben')]
    for (const { page } of [ada, ben]) await live(page)
    await ben.page.locator('[data-testid=lock-acquire]').click()
    await ada.page.locator('[data-testid=lock-state]').waitFor()
    await ada.page.locator('[data-testid=editor-content] .cm-line').first().click()
    await ada.page.keyboard.press('End')
    await ada.page.keyboard.type(' evening')
    await ada.page.locator('[data-testid=barred][data-waits=true]').waitFor()
    await ada.page.getByRole('link', { name: 'All documents' }).click()
    await ada.page.locator('[data-testid=document-row][data-id=waits] [data-testid=held]').waitFor()
    await ben.page.locator('[data-testid=history-open]').click()
    await ben.page.locator('[data-testid=delete-document]').click()
    await ada.page.locator('[data-testid=held-elsewhere] a', { hasText: 'waits' }).click()
    await ada.page.locator('[data-testid=deleted]').waitFor()
    await ada.page.locator('[data-testid=left-text-content]', { hasText: 'Monday evening' }).waitFor()
    expect([...ada.troubles.errors, ...ben.troubles.errors]).toEqual([])
  })

  it('[DEMO-8] a document that was left before it was read is not followed', async () => {
    await server.send('POST', '/documents', { id: 'brief', kind: 'text', content: 'x\n' })
    expect(await server.send('DELETE', '/documents/brief?baseVersion=1')).toBe(204)
    await server.send('POST', '/documents', { id: 'first', kind: 'text', content: 'x\n' })
    const ada = await come('first', 'ada', 'Ada')
    await live(ada.page)
    const gate = deferred()
    await ada.page.route('**/documents/brief', async (route) => {
      await gate.promise
      await route.continue()
    })
    await ada.page.goto(`${server.url}/demo/#/documents/brief`)
    await ada.page.locator('.work-note[aria-busy=true]').waitFor()
    const ofList = ada.page.waitForEvent('websocket')
    await ada.page.goto(`${server.url}/demo/#/`)
    await ada.page.locator('[data-testid=document-row]').first().waitFor()
    await ofList
    const sockets: string[] = []
    ada.page.on('websocket', (socket) => sockets.push(new URL(socket.url()).pathname))
    const answered = ada.page.waitForResponse('**/documents/brief')
    gate.resolve()
    expect((await answered).status()).toBe(410)
    await ada.page.waitForTimeout(500)
    expect(sockets).toEqual([])
  })
})
