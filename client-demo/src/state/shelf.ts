import { either, members, number, object, oneOf, nullable, string, type Reader } from '../parley/readers.ts'
import type { Document } from '../parley/types.ts'
import type { KeyedTexts } from './identity.ts'
import type { Ground, JsonDraft } from './jsonDraft.ts'
import { Store } from './store.ts'

/** Something that may hold edits which are nowhere else. */
interface Holder {
  /** The document that they are of, where they are of one. */
  readonly id?: string
  readonly hasUnsavedEdits: boolean
  /** What a reload has to go on from, where it does not keep that itself; null where there is nothing. */
  unsaved?(): Unsaved | null
}

/** Which life of a document: an id that was deleted and created anew begins another one, at another time. */
export type Life = Pick<Document, 'root' | 'createdAt'>

/** A json draft, or a text with all that is not stored yet: of that life, and of no other. */
export type Kept = { readonly life: Life } & ({ readonly draft: JsonDraft } | { readonly state: Uint8Array })

/** Of a document: what can be gone on from, or a text that has no place in it any more. */
export type Unsaved = { readonly id: string } & ({ readonly kept: Kept } | { readonly text: string })

const STORAGE_KEY = 'parley.unsaved'
/** What a tab may store is some 5 million characters, for all it holds; base64 takes four for three bytes. */
const MOST_BYTES = 2 * 1024 * 1024

/**
 * What was left unsaved in this window, so that neither going from one document to another nor a reload loses anything:
 * drafts and texts wait here to be taken up again, text sessions stay until the server has their edits. All are as many as
 * a person made by hand, so there is no bound but theirs and that of the storage of a tab.
 */
export class Shelf {
  /** The documents of which something waits here. */
  readonly held = new Store<ReadonlySet<string>>(new Set())
  /** Texts of an earlier life, by document: they are there to be copied, and go when the person says so. */
  readonly left = new Store<ReadonlyMap<string, string>>(new Map())
  readonly #holders = new Set<Holder>()
  readonly #kept = new Map<string, Kept>()
  readonly #storage: KeyedTexts
  /** Whether something is stored that may be saved by now. */
  #isStored = false

  constructor(storage: KeyedTexts) {
    this.#storage = storage
    this.#takeUp()
    this.look()
  }

  /** Whether closing the window now would lose something. */
  get hasUnsavedEdits(): boolean {
    return (
      this.#kept.size > 0 || this.left.value.size > 0 || [...this.#holders].some((holder) => holder.hasUnsavedEdits)
    )
  }

  add(holder: Holder): void {
    this.#holders.add(holder)
    this.look()
  }

  remove(holder: Holder): void {
    this.#holders.delete(holder)
    this.look()
  }

  /** Finds out anew of which documents something waits; holders tell nobody that they began to hold something. */
  look(): void {
    const holding = [...this.#holders].filter((holder) => holder.hasUnsavedEdits)
    const ids = holding.flatMap(({ id }) => (id === undefined ? [] : [id]))
    this.held.set(new Set([...this.#kept.keys(), ...this.left.value.keys(), ...ids]))
  }

  put(documentId: string, kept: Kept): void {
    this.#kept.set(documentId, kept)
    this.look()
  }

  /** What was left of this document, if anything; it is the caller's from now on. */
  take(documentId: string): Kept | null {
    const kept = this.#kept.get(documentId) ?? null
    this.#kept.delete(documentId)
    this.look()
    return kept
  }

  /** Puts `next`, or nothing, in the place of what was put here; false where somebody took that meanwhile. */
  replace(documentId: string, known: Kept, next: Kept | null): boolean {
    if (this.#kept.get(documentId) !== known) return false
    if (next === null) this.take(documentId)
    else this.put(documentId, next)
    return true
  }

  /** Leaves a text to be copied, behind those of the same document that were left before. */
  leave(documentId: string, text: string): void {
    this.left.set(withText(this.left.value, documentId, text))
    this.look()
  }

  /** The person has what they want of it. */
  discard(documentId: string): void {
    this.left.set(new Map([...this.left.value].filter(([id]) => id !== documentId)))
    this.look()
  }

  /** Called now and then: a page that is killed hears nothing of its end. */
  keepUp(): void {
    if (this.hasUnsavedEdits || this.#isStored) this.keep()
  }

  /** Called when the page goes: what it holds is there for the page that comes in its place. */
  keep(): void {
    const kept = new Map(this.#kept)
    let left = this.left.value
    for (const holder of this.#holders) {
      const unsaved = holder.unsaved?.() ?? null
      if (unsaved === null) continue
      if ('text' in unsaved) left = withText(left, unsaved.id, unsaved.text)
      else if (!('state' in unsaved.kept) || unsaved.kept.state.byteLength <= MOST_BYTES)
        kept.set(unsaved.id, unsaved.kept)
    }
    const stored = [...kept].map(([id, one]) => [id, storedForm(one)] as const)
    try {
      const texts = { kept: Object.fromEntries(stored), left: Object.fromEntries(left) }
      this.#storage.setItem(STORAGE_KEY, JSON.stringify(texts))
      this.#isStored = kept.size + left.size > 0
    } catch {
      // There is no room: the person was asked whether to leave.
    }
  }

  #takeUp(): void {
    const text = this.#storage.getItem(STORAGE_KEY)
    if (text === null) return
    try {
      const { kept, left } = pageShape(JSON.parse(text), STORAGE_KEY)
      for (const [id, one] of Object.entries(kept)) this.#kept.set(id, keptShape(one, id))
      this.left.set(new Map(Object.entries(left).map(([id, one]) => [id, string(one, id)])))
    } catch {
      // Another version of this page wrote it.
    }
    this.#storage.setItem(STORAGE_KEY, '')
  }
}

function withText(left: ReadonlyMap<string, string>, id: string, text: string): ReadonlyMap<string, string> {
  const before = left.get(id)
  if (text === '' || text === before) return left
  return new Map([...left, [id, before === undefined ? text : `${before}\n\n${text}`]])
}

/** Whether it is the life that the document is in. */
export const isSameLife = (a: Life, b: Life): boolean => a.root === b.root && a.createdAt === b.createdAt

const pageShape = object({ kept: members, left: members })
const life: Reader<Life> = object({ root: string, createdAt: string })
const ground: Reader<Ground> = object({ version: number, etag: string, text: string })
const draft: Reader<JsonDraft> = object({
  text: string,
  from: ground,
  latest: ground,
  status: oneOf(['clean', 'edited', 'saving', 'refused']),
  conflictId: nullable(string),
})
const state: Reader<Uint8Array> = (value, at) => fromBase64(string(value, at))
const keptShape: Reader<Kept> = either(object({ life, draft }), object({ life, state }))

const storedForm = (kept: Kept): object => ('state' in kept ? { ...kept, state: toBase64(kept.state) } : kept)

function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCodePoint(byte)
  return btoa(binary)
}

const fromBase64 = (text: string): Uint8Array =>
  Uint8Array.from(atob(text), (character) => character.codePointAt(0) ?? 0)
