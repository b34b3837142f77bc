import { explain } from '../present/problem.ts'
import { NotificationFeed, type FeedState } from '../parley/notifications.ts'
import { ProblemError, type Rest } from '../parley/rest.ts'
import { EVENT_TYPES, type Document, type Kind, type ParleyEvent } from '../parley/types.ts'
import { coalesce } from './coalesce.ts'
import { contentText } from './choices.ts'
import { ConflictList } from './conflictList.ts'
import type { Identity, IdentityKeeper } from './identity.ts'
import * as drafts from './jsonDraft.ts'
import { LiveText } from './liveText.ts'
import type { NameBook } from './names.ts'
import type { Notices } from './notices.ts'
import { SaveCheck } from './saveCheck.ts'
import type { Shelf } from './shelf.ts'
import { Store } from './store.ts'

export type Phase =
  | { readonly phase: 'loading' }
  | { readonly phase: 'open'; readonly editor: Editor }
  | { readonly phase: 'absent' }
  | { readonly phase: 'failed'; readonly reason: string }

export type Editor =
  | { readonly kind: 'text'; readonly live: LiveText }
  | { readonly kind: 'json'; readonly draft: Store<drafts.JsonDraft> }

export interface SessionOptions {
  readonly id: string
  readonly self: Identity
  readonly rest: Rest
  readonly keeper: IdentityKeeper
  readonly notices: Notices
  readonly nameBook: NameBook
  readonly shelf: Shelf
  /** `ws://localhost:4090` */
  readonly socketBase: string
  readonly show: (conflictId: string) => void
}

/** What is in such a draft is nowhere else. */
const HOLDING: readonly drafts.JsonDraft['status'][] = ['edited', 'saving']
/** The news of one second are read with one request. */
const GATHER_MS = 100

/** Everything about one open document: its editor, its version, its notifications and its conflicts. */
export class DocumentSession {
  readonly id: string
  readonly phase = new Store<Phase>({ phase: 'loading' })
  readonly version = new Store<number | null>(null)
  readonly saved = new Store(true)
  readonly following = new Store<FeedState>({ phase: 'connecting' })
  readonly deleted = new Store(false)
  readonly conflicts: ConflictList
  readonly #options: SessionOptions
  readonly #reread = coalesce(GATHER_MS, () => this.#read())
  #feed: NotificationFeed | null = null
  #saveCheck: SaveCheck | null = null
  #closed = false
  #draftSave: 'none' | 'under-way' | 'wished' = 'none'

  constructor(options: SessionOptions) {
    this.id = options.id
    this.#options = options
    const { rest, notices, nameBook, show } = options
    this.conflicts = new ConflictList({ rest, notices, nameBook, show, document: options.id })
    options.shelf.add(this)
    void this.open()
  }

  /** Whether closing the page now would lose something that is nowhere else. */
  get hasUnsavedEdits(): boolean {
    const { value } = this.phase
    if (value.phase !== 'open') return false
    return value.editor.kind === 'text' ? !this.saved.value : HOLDING.includes(value.editor.draft.value.status)
  }

