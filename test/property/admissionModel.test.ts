import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import type { Content, JsonObject, JsonValue, Kind } from '../../server/content/content.ts'
import { ContentView } from '../../server/content/view.ts'
import { Kept } from '../../server/documents/admission/kept.ts'
import type { Admission } from '../../server/documents/admission/admission.ts'
import { toPrincipalId, type PrincipalId } from '../../server/foundation/ids.ts'
import { Draws } from '../support/randomEdits.ts'

const LIMITS = { maxBytes: 9_000, maxDepth: 5, maxNodes: 30 }
const MAX_POINTER = 4_096
const SERVER = 4_000_000_000

interface Size {
  readonly bytes: number
  readonly nodes: number
  readonly depth: number
  readonly pointer: number
}

/** Counted anew from the plain content, by nothing that the server uses. */
function recount(content: Content): Size {
  if (typeof content === 'string') return { bytes: Buffer.byteLength(content), nodes: 1, depth: 1, pointer: 0 }
  const size = { bytes: Buffer.byteLength(JSON.stringify(content)), nodes: 0, depth: 0, pointer: 0 }
  const visit = (value: JsonValue, depth: number, pointer: string): void => {
    size.nodes += 1
    size.pointer = Math.max(size.pointer, pointer.length)
    if (typeof value !== 'object' || value === null) return
    size.depth = Math.max(size.depth, depth)
    for (const [key, inner] of Object.entries(value)) {
      visit(inner, depth + 1, `${pointer}/${key.replace(/~/g, '~0').replace(/\//g, '~1')}`)
    }
  }
  visit(content, 1, '')
  return size
}

/** Whether a content breaks a limit further than the one before did. */
function isWorse(after: Size, before: Size): boolean {
  const past = (part: keyof Size, most: number): boolean => after[part] > most && after[part] > before[part]
  return (
    past('bytes', LIMITS.maxBytes) ||
    past('nodes', LIMITS.maxNodes) ||
    past('depth', LIMITS.maxDepth) ||
    past('pointer', MAX_POINTER)
  )
}

const KEYS = ['a', 'b', '~/', 'k'.repeat(1_400), 'l'.repeat(2_600)] as const
const TEXTS = ['x', 'é', '😀', '\u0001', 'word '.repeat(30), 'long '.repeat(800)] as const

const contentOf = (doc: Y.Doc, kind: Kind): string => JSON.stringify(new ContentView(doc, kind, 'content').content())

type Shared = Y.Map<unknown> | Y.Array<unknown> | Y.Text

const isShared = (value: unknown): value is Shared =>
  value instanceof Y.Map || value instanceof Y.Array || value instanceof Y.Text

/** The map and every type nested in it. */
function typesIn(map: Y.Map<unknown>): Shared[] {
  const found: Shared[] = [map]
  for (const type of found) {
    if (type instanceof Y.Map) found.push(...[...type.values()].filter(isShared))
    else if (type instanceof Y.Array) found.push(...type.toArray().filter(isShared))
  }
  return found
}

/** A server's copy and three editors, of which some have what others brought and some have not. */
class Scene {
  readonly kind: Kind
  readonly draws: Draws
  readonly doc = new Y.Doc()
  readonly view: ContentView
  readonly kept: Kept
  readonly editors: readonly Y.Doc[]
  readonly owners = new Map<number, PrincipalId>()
  /** Edits that wait: made on what their author had then. */
  readonly waiting: { readonly by: number; readonly update: Uint8Array }[] = []
  readonly seen = { admitted: 0, refused: 0 }

