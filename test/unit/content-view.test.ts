import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import type { Content, JsonObject, Kind } from '../../server/content/content.ts'
import { applyEffect, effectOfWrite } from '../../server/content/effect.ts'
import { contentBytes } from '../../server/content/equal.ts'
import { readJson } from '../../server/content/json.ts'
import { ContentView } from '../../server/content/view.ts'

function open(kind: Kind, content: Content): { doc: Y.Doc; view: ContentView; write: (to: Content) => void } {
  const doc = new Y.Doc()
  const view = new ContentView(doc, kind, 'content')
  const write = (to: Content): void => doc.transact(() => view.write(to))
  write(content)
  view.takeEffect()
  return { doc, view, write }
}

const fork = (doc: Y.Doc): Y.Doc => {
  const copy = new Y.Doc()
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc))
  return copy
}

const exchange = (a: Y.Doc, b: Y.Doc): void => {
  Y.applyUpdate(a, Y.encodeStateAsUpdate(b))
  Y.applyUpdate(b, Y.encodeStateAsUpdate(a))
}

describe('ContentView of what somebody else writes as well', () => {
  it.each<[Kind, Content, Content, (doc: Y.Doc) => void]>([
    ['text', 'one two', 'one 2', (doc) => doc.getText('content').insert(0, 'more ')],
    ['json', { a: 1 }, { a: 2 }, (doc) => doc.getMap('content').set('more', true)],
  ])('[DOC-8] the effect is of all of it, also where the write was known: %s', (kind, from, to, more) => {
    const { doc, view } = open(kind, from)
    const before = view.content()
    doc.transact(() => view.write(to, { from: before, effect: effectOfWrite(before, to) }))
    doc.transact(() => more(doc))
    expect(applyEffect(before, view.takeEffect())).toEqual(view.content())
  })
})

