import { describe, expect, it } from 'vitest'
import { answering } from '../../server/api/questions.ts'
import { showConflict } from '../../server/conflicts/show.ts'
import { ConflictShower } from '../../server/conflicts/shower.ts'
import { type Content, kindOf } from '../../server/content/content.ts'
import { effectBetween } from '../../server/content/effect.ts'
import { mergeReaching as merge } from '../../server/content/merge.ts'
import { newStaleWrite } from '../../server/documents/staleWrite.ts'
import { parseDocumentId, toConflictId, toIncarnation, toPrincipalId, toVersion } from '../../server/foundation/ids.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import type { ConflictRecord } from '../../server/model/conflict.ts'
import type { EntryEffect } from '../../server/storage/log.ts'
import type { Storage } from '../../server/storage/storage.ts'
import type { Asking } from '../../server/threads/desk.ts'

const AT = Date.UTC(2026, 10, 22)
type Log = Pick<Storage, 'read' | 'epoch' | 'effects' | 'checkpoint' | 'content' | 'versionAt'>

/** A log of these contents from version 1 on, version n by `p<n>`, with a checkpoint at each. */
function logOf(contents: readonly Content[], stored: Record<string, Content> = {}): Storage {
  const entries = contents.map((content, n): EntryEffect => {
    const before = contents[n - 1] ?? (typeof content === 'string' ? '' : {})
    const author = toPrincipalId(`p${n + 1}`)
    return {
      version: toVersion(n + 1),
      author,
      at: AT,
      origin: n === 0 ? 'create' : 'write',
      effect: effectBetween(before, content),
    }
  })
  const log: Log = {
    epoch: 'epoch',
    versionAt: async () => null,
    read: (question) => question(log as Storage),
    effects: async (_, after, upTo, limit) =>
      entries.filter(({ version }) => version > after && version <= upTo).slice(0, limit),
    checkpoint: async (_, version) => ({ version, content: contents[version - 1] ?? expect.fail() }),
    content: async (_, hash) => stored[hash] ?? null,
  }
  // Showing asks for nothing else.
  return log as Storage
}

function recordOf(contents: readonly Content[], incoming: Content): ConflictRecord {
  const [base = '', current = ''] = [contents[0], contents.at(-1)]
  return newStaleWrite({
    id: toConflictId('cfl_1'),
    document: parseDocumentId('doc') ?? expect.fail(),
    documentKind: kindOf(base),
    incarnation: toIncarnation('abc'),
    author: toPrincipalId('alice'),
    at: AT,
    baseVersion: toVersion(1),
    currentVersion: toVersion(contents.length),
    incomingHash: 'incoming',
    merge: merge(base, current, incoming),
    state: { status: 'open' },
  })
}

describe('[OPS-8] a conflict that is worked out beside the event loop', () => {
  const record = recordOf(['one', 'two'], 'three')

  it('[OPS-8] waits in the line of who asks, not of its author', async () => {
    const asked: string[] = []
    const ask = async (_question: unknown, { by }: Asking): Promise<Uint8Array> => {
      asked.push(by)
      return Buffer.from('{}')
    }
    const shower = new ConflictShower({ storage: logOf(['one', 'two']), desk: { ask, close: async () => undefined } })
    await shower.show(record, { contents: true, by: toPrincipalId('bob') })
    await shower.show(record, { contents: true })
    expect(asked).toEqual(['bob', 'alice'])
  })

  it('[HIST-5] is not found where it was erased while the question waited', async () => {
    const erased: Storage = { ...logOf([]), conflict: async () => null, read: (question) => question(erased) }
    const page = answering(erased)({ ask: 'overlaps', record, after: 0, limit: 1 }, null)
    await expect(page).rejects.toMatchObject({ code: 'not-found' })
  })
})

describe('a conflict with a content past 1 MiB', () => {
  it.each([
    ['of letters of one byte', 'a'.repeat(1024 * 1024), true],
    ['of letters of one byte, and one more', 'a'.repeat(1024 * 1024 + 1), false],
    ['of fewer letters of three bytes', '\u20ac'.repeat(350_000), false],
    ['of as many as fit', '\u20ac'.repeat(349_525), true],
  ])('[CONF-4] leaves it out, and says so: %s', async (_, base, fits) => {
    const contents = [base, 'two']
    const shown = await showConflict(logOf(contents, { incoming: 'mine' }), recordOf(contents, 'mine'), {
      contents: true,
    })
    expect(shown.base.content).toBe(fits ? base : undefined)
    expect(shown.current.content).toBe('two')
    if (!fits) expect(shown.truncated).toBe(true)
  })
})

