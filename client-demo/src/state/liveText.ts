import type { Awareness } from 'y-protocols/awareness'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import type { TokenSource } from '../parley/rest.ts'
import type { Identity } from './identity.ts'
import { announcement, peopleIn, type Person } from './people.ts'
import { Store } from './store.ts'

export type Connection =
  | { readonly phase: 'connecting' }
  | { readonly phase: 'live' }
  | { readonly phase: 'reconnecting' }
  /** The device itself has no network, or the person wants none. */
  | { readonly phase: 'offline'; readonly because: 'network' | 'person' }
  /** Nobody is signed in; it goes on once somebody is. */
  | { readonly phase: 'signed-out' }
  | { readonly phase: 'refused'; readonly code: number; readonly reason: string }

export interface LiveTextOptions {
  /** `ws://localhost:4090/sync` */
  readonly url: string
  readonly id: string
  readonly root: string
  readonly self: Identity
  readonly token: TokenSource
  /** Edits of this tab that a reload interrupted before they were stored. */
  readonly kept: Uint8Array | null
  /** The person changed the text; it is not on the server yet. */
  readonly onEdit: () => void
}

const TOKEN_REFUSED = 4401
/** A renewed token that is refused this often in a row will not become welcome by trying. */
const MOST_RENEWALS = 3

const REFUSALS: Readonly<Record<number, string>> = {
  4400: 'the server could not read an update of this editor',
  4401: 'your token is no longer accepted',
  4403: 'you may not read this document',
  4404: 'the document was deleted or is not there',
  4409: 'the document was deleted and created again, this text belongs to the old one',
  4413: 'the document reached its size limit',
}

/** A text document open for live editing through the stock y-websocket provider. */
export class LiveText {
  readonly text: Y.Text
  readonly undoManager: Y.UndoManager
  readonly awareness: Awareness
  readonly connection = new Store<Connection>({ phase: 'connecting' })
  readonly people = new Store<readonly Person[]>([])
  readonly #doc = new Y.Doc()
  readonly #token: TokenSource
  readonly #provider: WebsocketProvider
  #bearer = ''
  #renewals = 0
  #wasLive = false
  #isKeptOffline = false
  #closed = false

  constructor(options: LiveTextOptions) {
    this.#token = options.token
    this.text = this.#doc.getText(options.root)
    this.undoManager = new Y.UndoManager(this.text)
    // Each tab is its own person here: what two tabs see of each other goes through the server.
    this.#provider = new WebsocketProvider(options.url, options.id, this.#doc, { connect: false, disableBc: true })
    this.awareness = this.#provider.awareness
    this.awareness.setLocalStateField('user', announcement(options.self))
    this.awareness.on('change', this.#listPeople)
    this.#listPeople()
    this.#doc.on('update', (_update: Uint8Array, origin: unknown) => {
      if (origin !== this.#provider) options.onEdit()
    })
    this.#provider.on('sync', this.#synced)
    this.#provider.on('connection-close', this.#lost)
    this.#provider.on('closed', this.#refused)
    globalThis.addEventListener('online', this.#followNetwork)
    globalThis.addEventListener('offline', this.#followNetwork)
    if (options.kept !== null) Y.applyUpdate(this.#doc, options.kept, 'kept')
    void this.#start()
  }

  /** The whole document as it is here, for a reload to go on from. */
  state(): Uint8Array {
    return Y.encodeStateAsUpdate(this.#doc)
  }

  /** Ends the connection because the person wants it, or takes it up again. What is typed meanwhile waits here. */
  stayOffline(isOffline: boolean): void {
    this.#isKeptOffline = isOffline
    this.#followNetwork()
  }

  /** Somebody is signed in (again). */
  signedIn(): void {
    const { value } = this.connection
    const isTokens = value.phase === 'signed-out' || (value.phase === 'refused' && value.code === TOKEN_REFUSED)
    if (!isTokens) return
    this.#renewals = 0
    this.connection.set({ phase: 'connecting' })
    void this.#start()
  }

  /** The person went elsewhere; the connection stays for the edits that are not sent yet. */
  leave(): void {
    this.awareness.setLocalState(null)
  }

  close(): void {
    this.#closed = true
    globalThis.removeEventListener('online', this.#followNetwork)
    globalThis.removeEventListener('offline', this.#followNetwork)
    this.undoManager.destroy()
    this.#provider.destroy()
    this.awareness.destroy()
    this.#doc.destroy()
  }

  async #start(): Promise<void> {
    try {
      this.#bearer = await this.#token.current()
    } catch {
      this.connection.set({ phase: 'signed-out' })
      return
    }
    this.#connect()
  }

  #connect(): void {
    if (this.#closed || this.#isOffline()) return
    this.#provider.params = { token: this.#bearer }
    this.#provider.connect()
  }

  #isOffline(): boolean {
    return this.#isKeptOffline || !navigator.onLine
  }

  readonly #listPeople = (): void => {
    this.people.set(peopleIn(this.awareness.getStates(), this.awareness.clientID))
  }

  readonly #synced = (isSynced: boolean): void => {
    if (!isSynced) return
    this.#renewals = 0
    this.#wasLive = true
    this.connection.set({ phase: 'live' })
  }

  readonly #lost = (): void => {
    if (this.#closed || !this.#isTrying()) return
    this.#showLost()
    // The provider tries again by itself; by then the token may be a newer one.
    void this.#token.current().then((bearer) => {
      this.#bearer = bearer
      this.#provider.params = { token: bearer }
    }, nothing)
  }

  #isTrying(): boolean {
    const { phase } = this.connection.value
    return phase !== 'refused' && phase !== 'signed-out'
  }

  #showLost(): void {
    if (this.#isOffline()) {
      this.connection.set({ phase: 'offline', because: this.#isKeptOffline ? 'person' : 'network' })
    } else this.connection.set({ phase: this.#wasLive ? 'reconnecting' : 'connecting' })
  }

  /** The device knows sooner than the provider that its network is gone, and that it is back. */
  readonly #followNetwork = (): void => {
    if (this.#closed || !this.#isTrying()) return
    if (this.#isOffline()) {
      this.#provider.disconnect()
      this.#showLost()
    } else if (this.connection.value.phase === 'offline') {
      this.#showLost()
      void this.#start()
    }
  }

  readonly #refused = ({ code, reason }: { readonly code: number; readonly reason: string }): void => {
    if (code === TOKEN_REFUSED && this.#renewals < MOST_RENEWALS) {
      this.#renewals += 1
      void this.#renew()
      return
    }
    this.connection.set({ phase: 'refused', code, reason: REFUSALS[code] ?? (reason || `closed with code ${code}`) })
  }

  async #renew(): Promise<void> {
    try {
      this.#bearer = await this.#token.renew(this.#bearer)
    } catch {
      this.connection.set({ phase: 'signed-out' })
      return
    }
    this.#connect()
  }
}

const nothing = (): void => {}
