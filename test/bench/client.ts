import WebSocket from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

/** A stock client with a document of its own. */
export interface BenchClient {
  readonly doc: Y.Doc
  readonly text: Y.Text
  readonly provider: WebsocketProvider
  synced(): Promise<void>
  destroy(): void
}

/** Connects a stock y-websocket client; await `synced` before use. */
export function connectClient(
  url: string,
  room: string,
  params: Record<string, string>,
  doc = new Y.Doc(),
): BenchClient {
  const provider = new WebsocketProvider(url, room, doc, {
    params,
    disableBc: true,
    // The provider's types know the browser's WebSocket only.
    WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
  })
  return {
    doc,
    text: doc.getText('content'),
    provider,
    synced: () =>
      new Promise((resolve) => {
        if (provider.synced) resolve()
        else provider.on('sync', (isSynced: boolean) => isSynced && resolve())
      }),
    destroy: () => {
      provider.destroy()
      doc.destroy()
    },
  }
}
