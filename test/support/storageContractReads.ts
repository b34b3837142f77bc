import { expect, it } from 'vitest'
import { type Effect, encodeEffect } from '../../server/content/effect.ts'
import {
  type DocumentId,
  parsePattern,
  type Pattern,
  toPrincipalId,
  toVersion,
  trustedDocumentId,
} from '../../server/foundation/ids.ts'
import { type Head, ORIGINS } from '../../server/model/document.ts'
import { type Entry, entryChecksum, type EntryEffect, LOG_PAGE_BYTES } from '../../server/storage/log.ts'
import type { Storage } from '../../server/storage/storage.ts'
import type { SharedFixture } from './storageFixture.ts'
import {
  actOf,
  after,
  appendTo,
  commitAll,
  createDocument,
  EVERYTHING,
  newDocumentId,
  newHead,
  NOON,
  NOTHING,
} from './storageSamples.ts'

function pattern(text: string): Pattern {
  const parsed = parsePattern(text)
  if (!parsed) throw new Error(`Not a pattern: ${text}`)
  return parsed
}

const ids = async (storage: Storage, ...patterns: Pattern[]): Promise<string[]> =>
  (await storage.heads({ patterns, after: null, limit: 500 })).map((head) => head.id)

export function describeReads(shared: SharedFixture): void {
  describeLog(shared)
  describeHeads(shared)
}

function describeLog(shared: SharedFixture): void {
  it('every field of an entry comes back as it was', async () => {
    const { storage } = shared()
    const samples: Partial<Entry>[] = [
      ...ORIGINS.map((origin) => ({ origin })),
      { update: new Uint8Array(0), effect: null },
      { update: Uint8Array.from({ length: 100_000 }, (_, n) => n % 251) },
      { author: toPrincipalId('ålice\u0000 "😀"\n') },
      { handedOn: [0, 4_294_967_295] },
      ...effects.map((effect) => ({ effect })),
    ]
    let head = newHead(newDocumentId())
    const appends = samples.map((sample, n) => {
      head = n === 0 ? head : after(head)
      return appendTo(head, sample)
    })
    await commitAll(storage, actOf(...appends))
    const entries = appends.map((append) => append.entry)
    const stored = await storage.entries(head.id, NOTHING, EVERYTHING, 1000)
    expect(stored).toEqual(entries)
    expect(stored.every((entry) => entry.update.constructor === Uint8Array)).toBe(true)
    expect(await storage.effects(head.id, NOTHING, EVERYTHING, 1000)).toEqual(
      entries.map(({ update: _update, ...facts }) => facts),
    )
  })

  it('an update may be a view of a larger buffer', async () => {
    const { storage } = shared()
    const head = newHead(newDocumentId())
    const frame = Uint8Array.from({ length: 1000 }, (_, n) => n % 256)
    await commitAll(storage, actOf(appendTo(head, { update: frame.subarray(10, 13) })))
    const [entry] = await storage.entries(head.id, NOTHING, EVERYTHING, 10)
    expect(entry?.update).toEqual(Uint8Array.of(10, 11, 12))
  })

  it('entries and effects are read by range, oldest first, up to a limit', async () => {
    const { storage } = shared()
    const { id } = await createDocument(storage, newDocumentId(), 10)
    for (const read of ['entries', 'effects'] as const) {
      const versions = async (after: number, upTo: number, limit: number): Promise<number[]> =>
        (await storage[read](id, toVersion(after), toVersion(upTo), limit)).map((entry) => entry.version)
      expect(await versions(3, 6, 10)).toEqual([4, 5, 6])
      expect(await versions(3, 6, 2)).toEqual([4, 5])
      expect(await versions(8, 1000, 10)).toEqual([9, 10])
      expect(await versions(10, 1000, 10)).toEqual([])
      expect(await versions(6, 3, 10)).toEqual([])
      expect(await versions(0, 10, 0)).toEqual([])
    }
    expect(await storage.entries(newDocumentId(), NOTHING, EVERYTHING, 10)).toEqual([])
  })

  it('[OPS-8] a page of a log ends with the row that makes it a mebibyte, packed or not, and there is always one', async () => {
    const { storage } = shared()
    const head = newHead(newDocumentId())
    const entries = largeEntries(head)
    for (const entry of entries) await commitAll(storage, actOf(appendTo(entry.head, entry)))
    const { id } = head
    const whole = entries.map(({ head: _head, ...rest }) => rest)
    const check = async (): Promise<void> => {
      expect(await pagesOf(storage, 'entries', id)).toEqual(whole.map(summedUp))
      expect(await pagesOf(storage, 'effects', id)).toEqual(whole.map(({ update: _update, ...rest }) => summedUp(rest)))
    }
    await check()
    for (const [from, upTo] of [
      [3, 6],
      [7, 9],
    ] as const) {
      const rows = whole.slice(from - 1, upTo)
      const replaced = rows.map((row) => row.version)
      expect(await storage.rewrite({ document: id, replaced, rows })).toBe(true)
      await check()
    }
  })

  it('the newest checkpoint at or before a version is found', async () => {
    const { storage } = shared()
    const one = newHead(newDocumentId())
    const text = 'Zeile\r\n😀 \ud800 '.repeat(1000)
    const two = after(one)
    const three = after(two)
    await commitAll(storage, actOf(appendTo(one)), actOf(appendTo(two, {}, text)), actOf(appendTo(three, {}, '')))
    expect(await storage.checkpoint(one.id, toVersion(1))).toBeNull()
    expect(await storage.checkpoint(one.id, toVersion(2))).toEqual({ version: 2, content: text })
    expect(await storage.checkpoint(one.id, toVersion(99))).toEqual({ version: 3, content: '' })
    expect(await storage.checkpoint(newDocumentId(), EVERYTHING)).toBeNull()
  })

  it('a checkpoint of a json document keeps every value', async () => {
    const { storage } = shared()
    const head = newHead(newDocumentId(), { kind: 'json' })
    const content = { a: [1, -0.5, 1e300, null, true, 'x'], '': { constructor: 1, 'ö/~': {} }, z: [] }
    await commitAll(storage, actOf(appendTo(head, {}, content)))
    expect(await storage.checkpoint(head.id, head.version)).toEqual({ version: 1, content })
  })
}

