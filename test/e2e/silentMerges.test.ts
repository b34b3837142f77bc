import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { OfflineScene } from '../support/offline.ts'
import { eventually } from '../support/waitFor.ts'

let scene: OfflineScene
beforeAll(async () => {
  scene = await OfflineScene.start()
})
afterAll(() => scene.stop())

interface Case {
  readonly name: string
  readonly start: string | Record<string, unknown>
  /** What bob does, who stays. */
  readonly stays: (doc: Y.Doc) => void
  /** What alice does meanwhile, who is offline. */
  readonly leaves: (doc: Y.Doc) => void
  /** Ids of the overlaps. */
  readonly overlaps: readonly string[]
  /** Whether both client id orders merge to one content; then it is this. */
  readonly merged?: unknown
}

const text = (doc: Y.Doc) => doc.getText('content')
const map = (doc: Y.Doc) => doc.getMap('content')
const inner = (doc: Y.Doc, key: string) => map(doc).get(key) as Y.Map<unknown>
const list = (doc: Y.Doc) => map(doc).get('list') as Y.Array<unknown>
function put(doc: Y.Doc, from: string, to: string): void {
  const at = text(doc).toString().indexOf(from)
  doc.transact(() => {
    text(doc).delete(at, from.length)
    text(doc).insert(at, to)
  })
}

const CASES: readonly Case[] = [
  {
    name: 'both rewrite one line',
    start: 'one\ntwo\nthree',
    stays: (doc) => put(doc, 'two', 'TWO'),
    leaves: (doc) => put(doc, 'two', 'zwei'),
    overlaps: ['L2'],
  },
  {
    name: 'both type into one line at different places',
    start: 'one two three',
    stays: (doc) => text(doc).insert(0, 'zero '),
    leaves: (doc) => text(doc).insert(13, ' four'),
    overlaps: ['L1'],
    merged: 'zero one two three four',
  },
  {
    name: 'a paragraph is deleted and a word inserted in it',
    start: 'head\nthe paragraph\ntail',
    stays: (doc) => put(doc, 'the paragraph\n', ''),
    leaves: (doc) => text(doc).insert(9, 'long '),
    // The word stands in front of the next line now: that one is what nobody wrote.
    overlaps: ['L2-3'],
  },
  {
    name: 'both fix one typo in the same way',
    start: 'a\nteh\nb',
    stays: (doc) => put(doc, 'teh', 'the'),
    leaves: (doc) => put(doc, 'teh', 'the'),
    overlaps: ['L2'],
    merged: 'a\nthethe\nb',
  },
  {
    name: 'both delete the same line',
    start: 'a\nb\nc',
    stays: (doc) => put(doc, 'b\n', ''),
    leaves: (doc) => put(doc, 'b\n', ''),
    overlaps: [],
    merged: 'a\nc',
  },
  {
    name: 'they edit different lines',
    start: 'a\nb\nc',
    stays: (doc) => put(doc, 'a', 'A'),
    leaves: (doc) => put(doc, 'c', 'C'),
    overlaps: [],
    merged: 'A\nb\nC',
  },
  {
    name: 'both set one key',
    start: { key: 'base', other: 1 },
    stays: (doc) => map(doc).set('key', 'bob'),
    leaves: (doc) => map(doc).set('key', 'alice'),
    overlaps: ['P/key'],
  },
  {
    name: 'both set one key to equal values',
    start: { key: 'base' },
    stays: (doc) => map(doc).set('key', 'same'),
    leaves: (doc) => map(doc).set('key', 'same'),
    overlaps: [],
    merged: { key: 'same' },
  },
  {
    name: 'one sets a key, the other deletes it',
    start: { key: 'base', other: 1 },
    stays: (doc) => map(doc).set('key', 'bob'),
    leaves: (doc) => map(doc).delete('key'),
    overlaps: ['P/key'],
  },
  {
    name: 'one deletes a key, the other sets it',
    start: { key: 'base', other: 1 },
    stays: (doc) => map(doc).delete('key'),
    leaves: (doc) => map(doc).set('key', 'alice'),
    overlaps: ['P/key'],
  },
  {
    name: 'they set different keys',
    start: {},
    stays: (doc) => map(doc).set('bob', 1),
    leaves: (doc) => map(doc).set('alice', 1),
    overlaps: [],
    merged: { bob: 1, alice: 1 },
  },
  {
    name: 'an edit under a parent that was deleted',
    start: { parent: { child: 1 } },
    stays: (doc) => map(doc).delete('parent'),
    leaves: (doc) => inner(doc, 'parent').set('child', 2),
    overlaps: ['P/parent'],
    merged: {},
  },
  {
    name: 'an edit under a parent that was replaced',
    start: { parent: { child: 1 } },
    stays: (doc) => map(doc).set('parent', new Y.Map([['child', 3]])),
    leaves: (doc) => inner(doc, 'parent').set('added', 2),
    overlaps: ['P/parent'],
  },
  {
    name: 'an edit under a parent that was replaced by its equal',
    start: { parent: { child: 1 } },
    stays: (doc) => map(doc).set('parent', new Y.Map([['child', 1]])),
    leaves: (doc) => inner(doc, 'parent').set('child', 2),
    overlaps: ['P/parent'],
    merged: { parent: { child: 1 } },
  },
  {
    name: 'both replace one element',
    start: { list: ['a', 'b'] },
    stays: (doc) => doc.transact(() => (list(doc).delete(0), list(doc).insert(0, ['bob']))),
    leaves: (doc) => doc.transact(() => (list(doc).delete(0), list(doc).insert(0, ['alice']))),
    overlaps: ['P/list/0'],
  },
  {
    name: 'they add at different ends',
    start: { list: ['a', 'b'] },
    stays: (doc) => list(doc).insert(0, ['bob']),
    leaves: (doc) => list(doc).push(['alice']),
    overlaps: [],
    merged: { list: ['bob', 'a', 'b', 'alice'] },
  },
]

