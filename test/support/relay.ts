import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'

/** What a frame of the y-websocket protocol is, by its first bytes. */
export type FrameKind = 'question' | 'answer' | 'update' | 'other'

function kindOf(frame: Buffer): FrameKind {
  if (frame[0] !== 0) return 'other'
  return frame[1] === 0 ? 'question' : frame[1] === 1 ? 'answer' : 'update'
}

interface Waiting {
  readonly kind: FrameKind
  readonly resolve: () => void
}

/** Between an editor and the server, frame by frame: it stops where a test says so. */
export class Relay {
  readonly #server: WebSocketServer
  readonly #target: string
  readonly #pairs = new Set<readonly [near: WebSocket, far: WebSocket]>()
  /** From a frame of this kind on, what the editor sends stays here. */
  #stopsAt: FrameKind | null = null
  #isSilent = false
  #waiting: Waiting[] = []

  private constructor(server: WebSocketServer, target: string) {
    this.#server = server
    this.#target = target
    server.on('connection', (near, request) => this.#join(near, request.url ?? ''))
  }

  /** `target`: the server's URL, as `http://127.0.0.1:4090`. */
  static async start(target: string): Promise<Relay> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
    await once(server, 'listening')
    return new Relay(server, target.replace(/^http/, 'ws'))
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** What the editor sends stays here from such a frame on. */
  stopAt(kind: FrameKind): void {
    this.#stopsAt = kind
  }

  /** Nothing of the server reaches the editor. */
  silence(): void {
    this.#isSilent = true
  }

  /** The next frame of a kind that the editor sends is here. */
  sent(kind: FrameKind): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ kind, resolve }))
  }

  /** What the server was sent until now it has read, and has sent what it sends at once. */
  async isRead(): Promise<void> {
    await Promise.all([...this.#pairs].map(([, far]) => once(this.#ask(far), 'message')))
  }

  /** QueryAwareness, which is answered to whoever asks. */
  #ask(far: WebSocket): WebSocket {
    far.send(Uint8Array.of(3))
    return far
  }

  /** Cuts the line without a word; the next one carries everything. */
  cut(): void {
    this.#stopsAt = null
    this.#isSilent = false
    for (const pair of this.#pairs) for (const socket of pair) socket.terminate()
  }

  async close(): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #join(near: WebSocket, path: string): void {
    const far = new WebSocket(this.#target + path)
    const opened = once(far, 'open')
    opened.catch(() => near.terminate())
    const pair = [near, far] as const
    this.#pairs.add(pair)
    let isStopped = false
    near.on('message', (frame: Buffer) => {
      const kind = kindOf(frame)
      isStopped ||= kind === this.#stopsAt
      if (!isStopped) void opened.then(() => far.send(frame)).catch(() => undefined)
      const due = this.#waiting.filter((one) => one.kind === kind)
      this.#waiting = this.#waiting.filter((one) => one.kind !== kind)
      for (const { resolve } of due) resolve()
    })
    far.on('message', (frame: Buffer) => this.#isSilent || near.send(frame))
    far.on('error', () => near.terminate())
    near.on('error', () => far.terminate())
    near.on('close', () => (this.#pairs.delete(pair), far.terminate()))
    far.on('close', () => near.terminate())
  }
}
