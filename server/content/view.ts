import type * as Y from 'yjs'
import { invariant } from '../foundation/assert.ts'
import { isObject, kindOf, type Content, type JsonObject, type JsonValue, type Kind, type Path } from './content.ts'
import { effectBetween, effectOfSplice, effectOfWrite, type Effect } from './effect.ts'
import { contentEquals } from './equal.ts'
import { readJson, sharedAt, writeJson, type PlainValues, type SharedAt } from './json.ts'
import { bracketBytes, memberBytes, scalarBytes, textSize, type ContentSize } from './limits.ts'
import { child, stepUnits } from './pointer.ts'
import { readText, writeText } from './text.ts'
import { spliced, spliceOf, type TextSplice, typesWithTornPairs } from './textSplice.ts'

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
  #textSize: { readonly of: string; readonly size: ContentSize } | null = null
  /** The content at the last `takeEffect`, and what came of it since. */
  #taken: Content
  #since: { readonly kind: 'nothing' | 'much' } | { readonly kind: 'splice'; readonly splice: TextSplice } =
    NOTHING_SINCE
  /** The newest write, whose effect need not be found a second time if nothing else came of it. */
  #written: (KnownEffect & { readonly to: Content; readonly isKnown: boolean }) | null = null

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

  /** Turns the content into `to` by the smallest change (SPEC DOC-8), which may be known. Call it within `doc.transact`. */
  write(to: Content, known: KnownEffect | null = null): void {
    invariant(kindOf(to) === this.kind, 'the kind of a document never changes')
    const from = this.content()
    const isKnown = known?.from === from
    const effect = isKnown ? known.effect : effectOfWrite(from, to)
    this.#written = { from, to, effect, isKnown }
    if (effect?.kind === 'text' && this.#root.kind === 'text') writeText(this.#root.type, effect.delta)
    if (effect?.kind === 'json' && this.#root.kind === 'json') writeJson(this.#root.type, effect.edits)
  }

  /** What all transactions since the last call, or since the start, did to the content; null for nothing. */
  takeEffect(): Effect {
    const { written, before, since } = { written: this.#written, before: this.#taken, since: this.#since }
    this.#taken = this.content()
    this.#written = null
    this.#since = NOTHING_SINCE
    // Of a json content the parts that stayed are the same objects, and comparing them is cheap but for a long text.
    const mayBeTaken = written?.from === before && (this.kind === 'text' || written.isKnown)
    if (mayBeTaken && contentEquals(written.to, this.#taken)) return written.effect
    return since.kind === 'splice'
      ? effectOfSplice(before, this.#taken, since.splice)
      : effectBetween(before, this.#taken)
  }

  /** UTF-8 bytes of the content as `contentBytes` counts them. */
  bytes(): number {
    return this.size().bytes
  }

  /** How large the content is; of a json content only what changed is measured. */
  size(): ContentSize {
    const content = this.content()
    if (typeof content !== 'string') return jsonSize(content, this.#sizes)
    if (this.#textSize?.of !== content) this.#textSize = { of: content, size: textSize(Buffer.byteLength(content)) }
    return this.#textSize.size
  }

  /** Stops following the document. */
  destroy(): void {
    this.#doc.off('afterTransaction', this.#forgetChanged)
  }

  readonly #forgetChanged = (transaction: Y.Transaction): void => {
    const torn = typesWithTornPairs(transaction)
    const changed = new Set<object>([...transaction.changedParentTypes.keys(), ...torn])
    if (!changed.has(this.#root.type)) return
    // Only the first change after an effect was taken: who asks for none is not to pay for each.
    const follows = this.#root.kind === 'text' && this.#since.kind === 'nothing' && torn.size === 0
    const text = follows && typeof this.#content === 'string' ? this.#content : null
    const splice = this.#root.kind === 'text' && text !== null ? spliceOf(transaction, this.#root.type, text) : null
    this.#since = splice === null ? { kind: 'much' } : { kind: 'splice', splice }
    this.#content = text !== null && splice !== null ? this.#splice(text, splice) : null
    for (const type of changed) this.#plain.delete(type)
  }

  /** A key costs what it changes, and not what is written already. */
  #splice(text: string, splice: TextSplice): string {
    const { start, gone, come } = splice
    const next = spliced(text, splice)
    if (this.#textSize?.of === text) {
      const goneBytes = Buffer.byteLength(text.slice(start, start + gone))
      const bytes = this.#textSize.size.bytes - goneBytes + Buffer.byteLength(come)
      this.#textSize = { of: next, size: textSize(bytes) }
    }
    return next
  }

  /** A transaction is open and has changed something, of which nobody is told before its end. */
  #isChanging(): boolean {
    return (this.#doc._transaction?.changed.size ?? 0) > 0
  }

  #read(plain: PlainValues): Content {
    return this.#root.kind === 'text' ? readText(this.#root.type) : readJson(this.#root.type, plain)
  }
}

const NOTHING_SINCE = { kind: 'nothing' } as const

/** What a write does, worked out before it from what the content was then. */
export interface KnownEffect {
  readonly from: Content
  readonly effect: Effect
}

type Root = { readonly kind: 'text'; readonly type: Y.Text } | { readonly kind: 'json'; readonly type: Y.Map<unknown> }

type Sizes = WeakMap<JsonObject | JsonValue[], ContentSize>

const SCALAR = { depth: 0, nodes: 1, pointerUnits: 0 }

/** Sizes of objects and arrays are kept, which never change. */
function jsonSize(value: JsonValue, sizes: Sizes): ContentSize {
  if (!Array.isArray(value) && !isObject(value)) return { bytes: scalarBytes(value), ...SCALAR }
  const known = sizes.get(value)
  if (known) return known
  const steps: (string | number)[] = Array.isArray(value) ? [...value.keys()] : Object.keys(value)
  const size = { bytes: bracketBytes(steps.length), depth: 1, nodes: 1, pointerUnits: 0 }
  for (const step of steps) {
    const inside = jsonSize(child(value, step) ?? null, sizes)
    size.bytes += inside.bytes + (typeof step === 'string' ? memberBytes(step) : 0)
    size.nodes += inside.nodes
    size.depth = Math.max(size.depth, inside.depth + 1)
    size.pointerUnits = Math.max(size.pointerUnits, inside.pointerUnits + stepUnits(step))
  }
  sizes.set(value, size)
  return size
}
