import { explain } from '../present/problem.ts'
import { NotificationFeed, type FeedState } from '../parley/notifications.ts'
import { ProblemError, type Rest } from '../parley/rest.ts'
import { EVENT_TYPES, type Document, type Kind, type ParleyEvent, type WriteAnswer } from '../parley/types.ts'
import { coalesce } from './coalesce.ts'
import { contentText } from './contents.ts'
import { ConflictList } from './conflictList.ts'
import { Absence } from './absence.ts'
import { Actors } from './actors.ts'
import { deletionIn, type Deletion } from './deletion.ts'
import { DocumentLock } from './documentLock.ts'
import { DraftSaver } from './draftSaver.ts'
import type { Editor, Phase } from './editor.ts'
import type { HeadStart } from './headStart.ts'
import type { Identity, IdentityKeeper, KeyedTexts } from './identity.ts'
import * as drafts from './jsonDraft.ts'
import { takeKept } from './keptEdits.ts'
import type { LiveText } from './liveText.ts'
import type { NameBook } from './names.ts'
import type { Notices } from './notices.ts'
import { isSameLife, type Life, type Shelf, type Unsaved } from './shelf.ts'
import { Store } from './store.ts'
import { TextEditing } from './textEditing.ts'

export interface SessionOptions {
  readonly id: string
  readonly self: Identity
  readonly rest: Rest
  readonly headStart: HeadStart
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
  readonly #actors: Actors
  #feed: NotificationFeed | null = null
  #reopening: Promise<void> | null = null
  /** Which reading of the document counts; one that is overtaken, or comes after the end, opens nothing. */
  #opening = 0
  #closed = false
  readonly #stopWatching: () => void

