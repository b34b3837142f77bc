import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { demoPages } from '../../server/api/demo.ts'
import { serverWith } from './httpServer.ts'

it('[AUTH-6] the demo runs under a strict policy, with a nonce of its own in each answer', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-pages-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'index.html'), '<meta property="csp-nonce" nonce="PARLEY-NONCE">')
  writeFileSync(join(folder, 'a.js'), '1')
  mkdirSync(join(folder, 'assets'))
  writeFileSync(join(folder, 'assets/b.js'), '2')
  const app = serverWith(async () => undefined)
  void app.register(demoPages(folder))
  const answers = [await app.inject({ url: '/demo/' }), await app.inject({ url: '/demo/index.html' })]
  const nonces = answers.map(({ headers, body }) => {
    const policy = String(headers['content-security-policy'])
    const [, nonce = 'none'] = /style-src 'self' 'nonce-(\w+)'/.exec(policy) ?? []
    expect(policy).toMatch(/^default-src 'none';script-src 'self' 'nonce-\w+';style-src 'self' 'nonce-/)
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toContain('unsafe')
    expect(policy).not.toContain('*')
    expect(body).toContain(`nonce="${nonce}"`)
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    expect(headers).toMatchObject({ 'x-frame-options': 'DENY', 'referrer-policy': 'no-referrer' })
    return nonce
  })
  expect(new Set(nonces).size).toBe(2)
  const script = await app.inject({ url: '/demo/a.js' })
  expect(script.headers['content-security-policy']).toContain("script-src 'self'")
  // What is built is loaded by the page and is none itself: nothing may be loaded by it.
  const built = await app.inject({ url: '/demo/assets/b.js' })
  expect(built.statusCode).toBe(200)
  expect(built.headers).toMatchObject({
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
  })
})
