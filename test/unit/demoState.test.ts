import { describe, expect, it, vi } from 'vitest'
import type { Conflict, Document } from '../../client-demo/src/parley/types.ts'
import * as shapes from '../../client-demo/src/parley/shapes.ts'
import { carriedOn, carryOver, chosen, preview } from '../../client-demo/src/state/choices.ts'
import { coalesce } from '../../client-demo/src/state/coalesce.ts'
import { IdentityKeeper, NoGuestsError, SignedOutError } from '../../client-demo/src/state/identity.ts'
import * as drafts from '../../client-demo/src/state/jsonDraft.ts'
import { NameBook } from '../../client-demo/src/state/names.ts'
import { coloursOf, peopleIn } from '../../client-demo/src/state/people.ts'
import { SaveCheck } from '../../client-demo/src/state/saveCheck.ts'
import { TabTexts } from '../../client-demo/src/state/tabTexts.ts'
import { personOf } from '../../client-demo/src/present/names.ts'
import type { Content } from '../../server/content/content.ts'
import { liveOverlaps, rewriteOverlaps } from '../../server/content/liveMerge.ts'
import { conflictJson } from '../support/demoConflict.ts'
import { deferred } from '../support/deferred.ts'
import { textsIn } from '../support/tabTexts.ts'

const conflictOf = (...args: Parameters<typeof conflictJson>): Conflict => shapes.conflict(conflictJson(...args), '')
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve()
}

describe('choices', () => {
  const text = conflictOf({ base: 'a\nb\nc\nd\ne', current: 'a\nB\nc\nd\nE', incoming: 'a\nbb\nc\nd\nee' })
  const [first, second] = text.overlaps.map(({ id }) => id)
  if (first === undefined || second === undefined) throw new Error('two overlaps were expected')

  it('are missing until every place has one', () => {
    expect(chosen(text.overlaps, {})).toEqual({ choices: {}, missing: 2, invalid: {} })
    const picks = { [first]: { from: 'base' }, [second]: { from: 'own', text: 'x\ny' } } as const
    expect(chosen(text.overlaps, picks)).toEqual({
      choices: { [first]: 'base', [second]: { text: 'x\ny' } },
      missing: 0,
      invalid: {},
    })
  })

  it('written by hand for json are values, or named as no JSON', () => {
    const { overlaps } = conflictOf({ base: { a: 1 }, current: { a: 2 }, incoming: { a: 3 } })
    const id = overlaps[0]?.id ?? ''
    expect(chosen(overlaps, { [id]: { from: 'own', text: '{"x": null}' } }).choices).toEqual({
      [id]: { value: { x: null } },
    })
    const broken = chosen(overlaps, { [id]: { from: 'own', text: 'nope' } })
    expect(broken.choices).toEqual({})
    expect(Object.keys(broken.invalid)).toEqual([id])
  })

  it('make the document that is shown before it is sent; what is not chosen stands as in current', () => {
    const seen = text.current.content
    const byHand = { [first]: 'incoming', [second]: { text: 'x\ny' } } as const
    expect(preview(text, byHand, seen)).toEqual({ content: 'a\nbb\nc\nd\nx\ny' })
    expect(preview(text, { [second]: 'base' }, seen)).toEqual({ content: 'a\nB\nc\nd\ne' })
  })

  it('cannot be shown where a side was too large to be sent', () => {
    const { content: _, ...base } = text.base
    expect(preview({ ...text, base }, {}, 'a')).toBeNull()
    expect(preview(text, {}, undefined)).toBeNull()
  })

  it('stay through a refresh where the place is the same, and are asked for again where it is not', () => {
    const moved = conflictOf({ base: 'a\nb\nc\nd\ne', current: 'a\nB\nc\nd\nE!', incoming: 'a\nbb\nc\nd\nee' })
    const picks = { [first]: { from: 'incoming' }, [second]: { from: 'incoming' } } as const
    expect(carryOver(text, moved, picks)).toEqual({ [first]: { from: 'incoming' } })
    expect(carryOver(text, text, picks)).toEqual(picks)
  })
})

