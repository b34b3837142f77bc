import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchBrowser, type TestBrowser } from '../support/browser.ts'
import { deferred } from '../support/deferred.ts'
import { DemoServer } from '../support/demoServer.ts'

const WINDOW_MS = 2_000
const SECRET = 'a secret that only this test knows'

/** A server that takes no guests: who comes brings a token, and may do what it says. */
describe('the demo, by tokens', () => {
  let server: DemoServer
  let browser: TestBrowser
  beforeAll(async () => {
    server = await DemoServer.start(WINDOW_MS, SECRET)
    browser = await launchBrowser()
    await server.send('POST', '/documents', { id: 'plan', kind: 'text', content: 'Monday\n' })
    await server.send('POST', '/documents', { id: 'menu', kind: 'json', content: { soup: 'leek' } })
  })
  afterAll(async () => {
    await browser.close()
    await server.stop()
  })

  it('[AUTH-1] [DEMO-4] a reader sees what others write, cannot type, and is offered nothing that would be refused', async () => {
    const [ria, wes] = [await browser.person(), await browser.person()]
    const reading = await server.token({ sub: 'ria', permissions: ['read'] })
    await server.signIn(ria, '/demo/#/documents/plan', reading)
    await server.signIn(wes, '/demo/#/documents/plan', await server.token({ sub: 'wes', name: 'Wes' }))
    await ria.page.locator('[data-testid=read-only]').waitFor()
    await ria.page.locator('[data-testid=read-only-tag]').waitFor()
    const editor = ria.page.locator('[data-testid=editor-content]')
    expect(await editor.getAttribute('contenteditable')).toBe('false')
    expect(await ria.page.locator('[data-testid=lock-acquire]').count()).toBe(0)

    await wes.page.locator('[data-testid=editor-content] .cm-line').first().click()
    await wes.page.keyboard.press('End')
    await wes.page.keyboard.type(' evening')
    await expect.poll(() => editor.innerText()).toContain('Monday evening')
    await editor.click()
    await ria.page.keyboard.type('not this')
    expect(await editor.innerText()).not.toContain('not this')

    await ria.page.goto(`${server.url}/demo/#/documents/menu`)
    await ria.page.locator('[data-testid=json-note]', { hasText: 'Read only' }).waitFor()
    expect(await ria.page.locator('[data-testid=json-save]').count()).toBe(0)
    expect(await ria.page.locator('[data-testid=editor-content]').getAttribute('contenteditable')).toBe('false')
    await ria.page.goto(`${server.url}/demo/#/documents/nowhere`)
    await ria.page.locator('[data-testid=document-absent]').waitFor()
    expect(await ria.page.getByRole('button', { name: /Create/ }).count()).toBe(0)
    await ria.page.goto(`${server.url}/demo/#/`)
    await ria.page.locator('[data-testid=document-row]').first().waitFor()
    expect(await ria.page.locator('[data-testid=create-submit]').count()).toBe(0)
    expect([...ria.troubles.errors, ...wes.troubles.errors]).toEqual([])
  })

  it('[AUTH-2] [DEMO-5] a token that does not count is refused in place; a revoked one leads back there, and what was typed stays', async () => {
    const { page, troubles } = await browser.person()
    await page.goto(`${server.url}/demo/#/documents/plan`)
    await page.locator('[data-testid=sign-in][data-why=no-guests]').waitFor()
    const problem = page.locator('[data-testid=token-problem]')
    for (const wrong of ['nonsense', await server.token({ sub: 'eve', ttlSeconds: -60 }), forged()]) {
      await page.locator('[data-testid=token-input]').fill(wrong)
      await page.keyboard.press('Enter')
      await expect.poll(() => problem.innerText()).toMatch(/not a token|expired|not signed/)
      await page.locator('[data-testid=token-input]').fill('')
    }
    const enter = async (token: string): Promise<void> => {
      await page.locator('[data-testid=token-input]').fill(token)
      await page.keyboard.press('Enter')
      await page.locator('[data-testid=connection][data-phase=live]').waitFor()
    }
    await enter(await server.token({ sub: 'ada', name: 'Ada' }))

    expect(await server.send('POST', '/revocations', { sub: 'ada' })).toBe(201)
    await page.locator('[data-testid=sign-in][data-why=refused]', { hasText: 'What you typed stays' }).waitFor()
    await enter(await server.token({ sub: 'bea', name: 'Bea' }))
    await page.locator('[data-testid=editor-content] .cm-line').first().click()
    await page.keyboard.press('Home')
    await page.keyboard.type('Here: ')
    await expect.poll(() => server.contentOf('plan')).toContain('Here: ')

    // Typed in the very moment in which the token ends.
    await Promise.all([page.keyboard.type('and there '), server.send('POST', '/revocations', { sub: 'bea' })])
    await page.locator('[data-testid=sign-in][data-why=refused]').waitFor()
    await enter(await server.token({ sub: 'bea', name: 'Bea', afterMs: 2_000 }))
    const [typed] = (await page.locator('[data-testid=editor-content]').innerText()).split('Monday')
    expect(typed).toContain('Here: ')
    await expect.poll(() => server.contentOf('plan')).toContain(`${typed ?? ''}Monday`)

    await page.goto(`${server.url}/demo/#/`)
    await page.locator('[data-testid=sign-out]').click()
    await page.locator('[data-testid=sign-in][data-why=left]').waitFor()
    await page.reload()
    await page.locator('[data-testid=sign-in][data-why=left]').waitFor()
    // The server takes no guests, so nobody is offered to be one.
    await page.waitForTimeout(500)
    expect(await page.locator('[data-testid=sign-in-guest]').count()).toBe(0)
    expect(troubles.errors).toEqual([])
  })

  it('[DEMO-1] [DEMO-5] what was not sent when a token was taken back is sent by whoever signs in then', async () => {
    await server.send('POST', '/documents', { id: 'left', kind: 'text', content: 'Monday\n' })
    const { page, troubles } = await browser.person()
    await server.signIn({ page }, '/demo/#/documents/left', await server.token({ sub: 'fay', name: 'Fay' }))
    await page.locator('[data-testid=connection][data-phase=live]').waitFor()
    await page.locator('[data-testid=offline-switch]').check()
    await page.locator('[data-testid=editor-content] .cm-line').first().click()
    await page.keyboard.press('End')
    await page.keyboard.type(' evening')
    expect(await server.send('POST', '/revocations', { sub: 'fay' })).toBe(201)
    // Its stream of events may hear of it first: then the page asks for a token, and nothing behind that can be clicked.
    const goOnline = (timeout?: number): Promise<void> =>
      page.locator('[data-testid=offline-switch]').uncheck({ ...(timeout && { timeout }) })
    const isOnline = goOnline(3_000).then(
      () => true,
      () => false,
    )
    await page.locator('[data-testid=sign-in][data-why=refused]').waitFor()
    await page.locator('[data-testid=token-input]').fill(await server.token({ sub: 'gus', name: 'Gus' }))
    await page.keyboard.press('Enter')
    if (!(await isOnline)) await goOnline()
    await page.locator('[data-testid=connection][data-phase=live]').waitFor()
    await expect.poll(() => server.contentOf('left')).toBe('Monday evening\n')
    await expect.poll(() => page.locator('[data-testid=editor-content]').innerText()).toContain('evening')
    expect(troubles.errors).toEqual([])
  })

  it('[DEMO-1] [DEMO-5] what waits behind the offline switch is there for whoever signs in, and when the document is opened again', async () => {
    await server.send('POST', '/documents', { id: 'waits', kind: 'text', content: 'Monday\n' })
    const { page, troubles } = await browser.person()
    const editor = page.locator('[data-testid=editor-content]')
    const typeOffline = async (text: string): Promise<void> => {
      await page.locator('[data-testid=connection][data-phase=live]').waitFor()
      await page.locator('[data-testid=offline-switch]').check()
      await editor.locator('.cm-line').first().click()
      await page.keyboard.press('End')
      await page.keyboard.type(text)
    }
    await server.signIn({ page }, '/demo/#/documents/waits', await server.token({ sub: 'hal', name: 'Hal' }))
    await typeOffline(' evening')
    expect(await server.send('POST', '/revocations', { sub: 'hal' })).toBe(201)
    // Whoever works offline hears of it by what they ask for; where something was being asked already, at once.
    const asksForMore = page.locator('[data-testid=history-open]').click({ timeout: 3_000 })
    await asksForMore.catch(() => undefined)
    await page.locator('[data-testid=sign-in][data-why=refused]').waitFor()
    expect(await server.contentOf('waits')).toBe('Monday\n')
    await page.locator('[data-testid=token-input]').fill(await server.token({ sub: 'ivy', name: 'Ivy' }))
    await page.keyboard.press('Enter')
    await expect.poll(() => server.contentOf('waits')).toBe('Monday evening\n')
    expect(await editor.innerText()).toContain('Monday evening')

    await typeOffline(' at nine')
    await page.goto(`${server.url}/demo/#/`)
    await page.locator('[data-testid=document-link], a[href="#/documents/waits"]').first().waitFor()
    expect(await server.contentOf('waits')).toBe('Monday evening\n')
    await page.goto(`${server.url}/demo/#/documents/waits`)
    await expect.poll(() => editor.innerText()).toContain('Monday evening at nine')
    await expect.poll(() => server.contentOf('waits')).toBe('Monday evening at nine\n')
    expect(troubles.errors).toEqual([])
  })

  it('[DEMO-5] what could not be read while nobody was signed in is read once somebody is', async () => {
    await server.send('POST', '/documents', { id: 'again', kind: 'text', content: 'Monday\n' })
    const { page, troubles } = await browser.person()
    await server.signIn({ page }, '/demo/#/documents/again', await server.token({ sub: 'zoe', name: 'Zoe' }))
    await page.locator('[data-testid=connection][data-phase=live]').waitFor()
    await page.locator('[data-testid=no-conflicts]').waitFor()
    // The question for the list is under way when the token ends.
    const isOut = deferred()
    await page.route('**/conflicts?**', async (route) => {
      await isOut.promise
      await route.continue()
    })
    const asked = page.waitForRequest('**/conflicts?**')
    await server.send('PUT', '/documents/again', { content: 'Tuesday\n', baseVersion: 1 })
    expect(await server.send('PUT', '/documents/again', { content: 'Friday\n', baseVersion: 1 })).toBe(409)
    await asked
    expect(await server.send('POST', '/revocations', { sub: 'zoe' })).toBe(201)
    await page.locator('[data-testid=sign-in][data-why=refused]').waitFor()
    isOut.resolve()
    const panel = page.locator('[data-testid=conflict-panel]')
    await panel.getByText('Nobody is signed in').waitFor()
    const token = await server.token({ sub: 'zoe', name: 'Zoe', afterMs: 2_000 })
    await page.locator('[data-testid=token-input]').fill(token)
    await page.keyboard.press('Enter')
    await panel.locator('[data-testid=conflict-item]').waitFor()
    expect(await panel.getByText('Nobody is signed in').count()).toBe(0)
    expect(troubles.errors).toEqual([])
  })

  it('[DEMO-5] so is the list of documents, at once', async () => {
    const { page, troubles } = await browser.person()
    await server.signIn({ page }, '/demo/#/', await server.token({ sub: 'ute', name: 'Ute' }))
    await page.locator('[data-testid=document-row][data-id=plan]').waitFor()
    expect(await server.send('POST', '/revocations', { sub: 'ute' })).toBe(201)
    await server.send('POST', '/documents', { id: 'unseen', kind: 'text', content: 'Monday\n' })
    await page.locator('[data-testid=sign-in][data-why=refused]').waitFor()
    await page.getByText('Nobody is signed in').waitFor()
    // By then it asks only now and then.
    await page.waitForTimeout(5_000)
    await page
      .locator('[data-testid=token-input]')
      .fill(await server.token({ sub: 'ute', name: 'Ute', afterMs: 2_000 }))
    await page.keyboard.press('Enter')
    await page.locator('[data-testid=document-row][data-id=unseen]').waitFor({ timeout: 3_000 })
    expect(await page.getByText('Nobody is signed in').count()).toBe(0)
    expect(troubles.errors).toEqual([])
  })

  it('[HIST-8] [DEMO-6] people have the names of their tokens, in the list, at a lock and at a conflict, in both windows', async () => {
    const [ada, ben] = [await browser.person(), await browser.person()]
    await server.send('POST', '/documents', { id: 'named', kind: 'text', content: 'Monday\n' })
    await server.signIn(ada, '/demo/#/documents/named', await server.token({ sub: 'u-17', name: 'Ada Lovelace' }))
    await server.signIn(ben, '/demo/#/documents/named', await server.token({ sub: 'u-18', name: 'Ben Franklin' }))
    await ada.page.locator('[data-testid=editor-content] .cm-line').first().click()
    await ada.page.keyboard.press('End')
    await ada.page.keyboard.type(' evening')
    await expect.poll(() => server.contentOf('named')).toBe('Monday evening\n')
    expect(await server.send('PUT', '/documents/named', { content: 'Tuesday\n', baseVersion: 1 })).toBe(409)
    for (const { page } of [ada, ben]) {
      await page.locator('[data-testid=conflict-item]', { hasText: 'The Program wrote' }).waitFor()
    }
    await ben.page.locator('[data-testid=conflict-item]').click()
    await ben.page.locator('.story', { hasText: 'By then Ada Lovelace had moved the document' }).waitFor()
    await ada.page.locator('[data-testid=lock-acquire]').click()
    await ben.page.locator('[data-testid=lock-state]', { hasText: 'Locked by Ada Lovelace until' }).waitFor()
    await ben.page.goto(`${server.url}/demo/#/`)
    await ben.page.locator('[data-testid=document-row][data-id=named]', { hasText: 'by Ada Lovelace' }).waitFor()
    await ben.page.reload()
    await ben.page.locator('[data-testid=document-row][data-id=named]', { hasText: 'by Ada Lovelace' }).waitFor()
    expect([...ada.troubles.errors, ...ben.troubles.errors]).toEqual([])
  })

  it('[AUTH-5] [DEMO-5] "send it from here" writes with one’s own token where there are no guests', async () => {
    const ada = await browser.person()
    await server.signIn(ada, '/demo/#/documents/plan', await server.token({ sub: 'adb', name: 'Ada' }))
    await ada.page.locator('[data-testid=outside-open]').click()
    await ada.page.locator('[data-testid=outside-send]').click()
    await ada.page.locator('[data-testid=outside-answer][data-status="200"]').waitFor()
    expect(await server.contentOf('plan')).toContain('written from outside')
    expect(ada.troubles.errors).toEqual([])
  })
})

/** Well-formed, and signed by somebody else. */
function forged(): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { sub: 'eve', exp: 4_000_000_000, access: { '*': ['admin'] } }
  return `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}.${'A'.repeat(43)}`
}
