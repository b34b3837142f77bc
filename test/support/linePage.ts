import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

export type Kind = 'text' | 'json'
export type Place = 'same' | 'other' | 'both delete' | 'delete against edit'

const LINES = ['one', 'two', 'six', 'four', 'five']
export const CONTENT: Readonly<Record<Kind, unknown>> = {
  text: LINES.join('\n'),
  json: Object.fromEntries(LINES.map((line) => [line, line])),
}

export interface PageOptions {
  readonly url: string
  readonly id: string
  readonly token: string
  /** The Yjs client id it writes under; else one of chance. */
  readonly client?: number
}

/** A page with a stock client: everything it is sent waits while it hangs, whatever its socket answers. */
export class Page {
  readonly doc = new Y.Doc()
  readonly provider: WebsocketProvider
  #waiting: (() => void)[] | null = null

  constructor({ url, id, token, client }: PageOptions) {
    if (client !== undefined) this.doc.clientID = client
    const later = (task: () => void): void => (this.#waiting ? void this.#waiting.push(task) : task())
    class PageSocket extends WebSocket {
      constructor(address: string, protocols: string[]) {
        super(address, protocols)
        let listener: ((event: WebSocket.MessageEvent) => void) | null = null
        Object.defineProperty(this, 'onmessage', {
          set: (given: typeof listener) => {
            listener = given
          },
        })
        this.addEventListener('message', (event) => later(() => listener?.(event)))
      }
    }
    this.provider = new WebsocketProvider(`${url.replace(/^http/, 'ws')}/sync`, id, this.doc, {
      params: { token },
      disableBc: true,
      WebSocketPolyfill: PageSocket as unknown as typeof globalThis.WebSocket,
    })
  }

  isSynced(): boolean {
    return this.provider.synced
  }

  /** Of all that its document holds. */
  snapshot(): Uint8Array {
    return Y.encodeSnapshot(Y.snapshot(this.doc))
  }

  hang(): void {
    this.#waiting = []
  }

  goOn(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = null
    for (const task of waiting) task()
  }

  edit(kind: Kind, place: Place, who: Who): void {
    edit(this.doc, kind, place, who)
  }

  destroy(): void {
    this.provider.destroy()
    this.doc.destroy()
  }
}

export function fill(doc: Y.Doc, kind: Kind): void {
  if (kind === 'text') doc.getText('content').insert(0, String(CONTENT.text))
  else for (const line of LINES) doc.getMap('content').set(line, line)
}

export type Who = 'alice' | 'bob'

/** Both work on what was called `two`, but in another place. */
export function edit(doc: Y.Doc, kind: Kind, place: Place, who: Who): void {
  const isDelete = place === 'both delete' || (place === 'delete against edit' && who === 'bob')
  const key = place === 'other' && who === 'alice' ? 'four' : 'two'
  if (kind === 'json') {
    const map = doc.getMap('content')
    if (isDelete) map.delete(key)
    else map.set(key, `by ${who}`)
    return
  }
  const text = doc.getText('content')
  doc.transact(() => {
    const line = LINES.indexOf(key)
    const lines = text.toString().split('\n')
    const start = lines.slice(0, line).reduce((sum, one) => sum + one.length + 1, 0)
    const { length } = lines[line] ?? ''
    text.delete(start, isDelete ? length + 1 : length)
    if (!isDelete) text.insert(start, `by ${who}`)
  })
}

export const plain = (doc: Y.Doc, kind: Kind): unknown =>
  kind === 'text' ? doc.getText('content').toString() : doc.getMap('content').toJSON()
