import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import type { Kind } from '../../server/content/content.ts'
import { toPrincipalId } from '../../server/foundation/ids.ts'
import { admit } from '../../server/documents/admission/admission.ts'

/** Small random numbers from a seed, so that a failing run can be repeated. */
class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  below(n: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((this.#state / 2 ** 32) * n)
  }

  chance(percent: number): boolean {
    return this.below(100) < percent
  }

  one<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)]
    if (item === undefined) throw new Error('nothing to choose from')
    return item
  }
}

function editText(dice: Dice, text: Y.Text): void {
  const at = dice.below(text.length + 1)
  const left = text.length - at
  const act = dice.below(7)
  if (act < 3) text.insert(at, dice.one(['a', 'bc', 'é', 'xyz\n']), dice.chance(30) ? { bold: true } : undefined)
  else if (act === 3) text.insertEmbed(at, dice.chance(50) ? { image: 1 } : new Y.Map([['k', 1]]))
  else if (left > 0 && act < 6) text.delete(at, 1 + dice.below(Math.min(5, left)))
  else if (left > 0) text.format(at, 1, { italic: dice.chance(50) ? true : null })
}

/** The map and every type nested in it. */
function typesIn(map: Y.Map<unknown>): (Y.Map<unknown> | Y.Array<unknown> | Y.Text)[] {
  const found: (Y.Map<unknown> | Y.Array<unknown> | Y.Text)[] = [map]
  for (const type of found) {
    const children = type instanceof Y.Map ? [...type.values()] : type instanceof Y.Array ? type.toArray() : []
    for (const child of children) {
      if (child instanceof Y.Map || child instanceof Y.Array || child instanceof Y.Text) found.push(child)
    }
  }
  return found
}

function editJson(dice: Dice, map: Y.Map<unknown>): void {
  const type = dice.one(typesIn(map))
  const value = () =>
    dice.one([
      () => 1,
      () => 's',
      () => null,
      () => ({ a: [1, { b: 2 }] }),
      () => new Y.Map(),
      () => Y.Array.from([1]),
      () => new Y.Text('q'),
    ])()
  if (type instanceof Y.Text) editText(dice, type)
  else if (type instanceof Y.Array) {
    if (type.length > 0 && dice.chance(40)) type.delete(dice.below(type.length), 1)
    else type.insert(dice.below(type.length + 1), [value(), value()])
  } else if (dice.chance(25)) type.delete(dice.one(['a', 'b', 'c']))
  else type.set(dice.one(['a', 'b', 'c']), value())
}

function newDoc(kind: Kind, client: number): Y.Doc {
  const doc = new Y.Doc()
  doc.clientID = client
  if (kind === 'text') doc.getText('content')
  else doc.getMap('content')
  return doc
}

const offer = (update: Uint8Array, doc: Y.Doc, kind: Kind) =>
  admit(update, {
    doc,
    kind,
    root: 'content',
    limits: { maxBytes: 10 * 1024 * 1024, maxDepth: 64, maxNodes: 100_000 },
    owners: new Map(),
    formerClients: new Map(),
    principal: toPrincipalId('p'),
    userOf: () => null,
    takes: 'whole',
  })

/** Three editors, online and offline in turns, and the server they meet at. */
class Session {
  readonly server: Y.Doc
  readonly editors: readonly Y.Doc[]
  readonly #kind: Kind
  readonly #dice: Dice
  readonly #undo: Map<Y.Doc, Y.UndoManager>

  constructor(kind: Kind, dice: Dice) {
    this.#kind = kind
    this.#dice = dice
    this.server = newDoc(kind, 4_000_000_000)
    this.editors = [1, 2, 3].map((n) => newDoc(kind, n * 1_000 + dice.below(1_000)))
    const root = (doc: Y.Doc) => (kind === 'text' ? doc.getText('content') : doc.getMap('content'))
    this.#undo = new Map(this.editors.map((doc) => [doc, new Y.UndoManager(root(doc), { captureTimeout: 0 })]))
  }