  /** Reads the document and starts its editor; also after it was found absent or could not be read. */
  async open(): Promise<void> {
    this.phase.set({ phase: 'loading' })
    try {
      const document = await this.#options.rest.getDocument(this.id)
      if (this.#closed) return
      this.version.set(document.version)
      this.phase.set({ phase: 'open', editor: this.#editorOf(document) })
      this.#follow()
    } catch (error) {
      const isAbsent = error instanceof ProblemError && [404, 410].includes(error.problem.status)
      this.phase.set(isAbsent ? { phase: 'absent' } : { phase: 'failed', reason: explain(error) })
    }
  }

  async create(kind: Kind): Promise<void> {
    await this.#options.rest.createDocument({ id: this.id, kind })
    await this.open()
  }

  /** The document as it is now, for a command that names its version. */
  readNow(): Promise<Document> {
    return this.#options.rest.getDocument(this.id)
  }

  /** Saves the json draft; a wish while it is being saved is done when its base is known: the version that save makes. */
  async saveDraft(draft: Store<drafts.JsonDraft>): Promise<void> {
    if (this.#draftSave !== 'none') {
      this.#draftSave = 'wished'
      return
    }
    try {
      do {
        this.#draftSave = 'under-way'
        await this.#putDraft(draft)
      } while (this.#isWished() && draft.value.status === 'edited' && drafts.syntaxProblem(draft.value.text) === null)
    } finally {
      this.#draftSave = 'none'
    }
  }

  #isWished(): boolean {
    return this.#draftSave === 'wished'
  }

  /** Saves the json draft on the version it started from; a refusal with a conflict becomes its state. */
  async #putDraft(draft: Store<drafts.JsonDraft>): Promise<void> {
    const { text, from } = draft.value
    draft.update(drafts.saving)
    try {
      const answer = await this.#options.rest.putContent(this.id, 'json', text, from.etag)
      draft.update((value) => drafts.saved(value, { version: answer.version, etag: answer.etag, text }))
      this.#showVersion(answer.version)
      this.#reread.wish()
    } catch (error) {
      const isConflict = error instanceof ProblemError && error.problem.code === 'version-conflict'
      const conflictId = isConflict ? (error.problem.conflict?.id ?? null) : null
      draft.update((value) => (isConflict ? drafts.refused(value, conflictId) : drafts.unsaved(value)))
      this.#reread.wish()
      this.conflicts.refresh()
      if (!isConflict) throw error
    }
  }

  /** Ends everything but what still holds edits: those are shelved, or sent when the connection is back. */
  close(): void {
    this.#closed = true
    this.#options.notices.leave()
    this.#feed?.close()
    this.#reread.close()
    this.conflicts.close()
    const { value } = this.phase
    const editor = value.phase === 'open' ? value.editor : null
    if (editor?.kind === 'json' && this.hasUnsavedEdits) this.#options.shelf.putDraft(this.id, editor.draft.value)
    if (editor?.kind === 'text' && this.hasUnsavedEdits && editor.live.connection.value.phase !== 'refused') {
      editor.live.leave()
      this.saved.watch(() => this.#end(editor))
    } else this.#end(editor)
  }

  #end(editor: Editor | null): void {
    this.#saveCheck?.close()
    if (editor?.kind === 'text') editor.live.close()
    this.#options.shelf.remove(this)
  }

  #draftOf(document: Document): drafts.JsonDraft {
    const kept = this.#options.shelf.takeDraft(this.id)
    return kept === null ? drafts.startDraft(document) : drafts.moved(drafts.unsaved(kept), document)
  }

  #editorOf(document: Document): Editor {
    if (document.kind === 'json') return { kind: 'json', draft: new Store(this.#draftOf(document)) }
    const { socketBase, self, keeper, nameBook } = this.#options
    const live = new LiveText({
      url: `${socketBase}/sync`,
      id: this.id,
      root: document.root,
      self,
      token: keeper,
      onEdit: () => this.#saveCheck?.edited(),
    })
    live.people.watch(() => {
      for (const { sub, name } of live.people.value) if (sub !== null) nameBook.meet(sub, name)
    })
    live.connection.watch(() => {
      if (live.connection.value.phase === 'live') this.#saveCheck?.hint()
    })
    this.#saveCheck = new SaveCheck({
      isStored: () => this.#isStored(live),
      onChange: (saved) => this.saved.set(saved),
    })
    return { kind: 'text', live }
  }

  async #isStored(live: LiveText): Promise<boolean> {
    if (live.connection.value.phase !== 'live') return false
    const document = await this.readNow()
    this.#showVersion(document.version)
    return contentText(document.content) === live.text.toString()
  }

  #follow(): void {
    this.#feed = new NotificationFeed({
      url: `${this.#options.socketBase}/conflict-notifications`,
      token: this.#options.keeper,
      documents: [this.id],
      events: EVENT_TYPES,
      onEvent: (event) => this.#receive(event),
      onGap: () => {
        this.conflicts.refresh()
        this.#reread.wish()
      },
      onState: (state) => this.following.set(state),
    })
  }

  #receive(event: ParleyEvent): void {
    this.conflicts.receive(event)
    if (event.type === 'parley.document.changed') this.#changed(event)
    if (event.type === 'parley.document.deleted') this.deleted.set(true)
    if (event.type === 'parley.document.created') this.deleted.set(false)
  }

  #changed(event: ParleyEvent): void {
    const version = event.data['version']
    if (typeof version === 'number') this.#showVersion(version)
    this.#saveCheck?.hint()
    const { value } = this.phase
    if (value.phase === 'open' && value.editor.kind === 'json') this.#reread.wish()
  }

  async #read(): Promise<void> {
    const document = await this.readNow().catch(() => null)
    const { value } = this.phase
    if (document === null || value.phase !== 'open') return
    this.#showVersion(document.version)
    if (value.editor.kind === 'json') value.editor.draft.update((draft) => drafts.moved(draft, document))
  }

  /** Answers and events overtake each other; a version never goes back. */
  #showVersion(version: number): void {
    this.version.update((known) => Math.max(known ?? 0, version))
  }
}
