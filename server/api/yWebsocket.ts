import type { IncomingMessage } from 'node:http'
import type { WebSocket } from 'ws'
import type { Authenticate, Principal } from '../access/access.ts'
import { tokenFromRequest, tokenMissing } from '../access/bearer.ts'
import type { Kind } from '../content/content.ts'
import type { Environment } from '../foundation/environment.ts'
import { parseDocumentId, type DocumentId, type PrincipalId } from '../foundation/ids.ts'
import { withoutVersion } from '../foundation/links.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { ProblemCode } from '../foundation/problemTable.ts'
import type { SocketEndpoint } from '../http/upgrade.ts'
import { DEFAULT_SYNC_LIMITS, frameLimitBytes, type SyncLimits } from '../sync/limits.ts'
import { assertDecodersStopAtTheEnd } from '../sync/yProtocol.ts'
import type { Rooms } from '../sync/rooms.ts'
import type { SocketStream } from '../sockets/peer.ts'
import { YSocket } from '../sync/ySocket.ts'

const PREFIX = '/sync/'
/** A token among the subprotocols has the form of a JWT; none of our names has. */
const JWT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/

export interface YWebsocketOptions {
  readonly rooms: Rooms
  readonly authenticate: Authenticate
  /** Whether a token that was verified once still counts: not expired, not revoked. */
  readonly isValid: (principal: Principal) => boolean
  readonly environment: Environment
  readonly limits?: SyncLimits
  /** Told of connections that are closed because they send more than they may. */
  readonly onFlood: () => void
  /** Told what becomes of each session, for the log. */
  readonly onSession?: (fact: SessionFact) => void
  /** Told of errors that are bugs. */
  readonly onUnexpected: (error: unknown) => void
}

/** `close` is the close code. */
export type SessionFact =
  | { readonly is: 'opened'; readonly document: DocumentId; readonly principal: PrincipalId }
  | {
      readonly is: 'ended'
      readonly document: DocumentId
      readonly principal: PrincipalId
      readonly close: number | null
    }
  | { readonly is: 'refused'; readonly document: DocumentId | null; readonly problem: ProblemCode }

/** What the upgrade request of a live client says. */
export interface SyncRequest {
  /** What follows `/sync/` in the request target, percent-encoding untouched, without the query. */
  readonly path: string
  readonly query: URLSearchParams
  /** Null when none was sent, or none that can be read. */
  readonly token: string | null
}

/** `/sync/{id}`: opens a session in the document's room for each stock y-websocket client that may have one. */
export class YWebsocketEndpoint {
  readonly #options: YWebsocketOptions
  readonly #limits: SyncLimits
  readonly #sockets = new Set<YSocket>()
  #isClosing = false

  constructor(options: YWebsocketOptions) {
    assertDecodersStopAtTheEnd()
    this.#options = options
    this.#limits = options.limits ?? DEFAULT_SYNC_LIMITS
  }

