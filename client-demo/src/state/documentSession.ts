import { explain } from '../present/problem.ts'
import { NotificationFeed, type FeedState } from '../parley/notifications.ts'
import { ProblemError, type Rest } from '../parley/rest.ts'
import { EVENT_TYPES, type Document, type Kind, type ParleyEvent, type WriteAnswer } from '../parley/types.ts'
import { coalesce } from './coalesce.ts'
import { contentText } from './contents.ts'
import { ConflictList } from './conflictList.ts'
import { Absence } from './absence.ts'
import { deletionIn, type Deletion } from './deletion.ts'
import { DocumentLock } from './documentLock.ts'
import type { Identity, IdentityKeeper, KeyedTexts } from './identity.ts'
import * as drafts from './jsonDraft.ts'
import { LiveText } from './liveText.ts'
import type { NameBook } from './names.ts'
import type { Notices } from './notices.ts'
import { SaveCheck } from './saveCheck.ts'
import type { Shelf, Unsaved } from './shelf.ts'
import { Store } from './store.ts'

export type Phase =
  | { readonly phase: 'loading' }
  | { readonly phase: 'open'; readonly editor: Editor }
  | { readonly phase: 'absent' }
  | { readonly phase: 'deleted'; readonly deletion: Deletion }
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
  /** Of this tab. */
  readonly storage: KeyedTexts
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
  /** Set where it was deleted while it is open here. */
  readonly deleted = new Store<Deletion | null>(null)
  /** It is there again; what is open here is of the life before. */
  readonly revived = new Store(false)
  readonly conflicts: ConflictList
  readonly lock: DocumentLock
  /** What becomes of edits that could not be shown to others when they were made. */
  readonly absence: Absence
  /** Whether the person wants no connection. */
  readonly offline = new Store(false)
  readonly #options: SessionOptions
  readonly #reread = coalesce(GATHER_MS, () => this.#read())
  readonly #readPeople = coalesce(GATHER_MS, () => this.#learnNames())
  #feed: NotificationFeed | null = null
  #saveCheck: SaveCheck | null = null
  #reopening: Promise<void> | null = null
  #closed = false
  readonly #stopWatching: () => void
  #draftSave: 'none' | 'under-way' | 'wished' = 'none'

  constructor(options: SessionOptions) {
    this.id = options.id
    this.#options = options
    const { rest, notices, nameBook, show, storage, self, keeper } = options
    this.conflicts = new ConflictList({ rest, notices, nameBook, show, document: options.id })
    this.lock = new DocumentLock({ document: options.id, rest, storage, self: () => self.sub })
    this.absence = new Absence({
      document: options.id,
      rest,
      self: self.sub,
      known: () => this.conflicts.open.value.items,
    })
    this.absence.returned.watch(() => {
      const conflictId = this.absence.returned.value?.conflictId ?? null
      // It is told where the person looks.
      if (conflictId !== null) notices.settle(conflictId)
    })
    this.#stopWatching = keeper.presence.watch(() => this.#followPresence())
    globalThis.addEventListener('online', this.#wakeFeed)
    options.shelf.add(this)
    void this.open()
  }

  /** Whether closing the page now would lose something that is nowhere else. */
  get hasUnsavedEdits(): boolean {
    const { value } = this.phase
    if (value.phase !== 'open') return false
    return value.editor.kind === 'text' ? !this.saved.value : HOLDING.includes(value.editor.draft.value.status)
  }

  /** What a reload has to go on from; nothing of a text of which the server wants no more. */
  unsaved(): Unsaved | null {
    const { value } = this.phase
    if (value.phase !== 'open' || !this.hasUnsavedEdits) return null
    const { editor } = value
    if (editor.kind === 'json') return { id: this.id, draft: editor.draft.value }
    return editor.live.connection.value.phase === 'refused' ? null : { id: this.id, state: editor.live.state() }
  }

  /** Hangs up, or takes the connection up again; what is written meanwhile waits here. */
  stayOffline(isOffline: boolean): void {
    this.offline.set(isOffline)
    const { value } = this.phase
    if (value.phase === 'open' && value.editor.kind === 'text') value.editor.live.stayOffline(isOffline)
    if (isOffline) this.#feed?.pause()
    else this.#feed?.wake()
  }

  /** Reads the document and starts its editor; also after it was found absent or could not be read. */
  async open(): Promise<void> {
    this.phase.set({ phase: 'loading' })
    try {
      const document = await this.#options.rest.getDocument(this.id)
      if (this.#closed) return
      this.version.set(document.version)
      this.phase.set({ phase: 'open', editor: this.#editorOf(document) })
      this.deleted.set(null)
      this.revived.set(false)
      this.lock.refresh()
      if (this.#feed === null) this.#follow()
    } catch (error) {
      const deletion = deletionIn(error)
      if (deletion !== null) {
        this.phase.set({ phase: 'deleted', deletion })
        this.#readPeople.wish()
        if (this.#feed === null) this.#follow()
        return
      }
      const isAbsent = error instanceof ProblemError && error.problem.status === 404
      this.phase.set(isAbsent ? { phase: 'absent' } : { phase: 'failed', reason: explain(error) })
    }
  }

  /** Opens it anew: what stood here was of a life that ended. */
  reopen(): Promise<void> {
    this.#reopening ??= this.#openAnew().finally(() => {
      this.#reopening = null
    })
    return this.#reopening
  }

  async #openAnew(): Promise<void> {
    const { value } = this.phase
    if (value.phase === 'open') {
      this.#saveCheck?.close()
      const { editor } = value
      if (editor.kind === 'text') editor.live.close()
      else if (this.hasUnsavedEdits) this.#options.shelf.putDraft(this.id, editor.draft.value)
      this.saved.set(true)
    }
    await this.open()
  }

  /** Brings a deleted document back as it was at its end. */
  async revive({ lastVersion }: Deletion): Promise<void> {
    await this.#options.rest.restoreVersion(this.id, lastVersion, lastVersion)
    this.#comesBack()
  }

  async delete(): Promise<void> {
    const { version } = await this.readNow()
    await this.#options.rest.deleteDocument(this.id, version, this.lock.token)
    await this.#learnOfDeletion()
  }

  /** Writes what a version held as a new one; a refusal with a conflict is shown in the list. */
  async restore(version: number): Promise<WriteAnswer> {
    try {
      const base = this.version.value ?? 0
      const answer = await this.#options.rest.restoreVersion(this.id, version, base, this.lock.token)
      this.#showVersion(answer.version)
      this.#reread.wish()
      return answer
    } catch (error) {
      this.conflicts.refresh()
      throw error
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
      const answer = await this.#options.rest.putContent(this.id, 'json', text, {
        etag: from.etag,
        lockToken: this.lock.token,
      })
      draft.update((value) => drafts.saved(value, { version: answer.version, etag: answer.etag, text }))
      this.#showVersion(answer.version)
      this.#reread.wish()
    } catch (error) {
      const violations = error instanceof ProblemError ? error.problem.violations : undefined
      if (violations !== undefined) {
        draft.update((value) => drafts.invalid(value, violations))
        return
      }
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
    globalThis.removeEventListener('online', this.#wakeFeed)
    this.lock.close()
    this.#feed?.close()
    this.#reread.close()
    this.#readPeople.close()
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
    this.#stopWatching()
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
    const { socketBase, self, keeper, nameBook, shelf } = this.#options
    const kept = shelf.takeState(this.id)
    const live = new LiveText({
      url: `${socketBase}/sync`,
      id: this.id,
      root: document.root,
      self,
      token: keeper,
      kept,
      onEdit: () => this.#saveCheck?.edited(),
    })
    live.people.watch(() => {
      for (const { sub, name } of live.people.value) if (sub !== null) nameBook.meet(sub, name)
    })
    live.connection.watch(() => {
      if (live.connection.value.phase === 'live') this.#saveCheck?.hint()
      this.#watchAbsence(live)
    })
    this.lock.held.watch(() => {
      this.#saveCheck?.hint()
      this.#watchAbsence(live)
    })
    live.text.observe((event, transaction) => {
      if (transaction.local) this.absence.wrote(event.delta)
    })
    this.#saveCheck = new SaveCheck({
      isStored: () => this.#isStored(live),
      onChange: (saved) => {
        this.saved.set(saved)
        this.#watchAbsence(live)
      },
    })
    if (kept !== null) {
      this.absence.goOn()
      this.#saveCheck.edited()
    }
    return { kind: 'text', live }
  }

  #watchAbsence(live: LiveText): void {
    const connection = live.connection.value
    const lock = this.lock.held.value
    if (connection.phase === 'offline') this.absence.begin(connection.because)
    else if (connection.phase === 'reconnecting') this.absence.begin('line')
    else if (connection.phase === 'live' && lock !== null && !lock.isOwn) this.absence.begin('lock')
    else if (connection.phase === 'live' && this.saved.value) void this.absence.end()
  }

  readonly #wakeFeed = (): void => {
    if (!this.offline.value) this.#feed?.wake()
  }

  #followPresence(): void {
    const { presence } = this.#options.keeper
    if (presence.value.phase !== 'in') return
    const { value } = this.phase
    if (value.phase === 'failed' && !this.#closed) void this.open()
    if (value.phase === 'open' && value.editor.kind === 'text') value.editor.live.signedIn()
    this.#wakeFeed()
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
        this.lock.refresh()
        this.#readPeople.wish()
        this.#reread.wish()
      },
      onState: (state) => this.following.set(state),
    })
  }

  #receive(event: ParleyEvent): void {
    this.conflicts.receive(event)
    this.lock.receive(event)
    this.#meetActor(event)
    if (event.type === 'parley.document.changed') this.#changed(event)
    if (event.type === 'parley.document.deleted') void this.#learnOfDeletion()
    if (event.type === 'parley.document.created') this.#comesBack()
  }

  async #learnOfDeletion(): Promise<void> {
    const found = await this.readNow().catch((error: unknown) => deletionIn(error))
    if (found === null || !('isPurged' in found)) return
    this.deleted.set(found)
    this.#readPeople.wish()
  }

  /** Nothing that stands here alone is replaced without being asked for. */
  #comesBack(): void {
    const { value } = this.phase
    const isShut = value.phase === 'deleted' || value.phase === 'absent'
    if (!isShut && this.deleted.value === null) return
    void this.#holdsMore().then((holdsMore) => (holdsMore ? this.revived.set(true) : this.reopen()))
  }

  /** Whether something stands here alone, now that the document is there again; what was just being stored is in it. */
  async #holdsMore(): Promise<boolean> {
    const { value } = this.phase
    if (value.phase !== 'open' || !this.hasUnsavedEdits) return false
    if (value.editor.kind === 'json') return true
    const document = await this.readNow().catch(() => null)
    return document === null || contentText(document.content) !== value.editor.live.text.toString()
  }

  /** Events name people by `sub`; what somebody new is called is asked for. */
  #meetActor({ data }: ParleyEvent): void {
    const sub = data['by'] ?? data['author']
    if (typeof sub === 'string' && !this.#options.nameBook.isKnown(sub)) this.#readPeople.wish()
  }

  async #learnNames(): Promise<void> {
    const people = await this.#options.rest.listPeople(this.id).catch(() => null)
    if (people !== null) this.#options.nameBook.learn(people.items)
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