describe('a conflict whose history is too large to be read', () => {
  const COUNT = 40
  const large = (n: number): string => String.fromCodePoint(0x4e00 + n).repeat(600_000)

  it('[CONF-1] names the authors of lines from the part that was read', async () => {
    const contents = Array.from({ length: COUNT }, (_, n) => (n === 0 ? 'a\nb' : `a\n${large(n)}`))
    const storage = logOf(contents, { incoming: 'a\nmine' })
    const shown = await showConflict(storage, recordOf(contents, 'a\nmine'), { contents: true })
    expect(shown.base.authors).toEqual(['p1'])
    expect(shown.intervening.length).toBeLessThan(COUNT - 1)
    expect(shown.intervening.at(-1)).toMatchObject({ version: COUNT, author: `p${COUNT}` })
    expect(shown).toMatchObject({ truncated: true, overlaps: [{ id: 'L2' }] })
  })

  it('[CONF-1] works the authors out from a content within the history, not from base', async () => {
    const between = Array.from({ length: COUNT }, (_, n) => `a\n${large(n)}`)
    const contents = ['a\nb', ...between, 'a\nsmall', 'a\nsmaller', 'A\nsmaller']
    const storage = logOf(contents, { incoming: 'a\nmine' })
    const shown = await showConflict(storage, recordOf(contents, 'a\nmine'), { contents: true })
    expect(shown.overlaps).toMatchObject([{ base: 'a\nb', current: 'A\nsmaller', incoming: 'a\nmine' }])
    const [{ authors = [] } = {}] = shown.overlaps as { authors?: string[] }[]
    expect(authors.slice(-3)).toEqual([`p${COUNT + 2}`, `p${COUNT + 3}`, `p${COUNT + 4}`])
    expect(authors).not.toContain('p2')
    expect(shown.truncated).toBe(false)
  })

  it('[CONF-1] blames json places on whoever changed them in that part', async () => {
    const contents = Array.from({ length: COUNT }, (_, n) => ({ a: n, b: large(n) }))
    contents.push({ a: 99, b: 'small' }, { a: 99, b: 'smaller' })
    const base = { a: 0, b: 'small' }
    const storage = logOf([base, ...contents], { incoming: { a: -1, b: 'other' } })
    const shown = await showConflict(storage, recordOf([base, ...contents], { a: -1, b: 'other' }), { contents: true })
    expect(shown.overlaps).toMatchObject([
      { pointer: '/a', current: { present: true, value: 99, version: COUNT + 2, author: `p${COUNT + 2}` } },
      { pointer: '/b', current: { present: true, value: 'smaller', version: COUNT + 3, author: `p${COUNT + 3}` } },
    ])
  })
})

describe('a conflict of a content with long keys', () => {
  const side = (value: number) => ({
    ['k'.repeat(20_000)]: Object.fromEntries(Array.from({ length: 60 }, (_, n) => [n, value])),
  })

  it('[CONF-1] names places as far as they fit, and says that it is truncated', async () => {
    const contents = Array.from({ length: 30 }, (_, n) => side(n))
    const storage = logOf(contents, { incoming: side(-1) })
    const shown = await showConflict(storage, recordOf(contents, side(-1)), { contents: true })
    expect(JSON.stringify(shown).length).toBeLessThan(1024 * 1024)
    expect(shown.truncated).toBe(true)
    expect(shown.overlaps).not.toHaveLength(0)
    expect(shown.overlaps[0]).not.toHaveProperty('base')
    expect(shown.intervening).toHaveLength(29)
    expect(shown.base.content).toEqual(side(0))
  })

  it('[CONF-1] shows the pointers of the newest entries first', async () => {
    const long = 'k'.repeat(100_000)
    const contents = Array.from({ length: 6 }, (_, n) => ({ [long]: n, short: n }))
    const storage = logOf(contents, { incoming: { [long]: -1 } })
    const shown = await showConflict(storage, recordOf(contents, { [long]: -1 }), { contents: true })
    const named = shown.intervening.map((entry) => 'pointers' in entry)
    expect(named).toEqual([false, false, false, true, true])
    expect(shown.intervening.at(-1)).toMatchObject({ version: 6, pointers: [`/${long}`, '/short'] })
  })
})

describe('a conflict whose contents are damaged', () => {
  it('[OPS-6] says so instead of showing something else in their place', async () => {
    const contents = ['a', 'b']
    const record = recordOf(contents, 'c')
    const lost = showConflict(logOf(contents), record, { contents: true })
    await expect(lost).rejects.toThrow(expect.objectContaining({ code: 'document-damaged' }))
    await expect(lost).rejects.toBeInstanceOf(ParleyError)
  })
})
