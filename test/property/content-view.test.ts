import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { isObject, type Content, type JsonValue, type Kind } from '../../server/content/content.ts'
import { applyEffect, effectBetween } from '../../server/content/effect.ts'
import { contentBytes, contentEquals } from '../../server/content/equal.ts'
import { merge } from '../../server/content/merge.ts'
import { ContentView } from '../../server/content/view.ts'
import { jsonObject, jsonValue, text } from '../support/contentArbitraries.ts'

const RUNS = { numRuns: 150 }

/** What one step of a random session does; numbers are taken modulo what there is. */
interface Step {
  who: number
  what: number
  at: number
  length: number
  string: string
  value: JsonValue
  content: Content
}

const steps = (kind: Kind): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.record({
      who: fc.nat(3),
      what: fc.nat(11),
      at: fc.nat(40),
      length: fc.nat(5),
      string: text(),
      value: jsonValue(),
      content: kind === 'text' ? text() : jsonObject(),
    }),
    { minLength: 1, maxLength: 25 },
  )

interface Session {
  readonly server: Y.Doc
  readonly view: ContentView
  readonly clients: readonly { doc: Y.Doc; undo: Y.UndoManager }[]
}

function startSession(kind: Kind): Session {
  const server = new Y.Doc()
  server.clientID = 1_000
  const view = new ContentView(server, kind, 'content')
  const clients = [2, 3, 4].map((clientID) => {
    const doc = new Y.Doc()
    doc.clientID = clientID
    const root = kind === 'text' ? doc.getText('content') : doc.getMap('content')
    return { doc, undo: new Y.UndoManager(root, { captureTimeout: 0 }) }
  })
  return { server, view, clients }
}

/** A client edits, undoes, or exchanges what it has with the server; or the server writes over REST. */
function perform({ server, view, clients }: Session, step: Step, edit: (doc: Y.Doc, step: Step) => void): void {
  const client = clients[step.who]
  if (!client || step.what === 0) server.transact(() => view.write(step.content))
  else if (step.what === 1) client.undo.undo()
  else if (step.what === 2) client.undo.redo()
  else if (step.what === 3) Y.applyUpdate(server, Y.encodeStateAsUpdate(client.doc, Y.encodeStateVector(server)))
  else if (step.what === 4) Y.applyUpdate(client.doc, Y.encodeStateAsUpdate(server))
  else client.doc.transact(() => edit(client.doc, step))
}

function editText(doc: Y.Doc, { what, at, length, string }: Step): void {
  const type = doc.getText('content')
  const index = at % (type.length + 1)
  const span = Math.min(length, type.length - index)
  if (what <= 7) type.insert(index, string)
  else if (what === 8) type.delete(index, span)
  else if (what === 9) type.format(index, span, { bold: length % 2 === 0 ? true : null })
  else if (what === 10) type.insertEmbed(index, { image: string })
  else type.insert(index, string, { italic: true })
}

/** Any place in the tree of shared types of a json root. */
function containers(type: Y.Map<unknown> | Y.Array<unknown>): (Y.Map<unknown> | Y.Array<unknown> | Y.Text)[] {
  const children = type instanceof Y.Map ? [...type.values()] : type.toArray()
  return [
    type,
    ...children.flatMap((child) => {
      if (child instanceof Y.Map || child instanceof Y.Array) return containers(child)
      return child instanceof Y.Text ? [child] : []
    }),
  ]
}

function sharedValue({ what, string, value }: Step): unknown {
  // A client cannot set such an object by the API of Yjs, but within another plain value it can.
  const plain = isObject(value) && Object.hasOwn(value, 'constructor') ? [value] : value
  if (what === 5) return new Y.Text(string)
  if (what === 6)
    return new Y.Map<unknown>([
      ['a', plain],
      ['b', new Y.Array()],
    ])
  if (what === 7) return Y.Array.from([new Y.Map(), new Y.Text(string)])
  return plain
}

