import type { Authenticate, Principal } from '../access/access.ts'
import { tokenFromRequest, tokenRefused } from '../access/bearer.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { RequestRates } from '../http/rates.ts'
import type { SocketEndpoint } from '../http/upgrade.ts'
import { SUBPROTOCOL } from '../notifications/frames.ts'
import { DEFAULT_HUB_LIMITS, parseHubQuery, type NotificationHub } from '../notifications/hub.ts'

export interface HubEndpointParts {
  readonly authenticate: Authenticate
  readonly rates: Pick<RequestRates, 'enter' | 'enterUnknown' | 'failedToEnter'>
  readonly epoch: string
}

/** `/conflict-notifications` as a WebSocket: a bad token or query is refused before the socket is accepted. */
export function hubEndpoint(hub: NotificationHub, parts: HubEndpointParts): SocketEndpoint {
  return {
    serves: (path) => path === '/conflict-notifications',
    chooseProtocol: (offered) => (offered.includes(SUBPROTOCOL) ? SUBPROTOCOL : null),
    // Twice what the hub takes, so that it can say what is wrong with a frame somewhat too large.
    maxPayloadBytes: 2 * DEFAULT_HUB_LIMITS.frameBytes,
    async admit(request, url) {
      const sent = tokenFromRequest(request, { query: true })
      if (sent.kind === 'malformed') throw tokenRefused('The token is malformed')
      const enter = (token: string): Promise<Principal> => parts.rates.enter(request, token, parts.authenticate)
      const principal = sent.kind === 'token' ? await enter(sent.token) : null
      if (principal === null) await parts.rates.enterUnknown(request)
      const offered = request.headers['sec-websocket-protocol']
      if (offered !== undefined && !offered.split(',').some((one) => one.trim() === SUBPROTOCOL)) {
        throw new ParleyError('invalid-request', `The subprotocol here is ${SUBPROTOCOL}.`)
      }
      parseHubQuery(url, parts.epoch)
      const onNoToken = (): void => void parts.rates.failedToEnter(request)
      return (socket) =>
        hub.accept(socket, { stream: request.socket, url, token: null, principal, authenticate: enter, onNoToken })
    },
  }
}