describe.each(CASES)('$name', ({ start, stays, leaves, overlaps, merged }) => {
  it.each([
    ['lower', 1, 2],
    ['higher', 2, 1],
  ])('[CONF-6] is found exactly when the client that returns has the %s id', async (_, alices, bobs) => {
    const { id } = await scene.create(start)
    const [alice, bob] = [await scene.join(id, 'alice', alices), await scene.join(id, 'bob', bobs)]
    await scene.leave(alice)
    stays(bob.doc)
    leaves(alice.doc)
    await scene.agree(bob)
    const current = await scene.content(id)
    const incoming = typeof start === 'string' ? text(alice.doc).toString() : map(alice.doc).toJSON()
    await scene.comeBack(alice)
    const found = await scene.conflicts(id)
    expect(found.flatMap((conflict) => conflict.overlaps.map((overlap: { id: string }) => overlap.id))).toEqual(
      overlaps,
    )
    const now = await scene.content(id)
    if (merged !== undefined) expect(now).toEqual(merged)
    if (overlaps.length === 0) return
    expect(found).toHaveLength(1)
    expect(found[0]).toMatchObject({
      kind: 'concurrent-edit',
      status: 'open',
      base: { version: 1, content: start, authors: ['rest'] },
      current: { version: 2, content: current, authors: ['bob'] },
      incoming: { version: null, content: incoming, authors: ['alice'] },
      merged: { clean: false, content: now },
      intervening: [{ version: 2, author: 'bob' }],
    })
  })
})

describe('another history', () => {
  it('[SYNC-7] a client of a deleted document is refused by one that was created again, and told why', async () => {
    const { id, rest } = await scene.create('the old text')
    const alice = await scene.join(id, 'alice')
    alice.text.insert(0, 'typed ')
    await scene.agree(alice)
    await scene.leave(alice)
    alice.text.insert(0, 'offline ')
    const { version } = (await rest.get(`/documents/${id}`)).body
    expect((await rest.delete(`/documents/${id}?baseVersion=${version}`)).status).toBe(204)
    expect((await rest.post('/documents', { id, kind: 'text', content: 'the new text' })).status).toBe(201)
    await scene.server.restart()
    alice.provider.serverUrl = `${scene.server.url.replace(/^http/, 'ws')}/sync`
    alice.provider.connect()
    await eventually(() => expect(alice.terminal).toEqual([4409]))
    expect(await scene.content(id)).toBe('the new text')
    expect(await scene.conflicts(id)).toEqual([])
    const newcomer = await scene.join(id, 'bob', 77)
    newcomer.text.insert(0, 'welcome in ')
    await scene.agree(newcomer)
    expect(await scene.content(id)).toBe('welcome in the new text')
  })
})