function editJson(doc: Y.Doc, step: Step): void {
  const places = containers(doc.getMap('content'))
  const place = places[step.at % places.length]
  if (place instanceof Y.Text) {
    if (step.what % 2 === 0) place.delete(0, Math.min(step.length, place.length))
    else place.insert(Math.min(step.length, place.length), step.string)
  } else if (place instanceof Y.Map) {
    const key = ['a', 'b', 'c', '0', ''][step.length % 5] ?? ''
    if (step.what === 11) place.delete(key)
    else place.set(key, sharedValue(step))
  } else if (place) {
    const index = step.length % (place.length + 1)
    if (step.what === 11) place.delete(index, Math.min(2, place.length - index))
    else place.insert(index, [sharedValue(step), 1])
  }
}

describe.each<[Kind, (doc: Y.Doc, step: Step) => void]>([
  ['text', editText],
  ['json', editJson],
])('ContentView of a %s', (kind, edit) => {
  it('[DOC-8] its effects lead exactly from content to content, whatever comes in', () => {
    fc.assert(
      fc.property(steps(kind), fc.nat(3), (all, pause) => {
        const session = startSession(kind)
        let told = session.view.content()
        for (const [index, step] of all.entries()) {
          perform(session, step, edit)
          if (index % (pause + 1) !== 0) continue
          const effect = session.view.takeEffect()
          const content = session.view.content()
          expect(contentEquals(applyEffect(told, effect), content)).toBe(true)
          expect(effect === null).toBe(contentEquals(told, content))
          expect(session.view.bytes()).toBe(contentBytes(content))
          const fresh = new ContentView(session.server, kind, 'content')
          expect(fresh.content()).toEqual(content)
          fresh.destroy()
          told = content
        }
        const reloaded = new Y.Doc()
        Y.applyUpdate(reloaded, Y.encodeStateAsUpdate(session.server))
        expect(new ContentView(reloaded, kind, 'content').content()).toEqual(session.view.content())
      }),
      RUNS,
    )
  })

  it('[DOC-8] a write makes the content exactly what is wanted, whatever clients put there', () => {
    fc.assert(
      fc.property(steps(kind), kind === 'text' ? text() : jsonObject(), (all, wanted: Content) => {
        const session = startSession(kind)
        for (const step of all) perform(session, step, edit)
        for (const { doc } of session.clients) Y.applyUpdate(session.server, Y.encodeStateAsUpdate(doc))
        session.server.transact(() => session.view.write(wanted))
        expect(contentEquals(session.view.content(), wanted)).toBe(true)
        const copy = new Y.Doc()
        Y.applyUpdate(copy, Y.encodeStateAsUpdate(session.server))
        expect(contentEquals(new ContentView(copy, kind, 'content').content(), wanted)).toBe(true)
        let updates = 0
        session.server.on('update', () => (updates += 1))
        session.server.transact(() => session.view.write(wanted))
        expect(updates, 'writing it again changes nothing').toBe(0)
      }),
      RUNS,
    )
  })
})

describe('a write while others edit elsewhere', () => {
  const edits = fc.array(fc.record({ by: fc.constantFrom('rest', 'live', 'none'), to: text() }), {
    minLength: 1,
    maxLength: 8,
  })

  it('[DOC-8] both survive in a text', () => {
    fc.assert(
      fc.property(edits, (all) => {
        const write = (sides: readonly string[]): string =>
          all
            .map(({ by, to }, i) => `line ${i}: ${sides.includes(by) ? to.replaceAll('\n', '') : 'old'}\nkept ${i}`)
            .join('\n')
        const { server, view } = startSession('text')
        server.transact(() => view.write(write([])))
        const client = new Y.Doc()
        client.clientID = 9
        Y.applyUpdate(client, Y.encodeStateAsUpdate(server))
        const theirs = new ContentView(client, 'text', 'content')
        client.transact(() => theirs.write(write(['live'])))
        server.transact(() => view.write(write(['rest'])))
        Y.applyUpdate(server, Y.encodeStateAsUpdate(client))
        Y.applyUpdate(client, Y.encodeStateAsUpdate(server))
        expect(view.content()).toBe(write(['rest', 'live']))
        expect(theirs.content()).toBe(view.content())
        expect(merge(write([]), write(['rest']), write(['live'])).content).toBe(view.content())
      }),
      RUNS,
    )
  })

  it('[DOC-8] both survive in a json', () => {
    fc.assert(
      fc.property(jsonObject(), edits, (base, all) => {
        const write = (sides: readonly string[]): Content => ({
          ...base,
          list: all.map(({ by, to }, i) => ({ id: i, kept: [i], own: sides.includes(by) ? to : 'old' })),
        })
        const { server, view } = startSession('json')
        server.transact(() => view.write(write([])))
        const client = new Y.Doc()
        client.clientID = 9
        Y.applyUpdate(client, Y.encodeStateAsUpdate(server))
        const theirs = new ContentView(client, 'json', 'content')
        client.transact(() => theirs.write(write(['live'])))
        server.transact(() => view.write(write(['rest'])))
        Y.applyUpdate(server, Y.encodeStateAsUpdate(client))
        expect(contentEquals(view.content(), write(['rest', 'live']))).toBe(true)
      }),
      RUNS,
    )
  })
})

