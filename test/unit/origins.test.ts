import { describe, expect, it } from 'vitest'
import { readConfig } from '../../server/config.ts'
import { Origins, parseOrigins } from '../../server/http/origins.ts'

describe('[AUTH-4] the list of origins', () => {
  it.each([
    ['https://app.example', ['https://app.example']],
    [' https://app.example/ ,http://localhost:5173', ['https://app.example', 'http://localhost:5173']],
    ['HTTPS://App.Example:443/,http://a.example:80', ['https://app.example', 'http://a.example']],
    ['http://a.example:443', ['http://a.example:443']],
    ['capacitor://localhost/', ['capacitor://localhost']],
    ['https://bücher.example', ['https://xn--bcher-kva.example']],
    ['http://[::1]:3000', ['http://[::1]:3000']],
    ['*', '*'],
    ['https://app.example, *', '*'],
  ])('reads %s', (text, list) => {
    expect(parseOrigins(text)).toEqual(list)
  })

  it.each([
    '',
    'app.example',
    'null',
    'https://',
    'https://app.example/path',
    'https://app.example//',
    'https://app.example?x',
    'https://app.example/#x',
    'https://user@app.example',
    'https://*.example',
    'https://a.example,,https://b.example',
    'file:///tmp',
    'https://a b.example',
  ])('%j stops the start with one line', (text) => {
    expect(parseOrigins(text)).toBeUndefined()
    const read = readConfig({ PARLEY_ORIGINS: text })
    expect('problem' in read && read.problem).toMatch(/^PARLEY_ORIGINS must be [^\n]*https:\/\/app\.example$/)
  })
})

describe('[AUTH-4] an origin', () => {
  const allows = (options: { list?: string; publicUrl?: string }, origin: string, host = 'h.example'): boolean =>
    new Origins(parseOrigins(options.list ?? 'https://app.example') ?? [], options.publicUrl ?? null).allows(
      origin,
      host,
    )
  const publicUrl = 'https://h.example/parley'

  it.each([
    ['that is listed', {}, 'https://app.example', true],
    ['with its default port', {}, 'https://app.example:443', true],
    ['of another scheme', {}, 'http://app.example', false],
    ['of another port', {}, 'https://app.example:8443', false],
    ['that ends like it', {}, 'https://evil-app.example', false],
    ['that begins like it', {}, 'https://app.example.evil.example', false],
    ['that is below it', {}, 'https://www.app.example', false],
    ['that is null', {}, 'null', false],
    ['that is null, where all are listed', { list: '*' }, 'null', false],
    ['that is anything, where all are listed', { list: '*' }, 'https://evil.example', true],
    ['that is malformed, where all are listed', { list: '*' }, 'https://a.example, https://b.example', false],
    ['that is empty', {}, '', false],
    ['of the public URL', { publicUrl }, 'https://h.example', true],
    ['of the public host under another scheme', { publicUrl }, 'http://h.example', false],
    ['of the public host at another port', { publicUrl }, 'https://h.example:8443', false],
    ['of this host, without a public URL', {}, 'http://h.example', true],
    ['of this host behind a proxy with TLS, without a public URL', {}, 'https://h.example', true],
  ])('%s', (_which, options, origin, isAllowed) => {
    expect(allows(options, origin)).toBe(isAllowed)
  })

  it('that is the public one counts whatever Host a proxy sends on, and so does the name a request was sent to', () => {
    expect(allows({ publicUrl }, 'https://h.example', '127.0.0.1:4090')).toBe(true)
    expect(allows({ publicUrl }, 'http://127.0.0.1:4090', '127.0.0.1:4090')).toBe(true)
    expect(allows({ publicUrl }, 'https://127.0.0.1:4090', '127.0.0.1:4090')).toBe(false)
  })
})