  constructor(kind: Kind, draws: Draws) {
    this.kind = kind
    this.draws = draws
    this.doc.clientID = SERVER
    this.view = new ContentView(this.doc, kind, 'content')
    this.kept = new Kept({ doc: this.doc, view: this.view, kind, root: 'content', limits: LIMITS })
    this.editors = [1, 2, 3].map((client) => Object.assign(new Y.Doc(), { clientID: client }))
    // As after a restart with smaller limits, where much is past one already.
    if (draws.below(4) === 0) this.doc.transact(() => this.view.write(this.#pastLimits()))
  }

  #pastLimits(): Content {
    if (this.kind === 'text') return 'x'.repeat(LIMITS.maxBytes + 500)
    return { ['p'.repeat(3_000)]: { ['q'.repeat(3_000)]: [[[[1]]]] }, many: Array.from({ length: 40 }, () => 0) }
  }

  step(): void {
    const by = this.draws.below(this.editors.length)
    const editor = this.editors[by]
    if (!editor) return
    switch (this.draws.below(8)) {
      case 0:
        return this.write()
      case 1:
        return Y.applyUpdate(editor, Y.encodeStateAsUpdate(this.doc))
      case 2:
        return void this.waiting.push({ by, update: this.edited(editor) })
      case 3: {
        const [left] = this.waiting.splice(0, 1)
        return left && this.bring(left.by, left.update)
      }
      case 4:
        return this.bring(by, Y.encodeStateAsUpdate(editor))
      default:
        return this.bring(by, this.edited(editor))
    }
  }

  /** An edit of the editor, with all that the server lacks. */
  edited(editor: Y.Doc): Uint8Array {
    const known = Y.encodeStateVector(this.doc)
    editor.transact(() => (this.kind === 'text' ? this.#editText(editor) : this.#editJson(editor)))
    return Y.encodeStateAsUpdate(editor, known)
  }

  #editText(editor: Y.Doc): void {
    const text = editor.getText('content')
    const at = this.draws.below(text.length + 1)
    if (this.draws.below(3) === 0) text.delete(at, Math.min(text.length - at, 1 + this.draws.below(900)))
    else text.insert(at, this.draws.oneOf(TEXTS))
  }

  #editJson(editor: Y.Doc): void {
    if (this.draws.below(10) === 0) editor.getMap('aside').set('bytes', new Uint8Array(this.draws.below(3_000)))
    const type = this.draws.oneOf(typesIn(editor.getMap('content')))
    if (type instanceof Y.Text) type.insert(0, this.draws.oneOf(TEXTS))
    else if (type instanceof Y.Array) {
      if (type.length > 0 && this.draws.below(3) === 0) type.delete(0, 1)
      else type.insert(this.draws.below(type.length + 1), [this.#value()])
    } else if (type instanceof Y.Map) {
      if (this.draws.below(4) === 0) type.delete(this.draws.oneOf(KEYS))
      else type.set(this.draws.oneOf(KEYS), this.#value())
    }
  }

  #value(): unknown {
    const values = [
      () => new Y.Map(),
      () => new Y.Text('t'),
      () => Y.Array.from([1, 2, 3]),
      () => null,
      () => ({ a: { b: [0] }, missing: undefined }),
      () => [[1, 2]],
      () => 'y'.repeat(1_500),
    ]
    return this.draws.oneOf(values)()
  }

  /** As a REST write does it. */
  write(): void {
    const before = recount(this.view.content())
    const content = this.#content()
    const breach = this.kept.refusesContent(content)
    expect(breach !== null, 'a write is refused exactly where it makes a breach worse').toBe(
      isWorse(recount(content), before),
    )
    if (breach === null) this.doc.transact(() => this.view.write(content))
    this.#look()
  }

  #content(): Content {
    if (this.kind === 'text') return this.draws.oneOf(TEXTS).repeat(1 + this.draws.below(4))
    const content: JsonObject = {}
    for (let n = this.draws.below(4); n > 0; n--) {
      content[this.draws.oneOf(KEYS)] = this.draws.oneOf<JsonValue>([
        { [this.draws.oneOf(KEYS)]: [1, 2] },
        Array.from({ length: this.draws.below(40) }, (_, i) => i),
        [[[[[1]]]]],
        'z'.repeat(this.draws.below(9_000)),
      ])
    }
    return content
  }

  bring(by: number, update: Uint8Array): void {
    const principal = toPrincipalId(`editor ${by}`)
    const before = recount(this.view.content())
    const state = Y.encodeStateAsUpdate(this.doc)
    const known = new Set(this.doc.store.clients.keys())
    const admission = this.kept.admit(update, { principal, userOf: () => null, isOwn: () => true, takes: 'part' })
    expect(Buffer.compare(Y.encodeStateAsUpdate(this.doc), state), 'asking changes nothing').toBe(0)
    if (admission.admitted) {
      this.seen.admitted += 1
      Y.applyUpdate(this.doc, admission.update)
      this.kept.applied(principal)
      for (const client of admission.extended) if (!known.has(client)) this.owners.set(client, principal)
      expect(isWorse(recount(this.view.content()), before), 'what was admitted makes no breach worse').toBe(false)
    } else {
      this.seen.refused += 1
      this.#expectRightlyRefused(admission, update, before)
      // As a page does that was refused: it begins anew.
      const anew = this.editors[by]
      if (anew) this.#reset(anew)
    }
    this.#look()
  }

  #expectRightlyRefused(admission: Extract<Admission, { admitted: false }>, update: Uint8Array, before: Size): void {
    if (!admission.reason.startsWith('Content') && !admission.reason.startsWith('The pointer')) return
    const copy = new Y.Doc()
    Y.applyUpdate(copy, Y.encodeStateAsUpdate(this.doc))
    Y.applyUpdate(copy, update)
    const after = recount(new ContentView(copy, this.kind, 'content').content())
    expect(isWorse(after, before), `${admission.reason} is true`).toBe(true)
  }

  /** Its own edits that were refused are undone by deleting all and taking the server's. */
  #reset(editor: Y.Doc): void {
    const index = this.editors.indexOf(editor)
    const anew = Object.assign(new Y.Doc(), { clientID: 10 + this.seen.refused * 3 + index })
    Y.applyUpdate(anew, Y.encodeStateAsUpdate(this.doc))
    Object.assign(this.editors, { [index]: anew })
  }

