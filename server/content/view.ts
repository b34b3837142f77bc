import type * as Y from 'yjs'
import { invariant } from '../foundation/assert.ts'
import { isObject, kindOf, type Content, type JsonObject, type JsonValue, type Kind, type Path } from './content.ts'
import { effectBetween, type Effect } from './effect.ts'
import { readJson, sharedAt, writeJson, type PlainValues, type SharedAt } from './json.ts'
import { bracketBytes, scalarBytes } from './limits.ts'
import { readText, writeText } from './text.ts'

/**
 * The plain content of one root of a Y.Doc. It is read when asked for and kept until the root changes; of a
 * json content only what changed is read again, so that unchanged subtrees stay the same objects.
 */
export class ContentView {
  readonly kind: Kind
  readonly #doc: Y.Doc
  readonly #root: Root
  readonly #plain: PlainValues = new WeakMap()
  readonly #sizes: Sizes = new WeakMap()
  #content: Content | null = null
  /** The content at the last `takeEffect`. */
  #taken: Content
  /** The newest write, whose effect need not be found a second time if nothing else came of it. */
  #written: { readonly from: Content; readonly to: Content; readonly effect: Effect } | null = null

  constructor(doc: Y.Doc, kind: Kind, root: string) {
    this.kind = kind
    this.#doc = doc
    this.#root = kind === 'text' ? { kind, type: doc.getText(root) } : { kind, type: doc.getMap(root) }
    this.#taken = this.content()
    doc.on('afterTransaction', this.#forgetChanged)
  }

  /** The content now, also within a transaction. Shared between callers: never change it. */
  content(): Content {
    if (this.#isChanging()) return this.#read(new WeakMap())
    this.#content ??= this.#read(this.#plain)
    return this.#content
  }

  /** What shared type stands at a path of a json content. */
  sharedAt(path: Path): SharedAt | null {
    return this.#root.kind === 'json' ? sharedAt(this.#root.type, path) : null
  }

  /** Turns the content into `to` by the smallest change (SPEC DOC-8). Call it within `doc.transact`. */
  write(to: Content): void {
    invariant(kindOf(to) === this.kind, 'the kind of a document never changes')
    const from = this.content()
    const effect = effectBetween(from, to)
    this.#written = { from, to, effect }
    if (effect?.kind === 'text' && this.#root.kind === 'text') writeText(this.#root.type, effect.delta)
    if (effect?.kind === 'json' && this.#root.kind === 'json') writeJson(this.#root.type, effect.edits)
  }

  /** What all transactions since the last call, or since the start, did to the content; null for nothing. */
  takeEffect(): Effect {
    const before = this.#taken
    this.#taken = this.content()
    const written = this.#written
    this.#written = null
    // Texts only: of a json content the parts that stayed are the same objects, and comparing them is cheap.
    const isWritten = this.kind === 'text' && written?.from === before && written.to === this.#taken
    return isWritten ? written.effect : effectBetween(before, this.#taken)
  }

  /** UTF-8 bytes of the content as `contentBytes` counts them; of a json content only what changed is counted. */
  bytes(): number {
    const content = this.content()
    return typeof content === 'string' ? Buffer.byteLength(content) : jsonBytes(content, this.#sizes)
  }

  /** Stops following the document. */
  destroy(): void {
    this.#doc.off('afterTransaction', this.#forgetChanged)
  }

  readonly #forgetChanged = (transaction: Y.Transaction): void => {
    const changed: ReadonlyMap<object, unknown> = transaction.changedParentTypes
    if (!changed.has(this.#root.type)) return
    this.#content = null
    for (const type of changed.keys()) this.#plain.delete(type)
  }

  /** A transaction is open and has changed something, of which nobody is told before its end. */
  #isChanging(): boolean {
    return (this.#doc._transaction?.changed.size ?? 0) > 0
  }

  #read(plain: PlainValues): Content {
    return this.#root.kind === 'text' ? readText(this.#root.type) : readJson(this.#root.type, plain)
  }
}

type Root = { readonly kind: 'text'; readonly type: Y.Text } | { readonly kind: 'json'; readonly type: Y.Map<unknown> }

type Sizes = WeakMap<JsonObject | JsonValue[], number>

/** Bytes of the JSON without white space; sizes of objects and arrays are kept, which never change. */
function jsonBytes(value: JsonValue, sizes: Sizes): number {
  if (!Array.isArray(value) && !isObject(value)) return scalarBytes(value)
  const known = sizes.get(value)
  if (known !== undefined) return known
  const items = Array.isArray(value) ? value : Object.values(value)
  const keys = Array.isArray(value) ? [] : Object.keys(value)
  const inside = items.reduce<number>((sum, item) => sum + jsonBytes(item, sizes), bracketBytes(items.length))
  const bytes = keys.reduce((sum, key) => sum + scalarBytes(key) + 1, inside)
  sizes.set(value, bytes)
  return bytes
}