describe('a result made by hand', () => {
  it.each([
    ['of a text', 'a\nb\nc', 'a!\nb\nc', 'a\nb\nby hand', 'a!\nb\nby hand'],
    ['where both wrote, as it was written', 'a\nb\nc\nd', 'a\nB\nc\nd!', 'a\nby hand\nc\nd', 'a\nby hand\nc\nd!'],
    ['of a json', { a: 1, b: 1 }, { a: 1, b: 2 }, '{"a": 5, "b": 1}', '{\n  "a": 5,\n  "b": 2\n}'],
    ['that is no JSON (yet), as it stands', { a: 1 }, { a: 2 }, '{"a": ', '{"a": '],
  ])('goes on with what others wrote since: %s', (_, from, to, own, result) => {
    expect(carriedOn(own, from, to)).toBe(result)
  })
})

describe('content that breaks its schema', () => {
  const sides = { base: { n: 1 }, current: { n: 1 }, incoming: { n: 'x' } }
  const broken = conflictOf(sides, { kind: 'invalid-merge', merged: { clean: false, content: sides.incoming } })

  it('shows what it becomes when that is taken back, with all that was written elsewhere since', () => {
    expect(preview(broken, {}, { n: 'x' })).toEqual({ content: { n: 1 } })
    expect(preview(broken, {}, { n: 'x', since: 1 })).toEqual({ content: { n: 1, since: 1 } })
    expect(preview(broken, {}, { n: 'xy' })).toEqual({ problem: 'Someone wrote in the same place since.' })
  })
})

describe('choices after a live merge', () => {
  interface Sides {
    readonly base: Content
    readonly current: Content
    readonly incoming: Content
    readonly merged: Content
  }
  const LIVE: readonly { readonly name: string; readonly sides: Sides }[] = [
    {
      name: 'lines both rewrote, and one the merge doubled',
      sides: {
        base: 'a\nb\nc\nteh\ne',
        current: 'a\nB\nc\nthe\ne',
        incoming: 'a\nbb\nc\nthe\ne',
        merged: 'a\nBbb\nc\nthethe\ne',
      },
    },
    {
      name: 'a paragraph deleted and a word in it',
      sides: { base: 'h\nthe p\nt', current: 'h\nt', incoming: 'h\nthe long p\nt', merged: 'h\nlong t' },
    },
    {
      name: 'a key both set, one of them deleted',
      sides: {
        base: { key: 1, gone: 1, own: 1 },
        current: { key: 2, own: 1 },
        incoming: { key: 3, gone: 2, own: 2 },
        merged: { key: 2, gone: 2, own: 2 },
      },
    },
    {
      name: 'an element both replaced',
      sides: {
        base: { list: ['a', 'b', 'c'] },
        current: { list: ['x', 'b', 'c'] },
        incoming: { list: ['y', 'b', 'C'] },
        merged: { list: ['x', 'y', 'b', 'C'] },
      },
    },
    {
      name: 'a parent deleted and an edit inside',
      sides: { base: { p: { a: 1 }, q: 1 }, current: { q: 1 }, incoming: { p: { a: 2 }, q: 1 }, merged: { q: 1 } },
    },
  ]
  const liveConflict = ({ base, current, incoming, merged }: Sides): Conflict => {
    const found = liveOverlaps({ base, current, incoming, merged, seen: merged }, () => 'parts')
    const overlaps = found.map((overlap) => ({ ...overlap, authors: ['bob'] }))
    const changes = { kind: 'concurrent-edit', merged: { clean: false, content: merged }, overlaps }
    return conflictOf({ base, current, incoming }, changes)
  }

  it.each(LIVE)('show what the server makes of them: $name', ({ sides }) => {
    const conflict = liveConflict(sides)
    expect(conflict.overlaps.length).toBeGreaterThan(0)
    for (const side of ['base', 'current', 'incoming'] as const) {
      const choices = Object.fromEntries(conflict.overlaps.map(({ id }) => [id, side] as const))
      const written = rewriteOverlaps({ ...sides, seen: sides.merged }, () => 'parts', new Map(Object.entries(choices)))
      expect(written.errors).toEqual([])
      expect(preview(conflict, choices, sides.merged)).toEqual({ content: written.content })
    }
  })

  it.each(LIVE)('leave what is not chosen as merged: $name', ({ sides }) => {
    expect(preview(liveConflict(sides), {}, sides.merged)).toEqual({ content: sides.merged })
  })

  it('are shown in the document as it is by now, not as the merge left it', () => {
    const live = liveConflict({ base: 'a\nb\nc', current: 'a\nB\nc', incoming: 'a\nbb\nc', merged: 'a\nBbb\nc' })
    const choices = { [live.overlaps[0]?.id ?? '']: 'incoming' } as const
    expect(preview(live, choices, 'a\nBbb\nc\nsince')).toEqual({ content: 'a\nbb\nc\nsince' })
    expect(preview(live, {}, 'a\nBbb\nc\nsince')).toEqual({ content: 'a\nBbb\nc\nsince' })
    expect(preview(live, choices, 'a\nsince\nc')).toHaveProperty('problem')
  })

  it('written by hand stand in place of what the merge made', () => {
    const text = liveConflict({ base: 'a\nb\nc', current: 'a\nB\nc', incoming: 'a\nbb\nc', merged: 'a\nBbb\nc' })
    const byHand = { [text.overlaps[0]?.id ?? '']: { text: 'x\ny' } }
    expect(preview(text, byHand, 'a\nBbb\nc')).toEqual({ content: 'a\nx\ny\nc' })
    const json = liveConflict({ base: { k: 1 }, current: { k: 2 }, incoming: { k: 3 }, merged: { k: 3 } })
    expect(preview(json, { 'P/k': { value: [4] } }, { k: 3 })).toEqual({ content: { k: [4] } })
  })
})

