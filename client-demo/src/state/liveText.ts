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
  /** The device itself has no network. */
  | { readonly phase: 'offline' }
  | { readonly phase: 'refused'; readonly reason: string }

export interface LiveTextOptions {
  /** `ws://localhost:4090/sync` */
  readonly url: string
  readonly id: string
  readonly root: string
  readonly self: Identity
  readonly token: TokenSource
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
    globalThis.addEventListener('online', this.#showNetwork)
    globalThis.addEventListener('offline', this.#showNetwork)
    void this.#start()
  }

  /** The person went elsewhere; the connection stays for the edits that are not sent yet. */
  leave(): void {
    this.awareness.setLocalState(null)
  }

  close(): void {
    this.#closed = true
    globalThis.removeEventListener('online', this.#showNetwork)
    globalThis.removeEventListener('offline', this.#showNetwork)
    this.undoManager.destroy()
    this.#provider.destroy()
    this.awareness.destroy()
    this.#doc.destroy()
  }

  async #start(): Promise<void> {
    try {
      this.#bearer = await this.#token.current()
    } catch {
      this.connection.set({ phase: 'refused', reason: 'no token could be had' })
      return
    }
    this.#connect()
  }

  #connect(): void {
    if (this.#closed) return
    this.#provider.params = { token: this.#bearer }
    this.#provider.connect()
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
    if (this.#closed || this.connection.value.phase === 'refused') return
    this.#showLost()
    // The provider tries again by itself; by then the token may be a newer one.
    void this.#token.current().then((bearer) => {
      this.#bearer = bearer
      this.#provider.params = { token: bearer }
    }, nothing)
  }

  #showLost(): void {
    if (!navigator.onLine) this.connection.set({ phase: 'offline' })
    else this.connection.set({ phase: this.#wasLive ? 'reconnecting' : 'connecting' })
  }

  /** The device knows sooner than the provider that its network is gone; a short gap the connection may survive. */
  readonly #showNetwork = (): void => {
    if (this.connection.value.phase === 'refused') return
    if (navigator.onLine && this.#provider.synced) this.connection.set({ phase: 'live' })
    else this.#showLost()
  }

  readonly #refused = ({ code, reason }: { readonly code: number; readonly reason: string }): void => {
    if (code === TOKEN_REFUSED && this.#renewals < MOST_RENEWALS) {
      this.#renewals += 1
      void this.#renew()
      return
    }
    this.connection.set({ phase: 'refused', reason: REFUSALS[code] ?? (reason || `closed with code ${code}`) })
  }

  async #renew(): Promise<void> {
    try {
      this.#bearer = await this.#token.renew(this.#bearer)
    } catch {
      this.connection.set({ phase: 'refused', reason: REFUSALS[TOKEN_REFUSED] ?? '' })
      return
    }
    this.#connect()
  }
}

const nothing = (): void => {}
