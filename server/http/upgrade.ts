import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import { prefixOf, withoutPrefix, withoutVersion } from '../foundation/links.ts'
import { ParleyError } from '../foundation/problems.ts'
import { problemKind, type ProblemCode } from '../foundation/problemTable.ts'
import { answerOrdinarily, isWebSocketUpgrade } from './ordinary.ts'
import type { Origins } from './origins.ts'
import { endWith } from './errors.ts'
import { PROBLEM_MEDIA_TYPE, problemDocument } from './problem.ts'
import type { RequestRates } from './rates.ts'
import { loggedPath } from './requestLog.ts'
import { securityHeaders } from './securityHeaders.ts'

/** One kind of WebSocket the server speaks. */
export interface SocketEndpoint {
  /** Takes the path without its `/v1`, percent-encoding untouched; whether this endpoint serves it. */
  readonly serves: (path: string) => boolean
  /** The subprotocol to answer with, of those the client offered; null for none. */
  readonly chooseProtocol: (offered: readonly string[]) => string | null
  /** Longest message, in bytes; a longer one ends the socket with 1009. */
  readonly maxPayloadBytes: number
  /** Called before the socket is accepted; throws `ParleyError` to refuse the upgrade with its status. */
  readonly admit: (request: IncomingMessage, url: URL) => Promise<(socket: WebSocket) => void>
}

export interface UpgradeOptions {
  readonly publicUrl: () => string
  readonly rates: Pick<RequestRates, 'headersOfUpgrade'>
  /** Whose pages may connect (SPEC AUTH-4). */
  readonly origins: Origins
  /** Told of each upgrade that is refused, for the log. */
  readonly onRefused?: (request: { method: string; path: string; status: number; problem: ProblemCode }) => void
}

/** Routes WebSocket upgrades of an HTTP server to endpoints; every refusal is a problem document. */
export class Upgrades {
  readonly #options: UpgradeOptions
  readonly #endpoints: { readonly endpoint: SocketEndpoint; readonly sockets: WebSocketServer }[] = []
  /** What goes on the answer to an upgrade besides what makes it one. */
  readonly #headers = new WeakMap<IncomingMessage, Readonly<Record<string, string>>>()
  #closing = false

  constructor(server: Server, options: UpgradeOptions) {
    this.#options = options
    server.on('upgrade', (request, socket, head) => {
      if (!isWebSocketUpgrade(request)) {
        answerOrdinarily(server, request, socket, head)
        return
      }
      // A peer that resets the connection while it is being judged is nobody's fault here.
      socket.on('error', () => socket.destroy())
      this.#upgrade(request, socket, head).catch((error: unknown) => this.#refuse(request, socket, error))
    })
  }

  add(endpoint: SocketEndpoint): void {
    const sockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: endpoint.maxPayloadBytes,
      handleProtocols: (offered) => endpoint.chooseProtocol([...offered]) ?? false,
    })
    sockets.on('headers', (lines, request) => lines.push(...linesOf(this.#headers.get(request) ?? {})))
    // What the handshake lacks is told as every other refusal is.
    sockets.on('wsClientError', ({ message }: Error, socket: Duplex, request: IncomingMessage) => {
      void this.#refuse(
        request,
        socket,
        new ParleyError('invalid-request', `This is no WebSocket handshake: ${message}.`),
      )
    })
    this.#endpoints.push({ endpoint, sockets })
  }

  /** New upgrades are refused with 503 from now on. */
  close(): void {
    this.#closing = true
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    if (this.#closing) throw new ParleyError('shutting-down', 'The server is stopping.')
    const { origin, host = '' } = request.headers
    if (origin !== undefined && !this.#options.origins.allows(origin, host)) {
      throw new ParleyError('forbidden', 'Pages of this origin may not connect here.')
    }
    request.url = withoutPrefix(request.url ?? '/', prefixOf(this.#options.publicUrl()))
    const url = parseUrl(request.url)
    const path = withoutVersion(url.pathname)
    const found = this.#endpoints.find(({ endpoint }) => endpoint.serves(path))
    if (!found) throw new ParleyError('not-found', 'There is no WebSocket at this path.')
    const accept = await found.endpoint.admit(request, url)
    this.#headers.set(request, await this.#options.rates.headersOfUpgrade(request))
    found.sockets.handleUpgrade(request, socket, head, accept)
  }

  async #refuse(request: IncomingMessage, socket: Duplex, error: unknown): Promise<void> {
    const { origin, host = '' } = request.headers
    const problem =
      error instanceof ParleyError ? error : new ParleyError('internal', 'The upgrade failed.', { cause: error })
    const { status, title } = problemKind(problem.code)
    const path = loggedPath(request.url ?? '')
    this.#options.onRefused?.({ method: 'GET', path, status, problem: problem.code })
    const publicUrl = this.#options.publicUrl()
    const body = JSON.stringify(problemDocument(problem, publicUrl))
    const headers = {
      ...(await this.#options.rates.headersOfUpgrade(request)),
      ...securityHeaders(publicUrl),
      ...this.#options.origins.headersFor(origin, host),
      ...problem.headers,
      'Content-Type': PROBLEM_MEDIA_TYPE,
      'Content-Length': Buffer.byteLength(body),
      Connection: 'close',
    }
    endWith(socket, [`HTTP/1.1 ${status} ${title}`, ...linesOf(headers), '', body].join('\r\n'))
  }
}

const linesOf = (headers: Readonly<Record<string, number | string>>): string[] =>
  Object.entries(headers).map(([name, value]) => `${name}: ${value}`)

function parseUrl(target: string): URL {
  try {
    return new URL(target, 'http://localhost')
  } catch (cause) {
    throw new ParleyError('invalid-request', 'The request target is not a URL.', { cause })
  }
}