  /** Whatever is there can be loaded, read, reconnected to, and shortened. */
  #look(): void {
    expect([this.doc.store.pendingStructs, this.doc.store.pendingDs]).toEqual([null, null])
    const loaded = new Y.Doc()
    Y.applyUpdate(loaded, Y.encodeStateAsUpdate(this.doc))
    expect(contentOf(loaded, this.kind)).toBe(JSON.stringify(this.view.content()))
    const { bytes, nodes, depth, pointer } = recount(this.view.content())
    expect(this.view.size()).toEqual({ bytes, nodes, depth, pointerUnits: pointer })
    expect(this.kept.refusesContent(this.kind === 'text' ? '' : {})).toBeNull()
    expect(this.kept.refusesContent(this.view.content())).toBeNull()
    for (const [client, owner] of this.owners) expect(this.kept.ownerOf(client)).toBe(owner)
  }

  /** A stock client that has the document takes something out of it, which is always admitted. */
  shorten(): void {
    const client = Object.assign(new Y.Doc(), { clientID: 9 })
    Y.applyUpdate(client, Y.encodeStateAsUpdate(this.doc, Y.encodeStateVector(client)))
    const known = Y.encodeStateVector(this.doc)
    if (this.kind === 'text') client.getText('content').delete(0, Math.ceil(client.getText('content').length / 2))
    else for (const key of [...client.getMap('content').keys()].slice(0, 1)) client.getMap('content').delete(key)
    const update = Y.encodeStateAsUpdate(client, known)
    const admission = this.kept.admit(update, { principal: toPrincipalId('late'), userOf: () => null, takes: 'whole' })
    expect(admission).toMatchObject({ admitted: true, left: null })
    Y.applyUpdate(this.doc, update)
    Y.applyUpdate(client, Y.encodeStateAsUpdate(this.doc, Y.encodeStateVector(client)))
    expect(contentOf(client, this.kind)).toBe(JSON.stringify(this.view.content()))
  }
}

describe('[DOC-10] admission against a plain recount', () => {
  it.each(['text', 'json'] as const)('[DOC-10] of a %s admits and refuses exactly what it says', (kind) => {
    const seen = { admitted: 0, refused: 0 }
    fc.assert(
      fc.property(fc.array(fc.nat(10_000), { minLength: 200, maxLength: 200 }), (numbers) => {
        const scene = new Scene(kind, new Draws(numbers))
        for (let round = 0; round < 25; round++) scene.step()
        scene.shorten()
        seen.admitted += scene.seen.admitted
        seen.refused += scene.seen.refused
      }),
      { numRuns: 100 },
    )
    expect(seen.admitted).toBeGreaterThan(50)
    expect(seen.refused, 'limits were met').toBeGreaterThan(5)
  })
})