describe('a json draft', () => {
  const document = (version: number, content: Document['content']): Document => ({
    id: 'd',
    kind: 'json',
    version,
    etag: `abc-${version}`,
    root: 'content',
    content,
    createdAt: '',
    updatedAt: '',
    updatedBy: 'ada',
  })
  const start = drafts.startDraft(document(1, { a: 1 }))

  it('follows the server while nothing is edited', () => {
    const draft = drafts.moved(start, document(2, { a: 2 }))
    expect(draft).toMatchObject({ status: 'clean', from: { version: 2, etag: 'abc-2' }, text: '{\n  "a": 2\n}' })
  })

  it('keeps what is edited, and its base, when the server moves', () => {
    const draft = drafts.moved(drafts.edit(start, '{"a":9}'), document(2, { a: 2 }))
    expect(draft).toMatchObject({ text: '{"a":9}', from: { version: 1, etag: 'abc-1' }, latest: { version: 2 } })
  })

  it('keeps the layout of what it saved', () => {
    const sent = { version: 2, etag: 'abc-2', text: '{"a":9}' }
    const saved = drafts.saved(drafts.saving(drafts.edit(start, '{"a":9}')), sent)
    const draft = drafts.moved(saved, document(2, { a: 9 }))
    expect(draft).toMatchObject({ text: '{"a":9}', status: 'clean', from: { version: 2 } })
  })

  it('is edited again by what was typed while it was saved', () => {
    const typed = { ...drafts.saving(drafts.edit(start, '{"a":9}')), text: '{"a":99}' }
    expect(drafts.saved(typed, { version: 2, etag: 'abc-2', text: '{"a":9}' })).toMatchObject({
      status: 'edited',
      text: '{"a":99}',
      from: { version: 2 },
    })
  })

  it('keeps the refused text until it is given up', () => {
    const refused = drafts.refused(drafts.moved(drafts.edit(start, '{"a":9}'), document(2, { a: 2 })), 'cfl_1')
    expect(refused).toMatchObject({ status: 'refused', text: '{"a":9}', from: { version: 1 }, conflictId: 'cfl_1' })
    expect(drafts.discard(refused)).toMatchObject({ status: 'clean', text: '{\n  "a": 2\n}', conflictId: null })
  })

  it('[DEMO-1] holds nothing unsaved once the document says the same, whoever stored it', () => {
    const draft = drafts.moved(drafts.edit(start, '{"a":9}'), document(2, { a: 9 }))
    expect(draft).toMatchObject({ text: '{"a":9}', status: 'clean', from: { version: 2 } })
  })

  it('never goes back to an older version', () => {
    const draft = drafts.moved(start, document(3, { a: 3 }))
    expect(drafts.moved(draft, document(2, { a: 2 }))).toBe(draft)
  })

  it.each([
    ['{"a":1}', true],
    ['{"a":1,}', false],
    ['[1]', false],
    ['null', false],
    ['"x"', false],
    ['', false],
  ])('can be saved or not: %s', (text, isGood) => {
    expect(drafts.syntaxProblem(text) === null).toBe(isGood)
  })
})

