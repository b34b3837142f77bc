import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { ProblemError, UnreachableError } from '../../client-demo/src/parley/rest.ts'
import * as shapes from '../../client-demo/src/parley/shapes.ts'
import type { Conflict } from '../../client-demo/src/parley/types.ts'
import * as words from '../../client-demo/src/present/conflict.ts'
import { outsideWrite, quote, tokenCommand, writeCommand } from '../../client-demo/src/present/curl.ts'
import { highlight, mergedStretches, sideStretches, sideText } from '../../client-demo/src/present/highlight.ts'
import { explain, faults } from '../../client-demo/src/present/problem.ts'
import { conflictHref, routeOf } from '../../client-demo/src/present/route.ts'
import { ago } from '../../client-demo/src/present/time.ts'
import { conflictJson } from '../support/demoConflict.ts'

const conflictOf = (...args: Parameters<typeof conflictJson>): Conflict => shapes.conflict(conflictJson(...args), '')
const NAMES = { self: 'ada', known: new Map([['guest-a', 'Merry Finch']]) }
const TEXT = { base: 'a\nb\nc', current: 'a\nB\nc', incoming: 'a\nbb\nc' }

describe('the words of a conflict', () => {
  it.each([
    [{ start: 3, end: 4 }, 'line 3'],
    [{ start: 3, end: 6 }, 'lines 3–5'],
    [{ start: 3, end: 3 }, 'between lines 2 and 3'],
    [{ start: 1, end: 1 }, 'before line 1'],
  ])('name the lines %j', (range, said) => {
    expect(words.lines(range)).toBe(said)
  })

  it('name a json place by its pointer, and the root in words', () => {
    expect(words.place({ id: 'P', pointer: '/a/b' })).toBe('/a/b')
    expect(words.place({ id: 'P', pointer: '' })).toBe('The whole document')
  })

  it.each([
    [[], 'nobody'],
    [['bob'], 'bob'],
    [['ada', 'bob'], 'you and bob'],
    [['bob', 'guest-a', 'carol'], 'bob, Merry Finch and 1 other'],
    [['bob', 'eve', 'carol', 'dan'], 'bob, eve and 2 others'],
  ])('name the people %j', (subs, said) => {
    expect(words.peopleOf(subs, NAMES)).toBe(said)
  })

  it('never write an id otherwise than it is, not even at the beginning of a sentence', () => {
    expect(words.headline(conflictOf(TEXT), NAMES)).toBe('robot wrote on version 1')
    expect(words.story(conflictOf(TEXT), { ...NAMES, self: 'robot' })).toMatch(
      /^You wrote on version 1\. By then bob and carol/,
    )
  })

  it('tell where the document stands only while the conflict is open', () => {
    expect(words.story(conflictOf(TEXT), NAMES)).toContain('The document holds current')
    const closed = conflictOf(TEXT, { status: 'dismissed', closedAt: '2026-11-01T11:00:00Z', closedBy: 'bob' })
    expect(words.story(closed, NAMES)).not.toContain('The document holds current')
  })

  it('tell of edits made offline who made which, and that the merge stands', () => {
    const said = words.story(conflictOf(TEXT, { kind: 'concurrent-edit' }), { ...NAMES, self: 'bob' })
    expect(said).toBe(
      'robot made edits while offline. Meanwhile you and carol changed the same place; neither knew of the other’s edits. The document holds what the merge made of both. Decide what should stand there.',
    )
  })

  it.each([
    ['current', 'bob resolved it: took current.', 'take current'],
    ['merged', 'bob resolved it: kept the merge.', 'keep the merge'],
  ] as const)('call it so that `%s` is right where the merge stands', (use, said, proposed) => {
    const resolution = { use, by: 'bob', at: '2026-11-01T11:00:00Z', version: 4, comment: null }
    const changes = { kind: 'concurrent-edit', status: 'resolved', closedBy: 'bob', resolution }
    expect(words.outcome(conflictOf(TEXT, changes), NAMES)).toBe(said)
    expect(words.proposalWords(use, 'concurrent-edit')).toBe(proposed)
    expect(words.proposalWords('current', 'stale-write')).toBe('keep current')
  })

  it('[CONF-9] tell that offline edits gave way to newer ones, which nothing settled', () => {
    const changes = { kind: 'concurrent-edit', status: 'superseded', closedBy: 'bob' }
    expect(words.outcome(conflictOf(TEXT, changes), NAMES)).toBe('Superseded by newer conflicts of bob.')
  })

  it('tell of content that breaks its schema whose edit it was, since when, and what can be done', () => {
    const broken = conflictOf({ base: { n: 1 }, current: { n: 1 }, incoming: { n: 'x' } }, { kind: 'invalid-merge' })
    expect(words.headline(broken, NAMES)).toBe('robot broke the schema')
    expect(words.places(broken)).toBe('since version 4')
    expect(words.story(broken, { ...NAMES, self: 'robot' })).toBe(
      'Since an edit by you the document is not what its schema allows. What was edited stands until someone corrects it. Take it back, or write the result by hand.',
    )
    expect(words.currentWords('invalid-merge')).toBe('Take it back')
    expect(words.proposalWords('current', 'invalid-merge')).toBe('take it back')
  })

  it('never say mine or theirs', () => {
    for (const kind of ['stale-write', 'concurrent-edit', 'invalid-merge']) {
      const conflict = conflictOf(TEXT, { kind })
      const said = `${words.headline(conflict, NAMES)} ${words.story(conflict, NAMES)}`
      expect(said).not.toMatch(/\b(mine|theirs|yours|ours)\b/i)
    }
  })

  it.each([
    ['open', null],
    ['resolved', 'bob resolved it: took incoming.'],
    ['superseded', 'Superseded: a later change by you settled it.'],
    ['dismissed', 'You dismissed it. The document stayed as it was.'],
    ['expired', 'Expired: the document was deleted.'],
  ])('tell how it ended: %s', (status, said) => {
    const resolution = { use: 'incoming', by: 'bob', at: '2026-11-01T11:00:00Z', version: 4, comment: null }
    const closedBy = status === 'open' ? null : status === 'resolved' ? 'bob' : 'ada'
    const conflict = conflictOf(TEXT, { status, closedBy, resolution: status === 'resolved' ? resolution : null })
    expect(words.outcome(conflict, NAMES)).toBe(said)
  })
})