  constructor(options: SessionOptions) {
    this.id = options.id
    this.#options = options
    const { rest, notices, nameBook, show, storage, self, keeper } = options
    this.#actors = new Actors(options)
    this.lock = new DocumentLock({ document: options.id, rest, storage, self: () => self.sub })
    this.absence = new Absence({
      document: options.id,
      rest,
      self: self.sub,
      known: () => this.conflicts.open.value.items,
      version: () => this.version.value ?? 0,
    })
    this.conflicts = new ConflictList({ rest, notices, nameBook, show, document: options.id, absence: this.absence })
    this.#stopWatching = keeper.presence.watch(() => this.#followPresence())
    globalThis.addEventListener('online', this.#wakeFeed)
    options.shelf.add(this)
    void this.open()
  }

  /** Whether closing the page now would lose something that is nowhere else. */
  get hasUnsavedEdits(): boolean {
    const editor = this.#editor
    if (editor === null) return false
    return editor.kind === 'text' ? !this.saved.value : editor.saver.hasUnsavedEdits
  }

  /** What a reload has to go on from; a text of which the server wants no more is only there to be copied. */
  unsaved(): Unsaved | null {
    const { id } = this
    const editor = this.#editor
    if (editor === null || !this.hasUnsavedEdits) return null
    const { life } = editor
    if (editor.kind === 'json') return { id, kept: { life, draft: editor.draft.value } }
    const { live } = editor
    return isRefused(live) ? { id, text: live.text.toString() } : { id, kept: { life, state: live.state() } }
  }

  /** Hangs up, or takes the connection up again; what is written meanwhile waits here. */
  stayOffline(isOffline: boolean): void {
    this.offline.set(isOffline)
    if (this.#editor?.kind === 'text') this.#editor.live.stayOffline(isOffline)
    if (isOffline) this.#feed?.pause()
    else this.#feed?.wake()
  }

  /** Reads the document and starts its editor; also after it was found absent or could not be read. */
  async open(): Promise<void> {
    this.#opening += 1
    const opening = this.#opening
    this.phase.set({ phase: 'loading' })
    const found = await this.#options.headStart.read(this.id).catch((error: unknown) => ({ error }))
    if (this.#closed || opening !== this.#opening) return
    if ('error' in found) this.#openNothing(found.error)
    else this.#show(found)
  }

  #show(document: Document): void {
    this.version.set(document.version)
    this.phase.set({ phase: 'open', editor: this.#editorOf(document) })
    this.deleted.set(null)
    this.revived.set(false)
    this.lock.refresh()
    if (this.#feed === null) this.#follow()
  }

  #openNothing(error: unknown): void {
    const deletion = deletionIn(error)
    if (deletion === null) {
      const isAbsent = error instanceof ProblemError && error.problem.status === 404
      this.phase.set(isAbsent ? { phase: 'absent' } : { phase: 'failed', reason: explain(error) })
      return
    }
    this.phase.set({ phase: 'deleted', deletion })
    takeKept(this.#options.shelf, this.id, null)
    this.#actors.refresh()
    if (this.#feed === null) this.#follow()
  }

  /** Opens it anew: what stood here was of a life that ended. */
  reopen(): Promise<void> {
    this.#reopening ??= this.#openAnew().finally(() => {
      this.#reopening = null
    })
    return this.#reopening
  }

  async #openAnew(): Promise<void> {
    this.#shelve()
    const editor = this.#editor
    if (editor?.kind === 'text') editor.editing.close()
    this.saved.set(true)
    await this.open()
  }

  /** Brings a deleted document back as it was at its end. */
  async revive({ lastVersion }: Deletion): Promise<void> {
    await this.#options.rest.restoreVersion(this.id, lastVersion, lastVersion)
    this.#comesBack()
  }

  /** Deletes it as it is seen here: what came about unseen is not deleted with it. */
  async delete(): Promise<void> {
    await this.#options.rest.deleteDocument(this.id, await this.#seenVersion(), this.lock.token)
    await this.#learnOfDeletion()
  }

  /** A text is seen before the news of its version come. */
  async #seenVersion(): Promise<number> {
    const editor = this.#editor
    if (editor?.kind === 'text') await this.#isStored(editor.live.text)
    return this.version.value ?? 0
  }

  /** Whether the server holds this text; the version that holds it is one that was seen. */
  async #isStored(text: LiveText['text']): Promise<boolean> {
    const document = await this.readNow()
    const isStored = contentText(document.content) === text.toString()
    if (isStored) this.#showVersion(document.version)
    return isStored
  }

  /**
   * Writes what a version held as a new one, in the place of `base`, the version that is seen here; a refusal with a
   * conflict is shown in the list.
   */
  async restore(version: number, base = this.version.value ?? 0): Promise<WriteAnswer> {
    try {
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

  /** Saves the json draft that is open. */
  async saveDraft(): Promise<void> {
    if (this.#editor?.kind === 'json') await this.#editor.saver.save()
  }

  /** Ends all but edits that wait: they are sent once the connection is back, or shelved for whoever opens it next. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#options.notices.leave()
    globalThis.removeEventListener('online', this.#wakeFeed)
    this.lock.close()
    this.#feed?.close()
    this.#reread.close()
    this.#actors.close()
    this.conflicts.close()
    const editor = this.#editor
    // Where the person wanted no connection there is nobody left who could take it up again.
    const lingers = this.hasUnsavedEdits && !this.offline.value
    if (editor?.kind === 'text' && lingers) editor.editing.linger(() => this.#end(editor))
    else this.#end(editor)
    this.#options.shelf.look()
  }

  #end(editor: Editor | null): void {
    this.#shelve()
    this.#stopWatching()
    if (editor?.kind === 'text') editor.editing.close()
    this.#options.shelf.remove(this)
  }

  /** Leaves what is unsaved on the shelf. */
  #shelve(): void {
    const { shelf } = this.#options
    const unsaved = this.unsaved()
    if (unsaved === null) return
    if ('text' in unsaved) shelf.leave(this.id, unsaved.text)
    else if (this.#editor?.kind === 'json') this.#editor.saver.leaveOn(shelf, unsaved.kept.life)
    else shelf.put(this.id, unsaved.kept)
  }

  #editorOf(document: Document): Editor {
    const life: Life = { root: document.root, createdAt: document.createdAt }
    const kept = takeKept(this.#options.shelf, this.id, life)
    return document.kind === 'json'
      ? this.#jsonEditor(document, life, kept !== null && 'draft' in kept ? kept.draft : null)
      : this.#textEditor(life, kept !== null && 'state' in kept ? kept.state : null)
  }

  #jsonEditor(document: Document, life: Life, kept: drafts.JsonDraft | null): Editor {
    const saver = new DraftSaver({
      id: this.id,
      rest: this.#options.rest,
      draft: kept === null ? drafts.startDraft(document) : drafts.moved(drafts.unsaved(kept), document),
      lockToken: () => this.lock.token,
      onWritten: (version) => {
        this.#showVersion(version)
        this.#reread.wish()
      },
      onRefused: () => {
        this.#reread.wish()
        this.conflicts.refresh()
      },
    })
    return { kind: 'json', life, draft: saver.draft, saver }
  }

  #textEditor(life: Life, kept: Uint8Array | null): Editor {
    const { socketBase, self, keeper, nameBook } = this.#options
    const editing = new TextEditing({
      url: `${socketBase}/sync`,
      id: this.id,
      root: life.root,
      self,
      token: keeper,
      kept,
      lock: this.lock,
      absence: this.absence,
      nameBook,
      saved: this.saved,
      isStored: (text) => this.#isStored(text),
    })
    return { kind: 'text', life, live: editing.live, editing }
  }

  get #editor(): Editor | null {
    const { value } = this.phase
    return value.phase === 'open' ? value.editor : null
  }

  readonly #wakeFeed = (): void => {
    if (!this.offline.value) this.#feed?.wake()
  }