/** Of many a page does not hold all; the fifth and the last alone are more than a page. */
function largeEntries(first: Head): (Entry & { readonly head: Head })[] {
  let head = first
  return Array.from({ length: 12 }, (_, n) => {
    if (n > 0) head = after(head)
    const isHuge = n === 4 || n === 11
    const update = new Uint8Array(isHuge ? 700_000 : 60_000).fill(n)
    const effect: Effect = { kind: 'text', delta: ['x'.repeat(isHuge ? 1_300_000 : 300_000)] }
    return { ...appendTo(head, { update, effect }).entry, head }
  })
}

type Row = EntryEffect & Partial<Entry>

/** To compare megabytes byte by byte takes a test runner seconds. */
const summedUp = ({ update, effect, ...facts }: Row) => ({
  ...facts,
  ...(update && { update: [update.length, entryChecksum(update)] }),
  effect: entryChecksum(Buffer.from(encodeEffect(effect) ?? '')),
})

/** All rows of a document, page by page, each of which holds what it should. */
async function pagesOf(storage: Storage, what: 'entries' | 'effects', id: DocumentId) {
  const rows: ReturnType<typeof summedUp>[] = []
  for (;;) {
    const after = rows.at(-1)?.version ?? NOTHING
    const page: readonly Row[] = await storage[what](id, after, EVERYTHING, 100)
    if (page.length === 0) return rows
    const sizes = page.map(({ update, effect }) => (update?.length ?? 0) + (encodeEffect(effect)?.length ?? 0))
    const bytes = sizes.reduce((sum, size) => sum + size, 0)
    expect(bytes - (sizes.at(-1) ?? 0)).toBeLessThan(LOG_PAGE_BYTES)
    rows.push(...page.map(summedUp))
  }
}