describe('ContentView of a text', () => {
  it('[DOC-8] a cursor and formatting elsewhere survive a write', () => {
    const { doc, view, write } = open('text', 'one two three')
    const text = doc.getText('content')
    text.format(8, 5, { bold: true })
    const cursor = Y.createRelativePositionFromTypeIndex(text, 8)
    write('one 2 three')
    expect(view.content()).toBe('one 2 three')
    expect(Y.createAbsolutePositionFromRelativePosition(cursor, doc)?.index).toBe(6)
    expect(text.toDelta()).toEqual([{ insert: 'one 2 ' }, { insert: 'three', attributes: { bold: true } }])
  })

  it('[DOC-8] equal content writes nothing', () => {
    const { doc, write } = open('text', 'a😀')
    let updates = 0
    doc.on('update', () => (updates += 1))
    write('a😀')
    expect(updates).toBe(0)
  })

  it('[DOC-9] embeds are no part of the text, and stay where they are when text around them changes', () => {
    const { doc, view, write } = open('text', 'abcdef')
    const text = doc.getText('content')
    text.insertEmbed(3, { image: 'x' })
    text.insertEmbed(0, { image: 'y' })
    expect(view.content()).toBe('abcdef')
    write('aXef')
    expect(view.content()).toBe('aXef')
    const inserts: unknown[] = text.toDelta().map((op: { insert: unknown }) => op.insert)
    expect(inserts.filter((insert) => typeof insert === 'object')).toEqual([{ image: 'y' }, { image: 'x' }])
    write('')
    expect(view.content()).toBe('')
    expect(text.length).toBe(2)
    write('new')
    expect(view.content()).toBe('new')
  })

  it('[DOC-9] whatever else clients put into the root is no part of the text', () => {
    const { doc, view, write } = open('text', 'abc')
    const [array, map] = [new Y.Doc(), new Y.Doc()]
    array.getArray('content').insert(0, [1, 'two', { three: 3 }])
    map.getMap('content').set('key', 'value')
    for (const other of [array, map]) Y.applyUpdate(doc, Y.encodeStateAsUpdate(other))
    expect(doc.getText('content').length).toBe(6)
    expect(view.content()).toBe('abc')
    write('abXc')
    expect(view.content()).toBe('abXc')
    write('Xc')
    expect(view.content()).toBe('Xc')
  })

  it('[DOC-9] what is typed into a shared text within the text is no part of it', () => {
    const { doc, view } = open('text', 'abc')
    const inner = new Y.Text()
    doc.getText('content').insertEmbed(1, inner)
    view.takeEffect()
    inner.insert(0, 'hidden')
    expect(view.content()).toBe('abc')
    expect(view.takeEffect()).toBeNull()
    inner.delete(1, 2)
    expect(view.content()).toBe('abc')
  })

  it('[DOC-8] keys of several authors that come as one are all seen', () => {
    const { doc, view } = open('text', 'abc')
    const [one, two] = [fork(doc), fork(doc)]
    one.getText('content').insert(0, 'one ')
    two.getText('content').insert(3, ' two')
    Y.applyUpdate(doc, Y.mergeUpdates([Y.encodeStateAsUpdate(one), Y.encodeStateAsUpdate(two)]))
    expect(view.content()).toBe('one abc two')
    expect(view.takeEffect()).toEqual({ kind: 'text', delta: ['one ', 3, ' two'] })
  })

  it('[OPS-8] a key does not read the text that is there', () => {
    const { doc, view } = open('text', 'a long text, of which a key changes little')
    const shared = doc.getText('content')
    shared.toString = () => expect.fail()
    shared.insert(6, 'er')
    expect(view.content()).toBe('a longer text, of which a key changes little')
    expect(view.takeEffect()).toEqual({ kind: 'text', delta: [6, 'er'] })
    shared.delete(0, 2)
    expect(view.content()).toBe('longer text, of which a key changes little')
    expect(view.takeEffect()).toEqual({ kind: 'text', delta: [-2] })
    expect(view.bytes()).toBe(42)
  })

  it('[DOC-9] a pair torn apart by a client is told exactly as it reads now', () => {
    const { doc, view } = open('text', 'a😀b')
    const before = view.content()
    doc.getText('content').insert(2, 'x')
    expect(view.content()).toBe('a\ufffdx\ufffdb')
    expect(applyEffect(before, view.takeEffect())).toBe('a\ufffdx\ufffdb')
  })

  it('[SYNC-9] a huge text is written in pieces that a first sync can cut, none within a surrogate pair', () => {
    const content = `x${'😀'.repeat(300_000)}y`
    const { doc, view } = open('text', content)
    expect(view.content()).toBe(content)
    const copy = fork(doc)
    expect(copy.getText('content').toString()).toBe(content)
    const sizes = Y.decodeUpdate(Y.encodeStateAsUpdate(doc)).structs.map((struct) => struct.length)
    expect(sizes.length).toBeGreaterThan(4)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(128 * 1024)
  })

  it('takes effects one after the other, null where nothing changed', () => {
    const { doc, view, write } = open('text', 'abc')
    expect(view.takeEffect()).toBeNull()
    write('abXc')
    expect(view.takeEffect()).toEqual({ kind: 'text', delta: [2, 'X'] })
    doc.getText('content').format(0, 2, { bold: true })
    doc.getMap('other').set('a', 1)
    expect(view.takeEffect()).toBeNull()
    doc.getText('content').insert(0, 'tmp')
    doc.getText('content').delete(0, 3)
    expect(view.takeEffect()).toBeNull()
  })
})

