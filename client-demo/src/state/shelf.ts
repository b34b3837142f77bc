import { members, number, object, oneOf, nullable, string, type Reader } from '../parley/readers.ts'
import type { KeyedTexts } from './identity.ts'
import type { Ground, JsonDraft } from './jsonDraft.ts'

/** Something that may hold edits which are nowhere else. */
interface Holder {
  readonly hasUnsavedEdits: boolean
  /** What a reload has to go on from, where it does not keep that itself; null where there is nothing. */
  unsaved?(): Unsaved | null
}

/** Of a document: a json draft, or a text with all that is not stored yet. */
export type Unsaved = { readonly id: string } & ({ readonly draft: JsonDraft } | { readonly state: Uint8Array })

const STORAGE_KEY = 'parley.unsaved'
/** What a tab may store is some 5 million characters, for all it holds; base64 takes four for three bytes. */
const MOST_BYTES = 2 * 1024 * 1024

/**
 * What was left unsaved in this window, so that neither going from one document to another nor a reload loses anything:
 * json drafts wait here to be taken up again, text sessions stay until the server has their edits. Both are as many as a
 * person made by hand, so there is no bound but theirs and that of the storage of a tab.
 */
export class Shelf {
  readonly #holders = new Set<Holder>()
  readonly #drafts = new Map<string, JsonDraft>()
  /** Of a text, as it was when the page was reloaded. */
  readonly #states = new Map<string, Uint8Array>()
  readonly #storage: KeyedTexts

  constructor(storage: KeyedTexts) {
    this.#storage = storage
    this.#takeUp()
  }

  /** Whether closing the window now would lose something. */
  get hasUnsavedEdits(): boolean {
    return this.#drafts.size > 0 || [...this.#holders].some((holder) => holder.hasUnsavedEdits)
  }

  add(holder: Holder): void {
    this.#holders.add(holder)
  }

  remove(holder: Holder): void {
    this.#holders.delete(holder)
  }

  putDraft(documentId: string, draft: JsonDraft): void {
    this.#drafts.set(documentId, draft)
  }

  /** The draft left of this document, if any; it is the caller's from now on. */
  takeDraft(documentId: string): JsonDraft | null {
    const draft = this.#drafts.get(documentId) ?? null
    this.#drafts.delete(documentId)
    return draft
  }

  /** The text left of this document, if any; it is the caller's from now on. */
  takeState(documentId: string): Uint8Array | null {
    const state = this.#states.get(documentId) ?? null
    this.#states.delete(documentId)
    return state
  }

  /** Called when the page goes: what it holds is there for the page that comes in its place. */
  keep(): void {
    const drafts = new Map(this.#drafts)
    const states = new Map(this.#states)
    for (const holder of this.#holders) {
      const unsaved = holder.unsaved?.() ?? null
      if (unsaved === null) continue
      if ('draft' in unsaved) drafts.set(unsaved.id, unsaved.draft)
      else if (unsaved.state.byteLength <= MOST_BYTES) states.set(unsaved.id, unsaved.state)
    }
    const texts = [...states].map(([id, state]) => [id, toBase64(state)] as const)
    const kept = { drafts: Object.fromEntries(drafts), states: Object.fromEntries<string>(texts) }
    try {
      this.#storage.setItem(STORAGE_KEY, JSON.stringify(kept))
    } catch {
      // There is no room: the person was asked whether to leave.
    }
  }

  #takeUp(): void {
    const text = this.#storage.getItem(STORAGE_KEY)
    if (text === null) return
    try {
      const { drafts, states } = keptShape(JSON.parse(text), STORAGE_KEY)
      for (const [id, draft] of Object.entries(drafts)) this.#drafts.set(id, draftShape(draft, id))
      for (const [id, state] of Object.entries(states)) this.#states.set(id, fromBase64(string(state, id)))
    } catch {
      // Another version of this page wrote it.
    }
    this.#storage.setItem(STORAGE_KEY, '')
  }
}

const keptShape = object({ drafts: members, states: members })
const ground: Reader<Ground> = object({ version: number, etag: string, text: string })
const draftShape: Reader<JsonDraft> = object({
  text: string,
  from: ground,
  latest: ground,
  status: oneOf(['clean', 'edited', 'saving', 'refused']),
  conflictId: nullable(string),
})

function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCodePoint(byte)
  return btoa(binary)
}

const fromBase64 = (text: string): Uint8Array =>
  Uint8Array.from(atob(text), (character) => character.codePointAt(0) ?? 0)
