import type { IncomingMessage } from 'node:http'
import type { FastifyReply } from 'fastify'
import type { Authenticate, Principal } from '../access/access.ts'
import { tokenMissing } from '../access/bearer.ts'
import { whenKnown } from '../foundation/known.ts'
import { ParleyError } from '../foundation/problems.ts'
import { clientAddress, networkOf, type Network } from '../limits/addresses.ts'
import type { Connections } from '../limits/connections.ts'
import { FAILED_ATTEMPT_TOKENS, type Charge, type Payer, type RateLimits, type RateStanding } from '../limits/rates.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * What the route costs (SPEC RATE-1); one token of `read` or `write`, by its method, where it says nothing.
     * `none` is for whoever looks after the server.
     */
    rate?: Charge | 'none' | ((request: IncomingMessage) => Charge)
  }
}

const READ: Charge = { class: 'read', tokens: 1 }
const WRITE: Charge = { class: 'write', tokens: 1 }
const CONNECT: Charge = { class: 'connect', tokens: 1 }

/** What a request with this method costs where its route says nothing. */
export const chargeOfMethod = (method: string | undefined): Charge =>
  method === 'GET' || method === 'HEAD' ? READ : WRITE

/**
 * Rate limits as requests and upgrades meet them: whoever shows a token that counts pays with the bucket of their `sub`,
 * and an attempt that fails with the bucket of its network address. No token that is not known already is looked at for
 * an address that cannot pay for one more failure; those that are known pass, so that nobody suffers from a neighbour.
 */
export class RequestRates {
  readonly #limits: RateLimits
  readonly #trustedProxies: readonly Network[]
  readonly #connections: Connections
  /** What the answer to an upgrade tells. */
  readonly #upgrades = new WeakMap<IncomingMessage, RateStanding>()

  constructor(limits: RateLimits, trustedProxies: readonly Network[], connections: Connections) {
    this.#limits = limits
    this.#connections = connections
    this.#trustedProxies = trustedProxies
  }

  /** Where a request comes from, as far as proxies can be trusted. */
  addressOf(request: IncomingMessage): string {
    const header = request.headers['x-forwarded-for']
    const forwardedFor = Array.isArray(header) ? header.join(',') : header
    return clientAddress(this.#trustedProxies, request.socket.remoteAddress, forwardedFor)
  }

  /** Throws `too-many-requests` where the principal cannot pay; the answer tells how they stand. */
  charge(reply: FastifyReply, { sub }: Principal, charge: Charge): void | Promise<void> {
    const isFull = charge.class === 'connect' ? this.#connections.hold(reply.raw, sub) : null
    return whenKnown(this.#pay(sub, charge, isFull), (standing) => {
      tell(reply, standing)
      const refusal = isFull ?? standing?.refusal
      if (refusal) throw refusal
    })
  }

  /** What an attempt that failed ends with: its own error, or that there were too many. */
  fail(reply: FastifyReply, request: IncomingMessage, charge: Charge, error: unknown): Promise<never> {
    return this.#failed(request, charge, error, (standing) => tell(reply, standing))
  }

  /** For answers that nobody pays for. */
  show(reply: FastifyReply, request: IncomingMessage, charge: Charge): void | Promise<void> {
    return whenKnown(this.#limits.look(this.#payerOf(request), charge), (standing) => tell(reply, standing))
  }

  /** To be called before a token is checked that was not seen before. */
  stranger(request: IncomingMessage, charge: Charge): () => void | Promise<void> {
    return () =>
      whenKnown(this.#limits.look(this.#payerOf(request), costOfFailure(charge)), (standing) => {
        if (!standing?.refusal) return
        this.#limits.count(charge.class, 'address')
        throw standing.refusal
      })
  }

  /** Whom an upgrade is for, and paid for. Throws `unauthenticated`, also without a token, and `too-many-requests`. */
  async enter(request: IncomingMessage, token: string | null, authenticate: Authenticate): Promise<Principal> {
    const tellLater = (standing: RateStanding | null): void => {
      if (standing) this.#upgrades.set(request, standing)
    }
    let principal: Principal
    try {
      if (token === null) throw tokenMissing()
      principal = await authenticate(token, this.stranger(request, CONNECT))
    } catch (error) {
      return this.#failed(request, CONNECT, error, tellLater)
    }
    const isFull = this.#connections.hold(request.socket, principal.sub)
    const standing = await this.#pay(principal.sub, CONNECT, isFull)
    tellLater(standing)
    const refusal = isFull ?? standing?.refusal
    if (refusal) throw refusal
    return principal
  }

  /** Throws `too-many-requests` for an upgrade without a token from an address with too many failures. */
  async enterUnknown(request: IncomingMessage): Promise<void> {
    await this.stranger(request, CONNECT)()
  }

  /** A connection showed no token that counts, or none in time. */
  async failedToEnter(request: IncomingMessage): Promise<void> {
    await this.#limits.charge(this.#payerOf(request), costOfFailure(CONNECT))
  }

  /** What the answer to an upgrade tells of the limits. */
  async headersOfUpgrade(request: IncomingMessage): Promise<Readonly<Record<string, string>>> {
    const standing = this.#upgrades.get(request) ?? (await this.#limits.look(this.#payerOf(request), CONNECT))
    return standing?.headers ?? {}
  }

  /** Nothing is taken for what is refused already. */
  #pay(sub: string, charge: Charge, isRefused: ParleyError | null): RateStanding | null | Promise<RateStanding> {
    const payer = { kind: 'principal', id: sub } as const
    if (isRefused === null) return this.#limits.charge(payer, charge)
    this.#limits.count('connect', 'connection')
    return this.#limits.look(payer, charge)
  }

  async #failed(
    request: IncomingMessage,
    charge: Charge,
    error: unknown,
    told: (standing: RateStanding | null) => void,
  ): Promise<never> {
    const isFailedAttempt = error instanceof ParleyError && error.code === 'unauthenticated'
    const payer = this.#payerOf(request)
    const standing = isFailedAttempt
      ? await this.#limits.charge(payer, costOfFailure(charge))
      : await this.#limits.look(payer, charge)
    told(standing)
    throw (isFailedAttempt ? standing?.refusal : null) ?? error
  }

  #payerOf(request: IncomingMessage): Payer {
    return { kind: 'address', id: networkOf(this.addressOf(request)) }
  }
}

const costOfFailure = (charge: Charge): Charge => ({ class: charge.class, tokens: FAILED_ATTEMPT_TOKENS })

function tell(reply: FastifyReply, standing: RateStanding | null): void {
  if (standing) void reply.headers(standing.headers)
}