const effects: Effect[] = [
  { kind: 'text', delta: [5, -3, 'a\u0000b😀\n', 2, -1] },
  { kind: 'text', delta: ['\ud83d', 1] },
  {
    kind: 'json',
    edits: [
      { at: ['a', 0, 'constructor'], value: { deep: [null, 1.5, 'x'] } },
      { at: ['b'], removed: true },
      { at: ['list'], index: 2, remove: 1, insert: ['x', {}, []] },
      { at: ['text'], delta: [1, -1, 'y'] },
    ],
  },
]

function describeHeads(shared: SharedFixture): void {
  it('[DOC-7] living documents are listed by pattern, in id order', async () => {
    const { storage } = shared()
    const space = newDocumentId('list')
    const named = ['b', 'a', 'c', 'C', 'a1', 'a-1', 'a.1', 'a:1', 'a_1', 'a~1', 'ab'].map((name) =>
      trustedDocumentId(`${space}:${name}`),
    )
    for (const id of named) await createDocument(storage, id)
    const local = async (...texts: string[]): Promise<string[]> =>
      (await ids(storage, ...texts.map((text) => pattern(`${space}:${text}`)))).map((id) => id.slice(space.length + 1))
    expect(await local('*')).toEqual(['C', 'a', 'a-1', 'a.1', 'a1', 'a:1', 'a_1', 'ab', 'a~1', 'b', 'c'])
    expect(await local('a_*')).toEqual(['a_1'])
    expect(await local('a~*')).toEqual(['a~1'])
    expect(await local('a')).toEqual(['a'])
    expect(await local('c', 'b', 'c')).toEqual(['b', 'c'])
    expect(await local('a:*', 'a*', 'a:1')).toEqual(['a', 'a-1', 'a.1', 'a1', 'a:1', 'a_1', 'ab', 'a~1'])
    expect(await local('x*', 'B')).toEqual([])
    expect(await ids(storage)).toEqual([])
    expect(await ids(storage, { prefix: '' })).toEqual(expect.arrayContaining(named))
  })

  it('nothing in a pattern is a wildcard but its final star', async () => {
    const { storage } = shared()
    const space = newDocumentId('wild')
    const named = ['a%b', 'axb', 'a_b', 'a[x]b', 'a*b', 'a?b', "a'b", 'a\\b'].map((name) =>
      trustedDocumentId(`${space}:${name}`),
    )
    for (const id of named) await createDocument(storage, id)
    for (const id of named) {
      expect(await ids(storage, { exact: id })).toEqual([id])
      expect(await ids(storage, { prefix: id })).toEqual([id])
    }
  })

  it('a list is read page by page', async () => {
    const { storage } = shared()
    const space = newDocumentId('page')
    for (let n = 0; n < 7; n += 1) await createDocument(storage, trustedDocumentId(`${space}:${n}`))
    const patterns = [pattern(`${space}:*`), pattern(`${space}:3`)]
    const seen: string[] = []
    let page = await storage.heads({ patterns, after: null, limit: 3 })
    while (page.length > 0) {
      expect(page.length).toBeLessThanOrEqual(3)
      seen.push(...page.map((head) => head.id))
      page = await storage.heads({ patterns, after: page.at(-1)?.id ?? null, limit: 3 })
    }
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6].map((n) => `${space}:${n}`))
  })

  it('[DOC-6] deleted documents are not listed, but found', async () => {
    const { storage } = shared()
    const head = await createDocument(storage, newDocumentId())
    const deleted = after(head, { deletedAt: NOON + 1000 })
    await commitAll(storage, actOf(appendTo(deleted)))
    expect(await ids(storage, { exact: head.id })).toEqual([])
    expect(await storage.head(head.id)).toEqual(deleted)
  })

  it('a thousand patterns are no more than one', async () => {
    const { storage } = shared()
    const { id } = await createDocument(storage, newDocumentId('many'))
    const patterns = Array.from({ length: 2000 }, (_, n) => ({ prefix: `many${n}:` }))
    expect(await ids(storage, ...patterns, { exact: id })).toEqual([id])
  })
}
