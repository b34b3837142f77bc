import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Compile } from 'typebox/compile'
import { WebSocket, WebSocketServer } from 'ws'
import type { Principal } from '../../server/access/access.ts'
import type { Environment } from '../../server/foundation/environment.ts'
import { invariant } from '../../server/foundation/assert.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { problemDocument } from '../../server/http/problem.ts'
import { parseStrictJson } from '../../server/http/strictJson.ts'
import type { FeedStorage } from '../../server/notifications/catchUp.ts'
import { Feed } from '../../server/notifications/feed.ts'
import { ServerFrame, SUBPROTOCOL } from '../../server/notifications/frames.ts'
import { NotificationHub, type HubLimits } from '../../server/notifications/hub.ts'
import { cloudEventFaults } from './cloudEvents.ts'
import { WaitLimit } from './waitFor.ts'
import { readerOf } from './readers.ts'

// oxlint-disable-next-line typescript/no-explicit-any -- tests look into frames freely
export type Frame = any

/** Who the tokens of these tests name: `sub reads pattern,pattern until seconds`. */
export const tokenOf = (sub: string, patterns = '*', expiresAt = 9_999_999_999): string =>
  `${sub} reads ${patterns} until ${expiresAt}`

function principalOf(token: string): Principal {
  const [, sub, patterns, expiresAt] = /^(\w+) reads (\S+) until (\d+)$/.exec(token) ?? []
  if (!sub || !patterns || !expiresAt) throw new ParleyError('unauthenticated', 'The token is unknown.')
  return readerOf({ sub, patterns, expiresAt: Number(expiresAt) })
}

export interface HubServer {
  readonly hub: NotificationHub
  readonly feed: Feed
  readonly unexpected: unknown[]
  /** Verifying a token waits for this. */
  holdTokens(until: Promise<void>): void
  /** The tokens of a `sub` count no more, and the hub is told so. */
  revoke(sub: string): void
  /** Opens a client; `query` begins with `?` or is empty. */
  connect(query?: string): Promise<HubClient>
  stop(): Promise<void>
}

/** A hub behind a small HTTP server on loopback. */
export async function startHub(
  storage: FeedStorage,
  environment: Environment,
  limits: Partial<HubLimits> = {},
): Promise<HubServer> {
  const feed = await Feed.open({ storage, environment, source: () => 'https://parley.test' })
  const unexpected: unknown[] = []
  let held = Promise.resolve()
  const revoked = new Set<string>()
  const hub = new NotificationHub({
    feed,
    environment,
    limits,
    isValid: ({ sub, expiresAt }) => environment.now() < expiresAt * 1_000 && !revoked.has(sub),
    authenticate: async (token) => {
      await held
      return principalOf(token)
    },
    parseJson: parseStrictJson,
    problemOf: (error) => problemDocument(error, 'https://parley.test', '/conflict-notifications'),
    onUnexpected: (error) => unexpected.push(error),
    onFlood: () => undefined,
  })
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: 64 * 1024,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  })
  const server = createServer()
  server.on('upgrade', (request, socket, head) => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    sockets.handleUpgrade(request, socket, head, (accepted) =>
      hub.accept(accepted, { stream: request.socket, url, token: url.searchParams.get('token'), principal: null }),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const clients = new Set<HubClient>()
  return {
    hub,
    feed,
    unexpected,
    holdTokens: (until) => void (held = until),
    revoke: (sub) => {
      revoked.add(sub)
      hub.revalidate()
    },
    async connect(query = '') {
      const client = new HubClient(`ws://127.0.0.1:${port}/conflict-notifications${query}`)
      clients.add(client)
      await client.opened
      return client
    },
    async stop() {
      for (const client of clients) client.socket.terminate()
      feed.close()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const serverFrame = Compile(ServerFrame)

/** A client that keeps every frame, and checks each against the schema the API description is made from. */
export class HubClient {
  readonly socket: WebSocket
  readonly frames: Frame[] = []
  readonly opened: Promise<void>
  closed: { readonly code: number; readonly reason: string } | null = null
  #changed: () => void = () => undefined

  constructor(url: string) {
    this.socket = new WebSocket(url, SUBPROTOCOL)
    this.opened = new Promise((resolve, reject) => {
      this.socket.once('open', resolve)
      this.socket.once('error', reject)
    })
    this.socket.on('error', () => undefined)
    this.socket.on('message', (data) => {
      const frame: unknown = JSON.parse(String(data))
      invariant(serverFrame.Check(frame), `the server sent ${String(data)}`)
      const faults = frame.type === 'event' ? cloudEventFaults(frame.event) : []
      invariant(faults.length === 0, `the server sent ${String(data)}, where ${faults.join()}`)
      this.frames.push(frame)
      this.#changed()
    })
    this.socket.on('close', (code, reason) => {
      this.closed = { code, reason: String(reason) }
      this.#changed()
    })
  }

  get events(): Frame[] {
    return this.frames.filter((frame) => frame.type === 'event')
  }

  /** What the events' data hold as `n`. */
  get numbers(): number[] {
    return this.events.map((frame) => frame.event.data.n)
  }

  send(frame: unknown): void {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame))
  }

  /** The next frame of this type that was not waited for yet. */
  async next(type: string): Promise<Frame> {
    const after = this.#seen.get(type) ?? 0
    await this.until(() => this.frames.filter((frame) => frame.type === type).length > after)
    this.#seen.set(type, after + 1)
    return this.frames.filter((frame) => frame.type === type)[after]
  }
  readonly #seen = new Map<string, number>()

  async until(condition: () => boolean): Promise<void> {
    const limit = new WaitLimit(() => `${String(condition)} with ${this.#summary()}`)
    while (!condition()) await limit.race(new Promise<void>((resolve) => (this.#changed = resolve)))
    limit.end()
  }

  /** Everything the server sent before this is here when it resolves. */
  async roundTrip(): Promise<void> {
    this.send({ type: 'ping' })
    await this.next('pong')
  }

  async subscribe(id: string, more: Record<string, unknown> = {}): Promise<Frame> {
    const answers = (): Frame[] => this.frames.filter((frame) => frame.type === 'subscribed' && frame.id === id)
    const before = answers().length
    this.send({ type: 'subscribe', id, ...more })
    await this.until(() => answers().length > before)
    return answers().at(-1)
  }

  async ended(): Promise<{ readonly code: number; readonly reason: string }> {
    await this.until(() => this.closed !== null)
    invariant(this.closed !== null, 'it is closed')
    return this.closed
  }

  #summary(): string {
    return JSON.stringify({ closed: this.closed, frames: this.frames.length, last: this.frames.at(-1) })
  }
}