/** One key or one passage that somebody puts in or takes out, who has seen as much as `lag` says. */
const key = fc.record({
  who: fc.nat(2),
  lag: fc.constantFrom(0, 0, 0, 1, 3),
  at: fc.nat(60),
  gone: fc.integer({ min: 1, max: 3 }),
  come: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom('a', 'b', 'long ') },
    { weight: 2, arbitrary: fc.constantFrom('', 'x😀y', 'x😁z', '😀', '\ud83d', '\ude00', '\ufffd', '\n') },
    { weight: 1, arbitrary: text() },
  ),
  what: fc.nat(20),
})

it('[DOC-8] a text that is followed key by key is the text that is read, and so are size and effect', () => {
  const seen = { keys: 0, read: 0 }
  fc.assert(
    fc.property(fc.array(key, { minLength: 30, maxLength: 60 }), text(), fc.boolean(), (keys, begin, isTidy) => {
      const { server, view, clients } = startSession('text')
      server.gc = isTidy
      server.transact(() => view.write(begin))
      view.takeEffect()
      const sent: Uint8Array[] = [Y.encodeStateAsUpdate(server)]
      const shared = server.getText('content')
      const readAll = shared.toString.bind(shared)
      let reads = 0
      shared.toString = () => {
        reads += 1
        return readAll()
      }
      const known = clients.map(() => 0)
      for (const { doc } of clients) {
        // Each of its transactions comes to the server by itself, as from a socket.
        doc.on('update', (update: Uint8Array, origin: unknown) => {
          if (origin === 'from the server') return
          const before = view.content()
          reads = 0
          Y.applyUpdate(server, update)
          sent.push(update)
          const after = view.content()
          const effect = view.takeEffect()
          seen.keys += 1
          if (reads > 0) seen.read += 1
          expect(after).toBe(readAll())
          expect(effect).toEqual(effectBetween(before, after))
          expect(view.bytes()).toBe(contentBytes(after))
        })
      }
      for (const { who, lag, at, gone, come, what } of keys) {
        const doc = clients[who]?.doc ?? expect.fail()
        const upTo = Math.max(known[who] ?? 0, sent.length - lag)
        for (const update of sent.slice(known[who], upTo)) Y.applyUpdate(doc, update, 'from the server')
        known[who] = upTo
        const type = doc.getText('content')
        const index = at % (type.length + 1)
        if (what === 0) type.format(index, Math.min(gone, type.length - index), { bold: true })
        else if (what === 1) type.insertEmbed(index, { image: come })
        else if (what === 2)
          doc.transact(() => (type.delete(index, Math.min(gone, type.length - index)), type.insert(index, come)))
        else if (what < 7) type.delete(index, Math.min(gone, type.length - index))
        else type.insert(index, come)
      }
    }),
    { numRuns: 150 },
  )
  // Most keys read nothing, or nothing is proved.
  expect(seen.read / seen.keys).toBeLessThan(0.5)
})