describe('the save check', () => {
  function check(answers: (boolean | Error)[]) {
    const shown: boolean[] = []
    const delays: number[] = []
    let run = (): void => {}
    const saveCheck = new SaveCheck({
      isStored: async () => {
        const answer = answers.shift() ?? false
        if (answer instanceof Error) throw answer
        return answer
      },
      onChange: (saved) => shown.push(saved),
      after: (delayMs, task) => {
        delays.push(delayMs)
        run = task
        return () => {
          run = () => {}
        }
      },
    })
    const look = async (): Promise<void> => {
      const task = run
      run = () => {}
      task()
      await settle()
    }
    return { saveCheck, shown, delays, look }
  }

  it('says saved only once the server holds the text', async () => {
    const { saveCheck, shown, look } = check([false, new Error('offline'), true])
    saveCheck.edited()
    await look()
    await look()
    expect(shown).toEqual([false])
    await look()
    expect(shown).toEqual([false, true])
  })

  it('looks less and less often', async () => {
    const { saveCheck, delays, look } = check([])
    saveCheck.edited()
    for (let times = 0; times < 7; times++) await look()
    expect(delays).toEqual([400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000])
  })

  it('does not take the answer about older text for one about newer', async () => {
    const { saveCheck, shown, look } = check([true])
    saveCheck.edited()
    const looking = look()
    saveCheck.edited()
    await looking
    expect(shown).toEqual([false])
  })

  it('asks for nothing after it was closed', async () => {
    const { saveCheck, delays, look } = check([false])
    saveCheck.edited()
    const looking = look()
    saveCheck.close()
    await looking
    expect(delays).toHaveLength(1)
  })
})

describe('coalescing', () => {
  it('runs once for many wishes, never twice at once, and again for a wish that came meanwhile', async () => {
    vi.useFakeTimers()
    try {
      let runs = 0
      let finish = (): void => {}
      const { wish, close } = coalesce(100, () => {
        runs += 1
        return new Promise((resolve) => {
          finish = resolve
        })
      })
      wish()
      wish()
      await vi.advanceTimersByTimeAsync(100)
      expect(runs).toBe(1)
      wish()
      wish()
      await vi.advanceTimersByTimeAsync(1_000)
      expect(runs).toBe(1)
      finish()
      await vi.advanceTimersByTimeAsync(100)
      expect(runs).toBe(2)
      wish()
      close()
      finish()
      await vi.advanceTimersByTimeAsync(1_000)
      expect(runs).toBe(2)
    } finally {
      vi.useRealTimers()
    }
  })
})

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

describe('people', () => {
  it('are read from presence as anyone may have written it', () => {
    const states = new Map<number, unknown>([
      [1, { user: { name: 'Zoe', sub: 'guest-z' } }],
      [2, { user: { name: '   ' } }],
      [3, null],
      [4, { user: 'x' }],
      [5, { user: { name: 'Ada', color: 'red;position:fixed' } }],
      [6, { user: { name: 'B'.repeat(500) } }],
    ])
    const people = peopleIn(states, 1)
    expect(people.map(({ name }) => name)).toEqual(['Zoe', 'Ada', 'B'.repeat(40)])
    expect(people.map(({ isSelf }) => isSelf)).toEqual([true, false, false])
    expect(people.every(({ colour }) => colour >= 0 && colour < 8)).toBe(true)
    expect(new Set(people.map(({ colour }) => colour)).size).toBe(3)
    expect(JSON.stringify(people)).not.toContain('position')
  })

  it('have different colours while there are enough, the same on every screen', () => {
    const entries = Array.from({ length: 9 }, (_, n): [number, unknown] => [n + 1, { user: { name: 'Same Name' } }])
    const colours = coloursOf(new Map(entries))
    expect(new Set([...colours.values()].slice(0, 8)).size).toBe(8)
    expect(coloursOf(new Map(entries.toReversed()))).toEqual(colours)
  })

  it('lend a name to guests only: any other id is shown as it is', () => {
    const book = new NameBook()
    book.introduce('guest-me')
    book.meet('guest-a', 'Merry Finch')
    book.meet('alice', 'The Administrator')
    const names = book.store.value
    expect(['guest-me', 'guest-a', 'guest-b', 'alice'].map((sub) => personOf(sub, names))).toEqual([
      'you',
      'Merry Finch',
      'guest-b',
      'alice',
    ])
  })
})