describe('highlighting', () => {
  it('marks what differs and loses nothing', () => {
    const stretches = highlight('The release goes out on Wednesday.', 'The release goes out on Tuesday.')
    expect(stretches.filter(({ changed }) => changed).map(({ text }) => text)).toEqual(['Wednesday'])
    expect(stretches.map(({ text }) => text).join('')).toBe('The release goes out on Wednesday.')
  })

  it.each([
    ['', 'x'],
    ['x', ''],
    ['same', 'same'],
    ['😀😁', '😀😂'],
    ['a\r\nb', 'a\nb'],
    ['<img src=x onerror=alert(1)>', ''],
  ])('gives %j back whole, compared with %j', (text, other) => {
    expect(
      highlight(text, other)
        .map((stretch) => stretch.text)
        .join(''),
    ).toBe(text)
  })

  it('does not cut a surrogate pair', () => {
    for (const { text } of highlight('x😀y', 'x😁y')) expect(text).not.toMatch(/\p{Surrogate}/u)
  })

  it('tells removed lines from an empty line, and absent from null', () => {
    const lines = { base: { start: 2, end: 3 }, current: { start: 2, end: 2 }, incoming: { start: 2, end: 3 } }
    const overlap = { id: 'L', lines, base: 'b', current: '', incoming: '', authors: [] }
    expect(sideText(overlap, 'current')).toBeNull()
    expect(sideText(overlap, 'incoming')).toBe('')
    expect(sideStretches(overlap, 'current')).toBeNull()
    expect(sideStretches(overlap, 'incoming')).toEqual([])
    const json = { id: 'P', pointer: '/a', base: { present: false }, current: { present: true, value: null } } as const
    expect(sideText({ ...json, incoming: json.base }, 'base')).toBeNull()
    expect(sideText({ ...json, incoming: json.base }, 'current')).toBe('null')
  })
})

describe('what a live merge made', () => {
  const lines = { base: { start: 2, end: 3 }, current: { start: 2, end: 3 }, incoming: { start: 2, end: 3 } }
  const overlap = { id: 'L', lines, base: 'b', current: 'B', incoming: 'bb', authors: [] }

  it('is marked where it differs from the base', () => {
    const merged = { ...overlap, lines: { ...lines, merged: { start: 2, end: 3 } }, merged: 'b and more' }
    expect(mergedStretches(merged)?.map(({ text, changed }) => [text, changed])).toEqual([
      ['b', false],
      [' and more', true],
    ])
  })

  it('tells no lines from an empty one, and absent from null', () => {
    const at = (end: number): typeof lines & { merged: { start: number; end: number } } => ({
      ...lines,
      merged: { start: 2, end },
    })
    expect(mergedStretches({ ...overlap, lines: at(2), merged: '' })).toBeNull()
    expect(mergedStretches({ ...overlap, lines: at(3), merged: '' })).toEqual([])
    const sides = { base: { present: false }, current: { present: false }, incoming: { present: false } } as const
    expect(mergedStretches({ id: 'P', pointer: '/a', ...sides, merged: { present: false } })).toBeNull()
    const [stretch] =
      mergedStretches({ id: 'P', pointer: '/a', ...sides, merged: { present: true, value: null } }) ?? []
    expect(stretch?.text).toBe('null')
  })
})