  #followPresence(): void {
    const { presence } = this.#options.keeper
    if (presence.value.phase !== 'in') return
    if (this.phase.value.phase === 'failed' && !this.#closed) void this.open()
    if (this.#editor?.kind === 'text') this.#editor.live.signedIn()
    this.#wakeFeed()
    this.#readAnew()
  }

  #readAnew(): void {
    this.conflicts.refresh()
    this.lock.refresh()
    this.#actors.refresh()
    this.#reread.wish()
  }

  #follow(): void {
    this.#feed = new NotificationFeed({
      url: `${this.#options.socketBase}/conflict-notifications`,
      token: this.#options.keeper,
      documents: [this.id],
      events: EVENT_TYPES,
      onEvent: (event) => this.#receive(event),
      onGap: () => this.#readAnew(),
      onState: (state) => this.following.set(state),
    })
  }

  #receive(event: ParleyEvent): void {
    this.conflicts.receive(event)
    this.lock.receive(event)
    this.#actors.receive(event)
    if (event.type === 'parley.document.changed') this.#changed(event)
    if (event.type === 'parley.document.deleted') void this.#learnOfDeletion()
    if (event.type === 'parley.document.created') this.#comesBack()
  }

  async #learnOfDeletion(): Promise<void> {
    const found = await this.#options.headStart.read(this.id).catch((error: unknown) => deletionIn(error))
    if (found === null || !('isPurged' in found)) return
    this.deleted.set(found)
    this.#actors.refresh()
  }

  /** Nothing that stands here alone is replaced without being asked for. */
  #comesBack(): void {
    const { phase } = this.phase.value
    if (phase !== 'deleted' && phase !== 'absent' && this.deleted.value === null) return
    void this.#holdsMore().then((holdsMore) => (holdsMore ? this.revived.set(true) : this.reopen()))
  }

  /** Whether something stands here alone, now that the document is there again; what was just being stored is in it. */
  async #holdsMore(): Promise<boolean> {
    const editor = this.#editor
    if (editor === null || !this.hasUnsavedEdits) return false
    if (editor.kind === 'json') return true
    return !(await this.#isStored(editor.live.text).catch(() => false))
  }

  #changed({ data: { version } }: ParleyEvent): void {
    if (typeof version === 'number') this.#showVersion(version)
    const editor = this.#editor
    if (editor?.kind === 'text') editor.editing.hint()
    if (editor?.kind === 'json') this.#reread.wish()
  }

  async #read(): Promise<void> {
    const document = await this.readNow().catch(() => null)
    const editor = this.#editor
    if (document === null || editor === null) return
    // Its end was never noticed here, so that no news of its return count.
    if (this.deleted.value === null && !isSameLife(editor.life, document)) return this.reopen()
    this.#showVersion(document.version)
    if (editor.kind === 'json') editor.draft.update((draft) => drafts.moved(draft, document))
  }

  /** Answers and events overtake each other; a version never goes back. */
  #showVersion(version: number): void {
    this.version.update((known) => Math.max(known ?? 0, version))
  }
}

const isRefused = (live: LiveText): boolean => live.connection.value.phase === 'refused'
