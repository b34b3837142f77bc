import { once } from 'node:events'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { eventually, WaitLimit } from './waitFor.ts'

/** A stock y-websocket provider with a document of its own, as an application would use it. */
export class StockClient {
  readonly doc: Y.Doc
  readonly provider: WebsocketProvider
  /** The close codes it has seen, oldest first; `terminal` those after which it gave up. */
  readonly closeCodes: number[] = []
  readonly terminal: number[] = []

  /** `server` ends in `/sync`. `isTab`: it tells others of this process what it does, as tabs of one browser do. */
  constructor(server: string, id: string, params: Record<string, string>, doc = new Y.Doc(), isTab = false) {
    this.doc = doc
    this.provider = new WebsocketProvider(server, id, doc, {
      params,
      disableBc: !isTab,
      // The provider's types know the browser's WebSocket only.
      WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
    })
    this.provider.on('connection-close', (event) => void (event && this.closeCodes.push(event.code)))
    this.provider.on('closed', ({ code }) => this.terminal.push(code))
  }

  get text(): Y.Text {
    return this.doc.getText('content')
  }

  get map(): Y.Map<unknown> {
    return this.doc.getMap('content')
  }

  /** What it is connected by now. */
  get line(): WebSocket {
    const { ws }: { ws: unknown } = this.provider
    if (!(ws instanceof WebSocket)) throw new Error('it is not connected')
    return ws
  }

  async synced(): Promise<this> {
    await eventually(() => {
      if (!this.provider.synced) throw new Error(`not synced; closed with ${this.closeCodes.join(', ')}`)
    })
    return this
  }

  /** Waits until the server has read all that was sent by now: frames are read in order, and a ping is answered at once. */
  async arrived(): Promise<void> {
    const limit = new WaitLimit(() => 'an answer of the server')
    const answered = once(this.line, 'pong')
    this.line.ping()
    await limit.race(answered)
    limit.end()
  }

  /** Waits until the text is this. */
  async shows(text: string): Promise<void> {
    await eventually(() => {
      if (this.text.toString() !== text) throw new Error(`the text is ${JSON.stringify(this.text.toString())}`)
    })
  }

  destroy(): void {
    this.provider.destroy()
    this.doc.destroy()
  }
}
