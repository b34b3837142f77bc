import { setTimeout as pause } from 'node:timers/promises'
import * as Y from 'yjs'
import type { Environment } from '../../server/foundation/environment.ts'
import { startConflictServer, type ConflictServer } from './conflicts.ts'
import type { Answer, Caller } from './server.ts'
import { StockClient } from './stockClient.ts'
import { eventually } from './waitFor.ts'

/** Short, so that an absence worth judging is one too. */
export const WINDOW_MS = 150

/** A server with a short window, and stock clients that come and go. */
export class OfflineScene {
  readonly server: ConflictServer
  readonly #clients: StockClient[] = []

  private constructor(server: ConflictServer) {
    this.server = server
  }

  static async start(variables: Record<string, string> = {}, environment?: Environment): Promise<OfflineScene> {
    const all = { PARLEY_CONCURRENT_EDIT_WINDOW_MS: String(WINDOW_MS), ...variables }
    return new OfflineScene(await startConflictServer(all, undefined, environment))
  }

  /** A document with this content; who asks for it over REST has every right. */
  async create(content: unknown, more: Record<string, unknown> = {}): Promise<{ id: string; rest: Caller }> {
    const id = this.server.newId()
    const rest = await this.server.as('rest')
    const kind = typeof content === 'string' ? 'text' : 'json'
    const made = await rest.post('/documents', { id, kind, content, ...more })
    if (made.status !== 201) throw new Error(JSON.stringify(made.body))
    return { id, rest }
  }

  /** A stock client of `sub` in sync, with a Yjs client id of its own choice if wanted. */
  async join(id: string, sub: string, clientId?: number, doc = new Y.Doc()): Promise<StockClient> {
    if (clientId !== undefined) doc.clientID = clientId
    const url = `${this.server.url.replace(/^http/, 'ws')}/sync`
    const client = new StockClient(url, id, { token: await this.server.token(sub) }, doc)
    this.#clients.push(client)
    return client.synced()
  }

  /** Cuts the line, and lets the window pass, which begins when the server hears of it. */
  async leave(...clients: StockClient[]): Promise<void> {
    for (const client of clients) client.provider.disconnect()
    await pause(WINDOW_MS + 80)
  }

  /** Brings a client back, and waits until the server has taken in everything it has. */
  async comeBack(client: StockClient): Promise<void> {
    client.provider.serverUrl = `${this.server.url.replace(/^http/, 'ws')}/sync`
    client.provider.connect()
    await client.synced()
    await this.agree(client)
  }

  /** Waits until the server holds what the client does. */
  async agree(...clients: StockClient[]): Promise<void> {
    for (const client of clients) {
      await eventually(async () => {
        const probe = new StockClient(`${this.server.url.replace(/^http/, 'ws')}/sync`, client.provider.roomname, {
          token: await this.server.token('probe', { '*': ['read'] }),
        })
        try {
          await probe.synced()
          const same = Buffer.compare(state(probe.doc), state(client.doc)) === 0
          if (!same) throw new Error('the server and the client differ')
        } finally {
          probe.destroy()
        }
      })
    }
  }

  /** Every conflict of the document in full, oldest first. */
  async conflicts(id: string): Promise<Answer['body'][]> {
    const rest = await this.server.as('rest')
    const { items } = (await rest.get(`/conflicts?document=${id}`)).body
    const full = []
    for (const item of items.toReversed()) full.push((await rest.get(`/conflicts/${item.id}`)).body)
    return full
  }

  async content(id: string): Promise<unknown> {
    return (await (await this.server.as('rest')).get(`/documents/${id}/content`)).body
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.destroy()
    await this.server.stop()
  }
}

/** All a document holds, in a form that is equal where two documents are. */
function state(doc: Y.Doc): Uint8Array {
  const { sv, ds } = Y.snapshot(doc)
  const clocks = [...sv].toSorted(([a], [b]) => a - b)
  const deletes = [...ds.clients].toSorted(([a], [b]) => a - b)
  return Buffer.from(JSON.stringify({ clocks, deletes }))
}
