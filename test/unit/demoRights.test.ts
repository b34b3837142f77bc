import { describe, expect, it } from 'vitest'
import { maySomewhere, permissionsOn, readToken } from '../../client-demo/src/parley/token.ts'
import { returnWords, waitingWords } from '../../client-demo/src/present/absence.ts'
import { countdown } from '../../client-demo/src/present/countdown.ts'

const tokenFor = (claims: object): string => `h.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`

describe('[AUTH-1] [DEMO-4] what a token lets one do', () => {
  const token = tokenFor({
    sub: 'ada',
    exp: 7,
    name: 'Ädä',
    access: { 'team:*': ['read', 'write'], 'team:a': ['resolve'] },
  })

  it('adds up over the patterns that match', () => {
    expect([...permissionsOn(token, 'team:a')].toSorted()).toEqual(['read', 'resolve', 'write'])
    expect([...permissionsOn(token, 'team:b')]).toEqual(['read', 'write'])
    expect(permissionsOn(token, 'other').size).toBe(0)
  })

  it('is all with admin, and nothing without read', () => {
    expect(permissionsOn(tokenFor({ sub: 'a', access: { '*': ['admin'] } }), 'x').size).toBe(5)
    expect(permissionsOn(tokenFor({ sub: 'a', access: { '*': ['write'] } }), 'x').size).toBe(0)
    expect(permissionsOn('', 'x').size).toBe(0)
  })

  it('is something somewhere, or nowhere', () => {
    expect(maySomewhere(token, 'write')).toBe(true)
    expect(maySomewhere(token, 'admin')).toBe(false)
  })

  it('is read from the claims alone, and not from what is none', () => {
    expect(readToken(token)).toMatchObject({ sub: 'ada', name: 'Ädä', expiresAtMs: 7_000 })
    for (const wrong of ['', 'a.b', 'a.b.c', tokenFor({ name: 'Ada' }), tokenFor({ sub: '' })]) {
      expect(readToken(wrong)).toBeNull()
    }
  })
})

describe('[DEMO-3] an absence in words', () => {
  it('says what waits, and for what', () => {
    expect(waitingWords({ because: 'person', typed: 1, removed: 0 }, false)).toBe(
      'You are offline. What you wrote (1 character typed) waits in this window until you go online again.',
    )
    expect(waitingWords({ because: 'network', typed: 0, removed: 2 }, false)).toContain('(2 removed)')
    expect(waitingWords(null, true)).toBe(
      'There is no connection. What you write waits in this window until it is back.',
    )
  })

  it('says what became of it', () => {
    const waited = { because: 'lock', typed: 2, removed: 1 } as const
    expect(returnWords({ ...waited, conflictId: null, isSure: true })).toBe(
      'The lock has ended. What you wrote (2 characters typed, 1 removed) is in the document now. Nobody had changed the same place.',
    )
    expect(returnWords({ ...waited, conflictId: 'c', isSure: true })).toContain('both were merged')
    expect(returnWords({ ...waited, conflictId: null, isSure: false })).toContain('could not be found out')
  })

  it('counts down to nothing', () => {
    const at = '2026-11-30T10:00:00Z'
    const before = (ms: number): string => countdown(at, Date.parse(at) - ms)
    expect([before(272_000), before(5_001), before(-9)]).toEqual(['4:32', '0:06', '0:00'])
  })
})