describe('the commands', () => {
  const target = {
    origin: 'http://localhost:4090',
    token: 'a.b.c',
    id: 'team:notes',
    kind: 'text',
    etag: 'abc-3',
  } as const

  it.each(["it's", "'; rm -rf / #", '$(id) `id` \\ "x" !', 'line\nline\n', ''])(
    'pass %j through a shell unharmed',
    (text) => {
      expect(execFileSync('sh', ['-c', `printf %s ${quote(text)}`], { encoding: 'utf8' })).toBe(text)
    },
  )

  it('write the whole text, changed in its first line, on the version named', () => {
    const command = writeCommand({ ...target, content: "Ada's list\nmilk\n" })
    const seen = execFileSync('sh', ['-c', `curl() { printf '%s|' "$@"; }\n${tokenCommand('a.b.c')}\n${command}`], {
      encoding: 'utf8',
    })
    expect(seen.split('|').slice(0, -1)).toEqual([
      '-i',
      '-X',
      'PUT',
      '-H',
      'Authorization: Bearer a.b.c',
      '-H',
      'If-Match: "abc-3"',
      '-H',
      'Content-Type: text/plain; charset=utf-8',
      '--data-binary',
      "Ada's list (written from outside)\nmilk\n",
      'http://localhost:4090/documents/team:notes/content',
    ])
  })

  it('patch a long text instead of repeating it, counted in UTF-16 units', () => {
    const { method, contentType, body } = outsideWrite({ kind: 'text', content: `😀x\n${'y'.repeat(5_000)}` })
    expect([method, contentType]).toEqual(['PATCH', 'application/vnd.parley.delta+json'])
    expect(JSON.parse(body)).toEqual([{ retain: 3 }, { insert: expect.any(String) }])
  })

  it('change something in an empty document too', () => {
    expect(outsideWrite({ kind: 'text', content: '' }).body).not.toBe('')
    expect(JSON.parse(outsideWrite({ kind: 'json', content: {} }).body)).not.toEqual({})
  })
})

describe('addresses', () => {
  it('lead back to where they were made', () => {
    expect(routeOf(conflictHref('team:notes~1', 'cfl_1'))).toEqual({
      page: 'document',
      id: 'team:notes~1',
      conflictId: 'cfl_1',
    })
    expect(routeOf('#/documents/a')).toEqual({ page: 'document', id: 'a', conflictId: null })
  })

  it.each(['', '#/', '#/documents/', '#/documents/%', '#/documents/a/b', '#javascript:alert(1)'])(
    '%j is the list',
    (hash) => {
      expect(routeOf(hash)).toEqual({ page: 'home' })
    },
  )
})

describe('times', () => {
  const now = Date.parse('2026-11-01T12:00:00Z')
  it.each([
    ['2026-11-01T11:59:50Z', 'just now'],
    ['2026-11-01T12:00:20Z', 'just now'],
    ['2026-11-01T11:59:00Z', '1 min ago'],
    ['2026-11-01T11:30:00Z', '30 min ago'],
    ['2026-11-01T09:00:00Z', '3 h ago'],
    ['not a time', 'not a time'],
  ])('%s is said as %s', (at, said) => {
    expect(ago(at, now)).toBe(said)
  })
})

describe('explaining an error', () => {
  const problem = { code: 'x', status: 409, title: 'Title', detail: 'Detail.', retryable: false }

  it('uses the detail, else the title', () => {
    expect(explain(new ProblemError(problem))).toBe('Detail.')
    expect(explain(new ProblemError({ ...problem, detail: '' }))).toBe('Title')
  })

  it('does not blame the person for a network', () => {
    expect(explain(new UnreachableError('x'))).toContain('cannot be reached')
  })

  it('names every fault of a 422', () => {
    const error = new ProblemError({
      ...problem,
      status: 422,
      errors: [{ overlap: 'L1', message: 'No choice is made.' }],
      violations: [
        { pointer: '/a', message: 'must be number' },
        { pointer: '', message: 'must have b' },
      ],
    })
    expect(faults(error)).toEqual(['No choice is made.', '/a: must be number', 'The whole document: must have b'])
    expect(faults(new Error('x'))).toEqual([])
  })
})