  /** Takes an accepted socket and the stream it writes to. What is wrong with the request is told over it, for a stock client hears nothing else. */
  accept(socket: WebSocket, stream: SocketStream, request: SyncRequest): void {
    const ySocket = new YSocket(socket, stream, this.#options.environment, this.#limits, this.#options.onFlood)
    this.#sockets.add(ySocket)
    void ySocket.gone.then(() => this.#sockets.delete(ySocket))
    if (this.#isClosing) ySocket.close('shutting-down', 'the server is stopping')
    else void this.#open(ySocket, request)
  }

  /** Ends (4401) every session whose token does not count any more, as after a revocation. */
  revalidate(): void {
    for (const socket of this.#sockets) this.#revalidate(socket)
  }

  /** OPS-2: ends every session with 1012; resolves once their sockets are closed, or cut after the grace. */
  async close(): Promise<void> {
    this.#isClosing = true
    const sockets = [...this.#sockets]
    for (const socket of sockets) socket.close('shutting-down', 'the server is stopping')
    await Promise.all(sockets.map((socket) => socket.gone))
  }

  async #open(socket: YSocket, request: SyncRequest): Promise<void> {
    const { authenticate, rooms } = this.#options
    try {
      if (request.token === null) throw tokenMissing('Send a token, for instance as `?token=`.')
      const principal = await authenticate(request.token)
      const id = readId(request.path)
      const kind = readKind(request.query)
      const lockToken = request.query.get('lockToken')
      const seat = await rooms.join({ id, kind, principal, lockToken, channel: socket })
      socket.open(seat, principal)
      this.#tell(socket, id, principal)
      // It may have been revoked while the document was loaded.
      this.#revalidate(socket)
    } catch (error) {
      this.#refuse(socket, error, request)
    }
  }

  #revalidate(socket: YSocket): void {
    if (socket.principal === null || this.#options.isValid(socket.principal)) return
    socket.close('unauthenticated', 'the token was revoked')
  }

  #tell(socket: YSocket, document: DocumentId, { sub }: Principal): void {
    const { onSession } = this.#options
    if (!onSession || socket.principal === null) return
    onSession({ is: 'opened', document, principal: sub })
    void socket.gone.then(() => onSession({ is: 'ended', document, principal: sub, close: socket.closedWith }))
  }

  #refuse(socket: YSocket, error: unknown, { path }: SyncRequest): void {
    const isExpected = error instanceof ParleyError
    if (!isExpected) this.#options.onUnexpected(error)
    const problem = isExpected ? error : new ParleyError('internal', 'Something went wrong in the server.')
    const document = parseDocumentId(decodeOnce(path))
    this.#options.onSession?.({ is: 'refused', document, problem: problem.code })
    const refused = [...this.#sockets].filter((one) => one.isRefused).length
    if (refused >= this.#limits.refusedConnections) socket.close(problem.code, problem.detail)
    else socket.refuse(problem)
  }
}

/**
 * The endpoint as the server's upgrades know it. `enter` charges whoever shows a token (SPEC RATE-1); too many are refused
 * before there is a socket, because a stock client then waits longer with each try. All else is told over the socket.
 */
export function syncEndpoint(
  sync: YWebsocketEndpoint,
  enter: (request: IncomingMessage, token: string | null) => Promise<unknown>,
  limits: { readonly maxBytes: number },
): SocketEndpoint {
  return {
    serves: (path) => path.startsWith(PREFIX),
    // The server must answer with one that was offered; a client that puts its token there offers that.
    chooseProtocol: (offered) => offered[0] ?? null,
    maxPayloadBytes: frameLimitBytes(limits.maxBytes),
    admit: async (request) => {
      const asked = readSyncRequest(request)
      await enter(request, asked.token).catch((error: unknown) => {
        if (error instanceof ParleyError && error.code === 'too-many-requests') throw error
      })
      return (socket) => sync.accept(socket, request.socket, asked)
    },
  }
}

/** What the request says; the path is taken from the target as it came, for a URL parser would change it. */
export function readSyncRequest(request: Pick<IncomingMessage, 'url' | 'headers'>): SyncRequest {
  const target = withoutVersion(request.url ?? '')
  const queryStart = target.indexOf('?')
  const path = queryStart === -1 ? target : target.slice(0, queryStart)
  return {
    path: path.startsWith(PREFIX) ? path.slice(PREFIX.length) : '',
    query: new URLSearchParams(queryStart === -1 ? '' : target.slice(queryStart + 1)),
    token: readToken(request),
  }
}

/** By header or query like everywhere (AUTH-1), or where browsers can put it besides: among the subprotocols. */
function readToken(request: Pick<IncomingMessage, 'url' | 'headers'>): string | null {
  const sent = tokenFromRequest(request, { query: true })
  if (sent.kind === 'token') return sent.token
  if (sent.kind === 'malformed') return null
  const offered = request.headers['sec-websocket-protocol']?.split(',') ?? []
  return offered.map((one) => one.trim()).find((one) => JWT.test(one)) ?? null
}

/** The client does not encode the name, the WebSocket library does: decode once (WIRE). */
function readId(path: string): DocumentId {
  const id = parseDocumentId(decodeOnce(path))
  if (id === null) throw new ParleyError('invalid-id', 'This is no document id.')
  return id
}

function decodeOnce(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return ''
  }
}

function readKind(query: URLSearchParams): Kind | null {
  const kind = query.get('kind')
  if (kind === null || kind === 'text' || kind === 'json') return kind
  throw new ParleyError('invalid-request', '`kind` is text or json.')
}