  edit(editor: Y.Doc): void {
    if (this.#dice.chance(10)) this.#undo.get(editor)?.undo()
    else if (this.#kind === 'text') editText(this.#dice, editor.getText('content'))
    else editJson(this.#dice, editor.getMap('content'))
  }

  /** Everything the editor has, now and then with what the server knows already. */
  answer(editor: Y.Doc): Uint8Array {
    return this.#dice.chance(80)
      ? Y.encodeStateAsUpdate(editor, Y.encodeStateVector(this.server))
      : Y.encodeStateAsUpdate(editor)
  }

  bring(editor: Y.Doc): void {
    const update = this.answer(editor)
    expect(offer(update, this.server, this.#kind)).toMatchObject({ admitted: true, left: null })
    Y.applyUpdate(this.server, update)
    expect(this.server.store.pendingStructs).toBeNull()
    expect(this.server.store.pendingDs).toBeNull()
  }

  run(rounds: number): void {
    for (let round = 0; round < rounds; round++) {
      const editor = this.#dice.one(this.editors)
      this.edit(editor)
      if (this.#dice.chance(40)) this.bring(editor)
      if (this.#dice.chance(30)) Y.applyUpdate(this.#dice.one(this.editors), Y.encodeStateAsUpdate(this.server))
      // Editors may hear from each other without the server, as tabs of one browser do.
      if (this.#dice.chance(10)) Y.applyUpdate(this.#dice.one(this.editors), Y.encodeStateAsUpdate(editor))
    }
  }
}

/** Bytes that mean something in an update, so that mutations often stay readable. */
const TELLING = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 127, 0x84, 0x44, 0x27, 0xa8] as const

function mutate(update: Uint8Array, dice: Dice): Uint8Array {
  const mutated = Uint8Array.from(update)
  for (let times = 1 + dice.below(3); times > 0; times--) {
    const at = dice.below(mutated.length)
    mutated[at] = dice.chance(50) ? dice.one(TELLING) : (mutated[at] ?? 0) ^ (1 << dice.below(8))
  }
  return mutated
}

const kinds = fc.constantFrom<Kind>('text', 'json')

describe('the guard', () => {
  it('[SYNC-1] admits whatever honest editors bring, in whatever order, and leaves nothing pending', () => {
    fc.assert(
      fc.property(kinds, fc.nat(), (kind, seed) => {
        const session = new Session(kind, new Dice(seed))
        session.run(40)
        for (const editor of session.editors) session.bring(editor)
        for (const editor of session.editors) Y.applyUpdate(editor, Y.encodeStateAsUpdate(session.server))
        const [first, ...others] = session.editors.map((editor) =>
          kind === 'text' ? JSON.stringify(editor.getText('content').toDelta()) : editor.getMap('content').toJSON(),
        )
        for (const other of others) expect(other).toEqual(first)
      }),
      { numRuns: 40 },
    )
  })

  it('[SYNC-6] admits nothing that throws when it is applied, stays pending, or cannot be loaded again', () => {
    let admitted = 0
    fc.assert(
      fc.property(kinds, fc.nat(), (kind, seed) => {
        const dice = new Dice(seed)
        const session = new Session(kind, dice)
        session.run(15)
        const state = Y.encodeStateAsUpdate(session.server)
        const editor = dice.one(session.editors)
        session.edit(editor)
        const honest = session.answer(editor)
        for (let times = 0; times < 20; times++) {
          const update = mutate(honest, dice)
          const doc = newDoc(kind, 4_000_000_000)
          Y.applyUpdate(doc, state)
          if (!offer(update, doc, kind).admitted) continue
          admitted += 1
          Y.applyUpdate(doc, update)
          expect(doc.store.pendingStructs).toBeNull()
          expect(doc.store.pendingDs).toBeNull()
          Y.applyUpdate(newDoc(kind, 1), Y.encodeStateAsUpdate(doc))
        }
      }),
      { numRuns: 40 },
    )
    expect(admitted, 'mutations that came through').toBeGreaterThan(20)
  })
})
