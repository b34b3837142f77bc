import { describe, expect, it } from 'vitest'
import { IdentityKeeper, NoGuestsError, SignedOutError } from '../../client-demo/src/state/identity.ts'
import { TabTexts } from '../../client-demo/src/state/tabTexts.ts'
import { deferred } from '../support/deferred.ts'
import { textsIn } from '../support/tabTexts.ts'

describe('the identity of a tab', () => {
  const NOW = Date.parse('2026-11-01T10:00:00Z')
  const tokenFor = (claims: object): string => `h.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`
  const lasting = tokenFor({ sub: 'guest-aaaaaaaaaa', exp: NOW / 1000 + 3600 })
  const guest = (token: string): object => ({ token, name: 'Quiet Otter', sub: 'guest-aaaaaaaaaa' })

  function keeper(answers: (Response | Promise<Response>)[], stored: object | null = null) {
    const kept = new Map<string, string>()
    if (stored !== null) kept.set('parley.identity', JSON.stringify(stored))
    const asked: object[] = []
    const identity = new IdentityKeeper({
      storage: textsIn(kept),
      fetchGuest: async (who) => {
        asked.push(who)
        return answers.shift() ?? new Response(null, { status: 500 })
      },
      now: () => NOW,
    })
    return { identity, asked, kept, answers }
  }
  const given = (token: string): Response => Response.json(guest(token), { status: 201 })

  it('is asked for once, however many want it, and kept', async () => {
    const { identity, asked } = keeper([given(lasting)])
    const [a, b] = await Promise.all([identity.current(), identity.current()])
    expect([a, b, await identity.current()]).toEqual([lasting, lasting, lasting])
    expect(asked).toEqual([{}])
  })

  it('survives a reload', async () => {
    const { identity, asked } = keeper([], guest(lasting))
    expect((await identity.identity()).name).toBe('Quiet Otter')
    expect(asked).toEqual([])
  })

  it('stays the same person when its token ends', async () => {
    const ending = tokenFor({ sub: 'guest-aaaaaaaaaa', exp: NOW / 1000 + 10 })
    const { identity, asked } = keeper([given(lasting)], guest(ending))
    expect(await identity.current()).toBe(lasting)
    expect(asked).toEqual([{ sub: 'guest-aaaaaaaaaa' }])
  })

  it('is renewed once by several who were refused with one token', async () => {
    const { identity, asked } = keeper([given('h.new.s')], guest(lasting))
    expect(await identity.renew(lasting)).toBe('h.new.s')
    expect(await identity.renew(lasting)).toBe('h.new.s')
    expect(asked).toHaveLength(1)
  })

  it.each(['a guest who left', 'who signed in meanwhile'])(
    '[DEMO-5] is not made anew for %s by an answer that comes late',
    async (who) => {
      const late = deferred<Response>()
      const { identity, answers } = keeper([])
      answers.push(late.promise)
      const asking = identity.identity().catch((error: unknown) => error)
      if (who === 'a guest who left') identity.leave()
      else identity.adopt(tokenFor({ sub: 'ada' }))
      late.resolve(given(lasting))
      const sub = who === 'a guest who left' ? undefined : 'ada'
      expect(await asking).toMatchObject(sub === undefined ? { name: 'SignedOutError' } : { sub })
      const { value } = identity.presence
      expect(value.phase === 'in' ? value.self.sub : undefined).toBe(sub)
    },
  )

  it('[DEMO-5] stays out when a token was refused, whatever asks for it then, until somebody signs in', async () => {
    const token = tokenFor({ sub: 'ada' })
    const { identity } = keeper([], { token, name: 'Ada', sub: 'ada' })
    await identity.enter()
    await expect(identity.renew(token)).rejects.toBeInstanceOf(SignedOutError)
    await expect(identity.current()).rejects.toBeInstanceOf(SignedOutError)
    expect(identity.presence.value).toEqual({ phase: 'out', why: 'refused' })
    identity.adopt(tokenFor({ sub: 'ben' }))
    expect((await identity.identity()).sub).toBe('ben')
  })

  it('[DEMO-5] is shown also where the browser has no room to keep it', async () => {
    const asked: object[] = []
    const identity = new IdentityKeeper({
      storage: new TabTexts(textsIn(new Map(), 0)),
      fetchGuest: async (who) => {
        asked.push(who)
        return given(lasting)
      },
      now: () => NOW,
    })
    expect([await identity.current(), await identity.current()]).toEqual([lasting, lasting])
    expect(identity.presence.value.phase).toBe('in')
    expect(asked).toHaveLength(1)
  })

  it('[DEMO-5] can be a guest where the server says so, which is asked once', async () => {
    const open = keeper([given(lasting)])
    expect([await open.identity.takesGuests(), await open.identity.takesGuests()]).toEqual([true, true])
    expect(open.asked).toHaveLength(1)
    const shut = keeper([Response.json({}, { status: 404 })])
    expect(await shut.identity.takesGuests()).toBe(false)
  })

  it('does not read what is no identity from the storage', async () => {
    const { identity } = keeper([given(lasting)], { token: 7 })
    expect(await identity.current()).toBe(lasting)
  })

  it('needs a token of its own where there are no guests', async () => {
    const { identity } = keeper([Response.json({}, { status: 404 })])
    await expect(identity.identity()).rejects.toBeInstanceOf(NoGuestsError)
    expect(identity.adopt('nonsense')).toBe(false)
    expect(identity.adopt(tokenFor({ name: 'Ada' }))).toBe(false)
    expect(identity.adopt(tokenFor({ sub: 'ada', name: 'Ädä' }))).toBe(true)
    expect(await identity.identity()).toMatchObject({ sub: 'ada', name: 'Ädä' })
  })

  it('asks for a stranger without becoming one', async () => {
    const { identity, kept } = keeper([given('h.other.s')], guest(lasting))
    expect((await identity.stranger()).token).toBe('h.other.s')
    expect(kept.get('parley.identity')).toContain(lasting)
  })
})