describe('ContentView of a json', () => {
  it('[DOC-9] objects are shared maps, arrays shared arrays, scalars plain', () => {
    const content = { o: { p: [1, { q: null }] }, s: 'text', n: 1.5, b: false, none: null, e: {}, l: [] }
    const { doc, view } = open('json', content)
    expect(view.content()).toEqual(content)
    const root = doc.getMap<unknown>('content')
    expect(root.get('o')).toBeInstanceOf(Y.Map)
    expect(root.get('l')).toBeInstanceOf(Y.Array)
    expect(root.get('s')).toBe('text')
    expect(fork(doc).getMap('content').toJSON()).toEqual(content)
  })

  it('[DOC-9] a string written where a client put a shared text is the smallest change of it', () => {
    const { doc, view, write } = open('json', { title: 'x', list: [] })
    const root = doc.getMap<unknown>('content')
    root.set('title', new Y.Text('hello world'))
    const list = root.get('list')
    if (list instanceof Y.Array) list.insert(0, [new Y.Text('in a list')])
    expect(view.content()).toEqual({ title: 'hello world', list: ['in a list'] })
    const copy = fork(doc)
    const theirs = copy.getMap<unknown>('content').get('title')
    if (theirs instanceof Y.Text) theirs.insert(11, '!')
    write({ title: 'hello brave world', list: ['on a list'] })
    exchange(doc, copy)
    expect(view.content()).toEqual({ title: 'hello brave world!', list: ['on a list'] })
    expect(root.get('title')).toBeInstanceOf(Y.Text)
  })

  it('[DOC-9] a long string in a shared text is edited by its delta', () => {
    const { doc, view, write } = open('json', {})
    const long = 'a sentence that is long enough to be edited by a delta'
    doc.getMap('content').set('s', new Y.Text(long))
    write({ s: `${long}, and so it is` })
    expect(view.content()).toEqual({ s: `${long}, and so it is` })
    expect(doc.getMap('content').get('s')).toBeInstanceOf(Y.Text)
    write({ s: 5 })
    expect(view.content()).toEqual({ s: 5 })
  })

  it('[DOC-9] an edit below a plain object replaces that with the edited plain object', () => {
    const { doc, view, write } = open('json', { other: 1 })
    const root = doc.getMap<unknown>('content')
    root.set('plain', { a: { b: [1, 2, { c: 3 }] }, d: 4 })
    root.set('list', [1, [2, 3]])
    write({ other: 1, plain: { a: { b: [0, 1, 2, { c: 9 }] }, d: 4, e: 5 }, list: [1, [2, 4], 5] })
    expect(view.content()).toEqual({
      other: 1,
      plain: { a: { b: [0, 1, 2, { c: 9 }] }, d: 4, e: 5 },
      list: [1, [2, 4], 5],
    })
    expect(root.get('plain')).toEqual({ a: { b: [0, 1, 2, { c: 9 }] }, d: 4, e: 5 })
    expect(root.get('list')).toEqual([1, [2, 4], 5])
    write({ other: 1, plain: 'gone', list: {} })
    expect(view.content()).toEqual({ other: 1, plain: 'gone', list: {} })
  })

  it('[DOC-9] constructor is an ordinary key, also below a plain object', () => {
    const { doc, view, write } = open('json', { constructor: { constructor: [{ constructor: 1 }] } })
    expect(view.content()).toEqual({ constructor: { constructor: [{ constructor: 1 }] } })
    doc.getMap<unknown>('content').set('plain', { a: 1 })
    write({ constructor: 2, plain: { a: 1, constructor: 3 }, prototype: 4 })
    expect(view.content()).toEqual({ constructor: 2, plain: { a: 1, constructor: 3 }, prototype: 4 })
  })

  it('[DOC-8] concurrent edits elsewhere survive a write', () => {
    const { doc, view, write } = open('json', { a: { x: 1, y: 1 }, l: [{ n: 1 }, { n: 2 }, { n: 3 }] })
    const copy = fork(doc)
    const theirs = copy.getMap<unknown>('content')
    const theirList = theirs.get('l')
    const theirObject = theirs.get('a')
    if (theirList instanceof Y.Array && theirObject instanceof Y.Map) {
      theirList.get(2).set('n', 30)
      theirObject.set('y', 10)
    }
    write({ a: { x: 2, y: 1 }, l: [{ n: 0 }, { n: 1 }, { n: 20 }, { n: 3 }] })
    exchange(doc, copy)
    expect(view.content()).toEqual({ a: { x: 2, y: 10 }, l: [{ n: 0 }, { n: 1 }, { n: 20 }, { n: 30 }] })
    expect(readJson(theirs)).toEqual(view.content())
  })

  it('[SYNC-6] what has no JSON form reads as null, and an undefined member as absent', () => {
    const { doc, view, write } = open('json', {})
    const root = doc.getMap<unknown>('content')
    root.set('bytes', new Uint8Array([1]))
    root.set('xml', new Y.XmlElement('p'))
    root.set('xmlText', new Y.XmlText('x'))
    root.set('doc', new Y.Doc())
    root.set('nan', Number.NaN)
    root.set('big', 1n)
    root.set('undefined', undefined)
    root.set('plain', { infinite: Number.POSITIVE_INFINITY, missing: undefined, list: [undefined, 1] })
    const expected = { bytes: null, xml: null, xmlText: null, doc: null, nan: null, big: null }
    expect(view.content()).toStrictEqual({ ...expected, plain: { infinite: null, list: [null, 1] } })
    write({ ...expected, plain: 1 })
    expect(root.get('xml'), 'what is not written stays').toBeInstanceOf(Y.XmlElement)
  })

  it('no key reaches a prototype', () => {
    const { doc, view } = open('json', {})
    const root = doc.getMap<unknown>('content')
    root.set('__proto__', { polluted: true })
    root.set('plain', JSON.parse('{"__proto__":{"polluted":true}}'))
    const copy = new Y.Doc()
    const seen = new ContentView(copy, 'json', 'content')
    Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc))
    for (const content of [view.content(), seen.content()]) {
      const plain = (content as JsonObject)['plain']
      expect(Object.hasOwn(content as JsonObject, '__proto__'), 'it is plain data').toBe(true)
      expect(Object.getPrototypeOf(content)).toBe(Object.prototype)
      expect(Object.getPrototypeOf(plain)).toBe(Object.prototype)
      expect((content as { polluted?: boolean }).polluted).toBeUndefined()
      expect((plain as { polluted?: boolean }).polluted).toBeUndefined()
    }
  })

  it('an edit leaves unchanged subtrees the same objects', () => {
    const { doc, view } = open('json', { a: { deep: [1] }, b: { x: 1 } })
    doc.getMap<unknown>('content').set('plain', { p: [1] })
    const before = view.content() as JsonObject
    const b = doc.getMap<unknown>('content').get('b')
    if (b instanceof Y.Map) b.set('x', 2)
    const after = view.content() as JsonObject
    expect(after).toEqual({ a: { deep: [1] }, b: { x: 2 }, plain: { p: [1] } })
    expect(after['a']).toBe(before['a'])
    expect(after['plain']).toBe(before['plain'])
    expect(view.content()).toBe(after)
    expect(view.takeEffect()).toEqual({
      kind: 'json',
      edits: [
        { at: ['plain'], value: { p: [1] } },
        { at: ['b', 'x'], value: 2 },
      ],
    })
  })

  it('reads and writes within an open transaction as it is by then', () => {
    const { doc, view } = open('json', { a: 1, o: { p: 1 } })
    doc.transact(() => {
      view.write({ a: 2, o: { p: 1 } })
      expect(view.content()).toEqual({ a: 2, o: { p: 1 } })
      view.write({ a: 2, o: { p: 2 } })
      view.write({ a: 3, o: { p: 2 }, b: [1] })
    })
    expect(view.content()).toEqual({ a: 3, o: { p: 2 }, b: [1] })
    expect(applyEffect({ a: 1, o: { p: 1 } }, view.takeEffect())).toEqual({ a: 3, o: { p: 2 }, b: [1] })
  })

  it('bytes are those of the JSON, whatever changed', () => {
    const { view, write } = open('json', { a: { 'é"': ['x', 1, null] } })
    for (const content of [{ a: { 'é"': ['x', 1, null] } }, { a: { 'é"': ['😀', -0] }, b: [] }, {}]) {
      write(content)
      expect(view.bytes()).toBe(contentBytes(content))
    }
  })

  it('follows no more once destroyed', () => {
    const { doc, view, write } = open('json', { a: 1 })
    const before = view.content()
    view.destroy()
    write({ a: 2 })
    expect(doc.getMap('content').get('a')).toBe(2)
    expect(view.content()).toBe(before)
  })
})
