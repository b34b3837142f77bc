import { Type } from 'typebox'
import type { FastifyRequest } from 'fastify'
import { randomTag, toTimestamp, type Environment } from '../foundation/environment.ts'
import { ParleyError } from '../foundation/problems.ts'
import { refuseIdempotencyKey } from '../http/idempotencyKey.ts'
import type { About } from '../http/about.ts'
import type { Routes } from '../http/mount.ts'
import { isLoopbackHost } from '../access/loopback.ts'
import type { TokenIssuer } from '../access/tokens.ts'
import { GuestTokenShape } from './shapes/access.ts'

interface GuestRouteParts {
  readonly issuer: TokenIssuer
  readonly environment: Environment
}

/** A working day; the page asks again with the same `sub` before it is over. */
const GUEST_TTL_SECONDS = 12 * 3600
const GUEST_ACCESS = { '*': ['read', 'write', 'resolve'] } as const
const GUEST_TAG_LENGTH = 10
/** Half of all names: a newcomer finds a free one in two draws, mostly. */
const MOST_NAMES_KEPT_APART = 72
/** Past that a name is one that somebody has: one guest of a million. */
const MOST_DRAWS = 20

const GuestBody = Type.Union([
  Type.Null(),
  Type.Object(
    { sub: Type.Optional(Type.String({ pattern: `^guest-[a-z2-7]{${GUEST_TAG_LENGTH}}$` })) },
    { additionalProperties: false },
  ),
])

const ABOUT: About = {
  id: 'issueGuestToken',
  tag: 'access',
  summary: 'A token for a guest of the demo',
  text: 'On a development server only, which nobody reaches but this machine.',
  answers: {
    201: {
      text: 'A token that may read, write and resolve everything.',
      body: GuestTokenShape,
      headers: ['Cache-Control'],
    },
  },
  refusals: ['forbidden'],
  isKeyed: false,
}

/**
 * `POST /demo/token` hands the demo page a token of its own (SPEC AUTH-5). Only for a development server: bound to
 * loopback, without a configured secret, so everyone who reaches it already sits at this machine. The two checks
 * keep out web pages from elsewhere that run in a browser on it.
 *
 * A page that was a guest before may name its `sub` and stays who it was, also after a restart. That proves nothing,
 * and need not: all guests may do the same.
 */
export const guestRoutes =
  ({ issuer, environment }: GuestRouteParts): Routes =>
  async (app) => {
    const names = new RecentNames()
    const config = { access: 'public', secret: true, rate: { class: 'token', tokens: 1 }, about: ABOUT } as const
    app.post('/demo/token', { config, schema: { body: GuestBody }, bodyLimit: 1024 }, async (request, reply) => {
      requireOwnPage(request)
      refuseIdempotencyKey(request)
      const sub = request.body?.sub ?? newGuest(environment, names)
      const name = friendlyName(sub)
      names.add(name)
      const { token, expiresAt } = await issuer.issue({
        sub,
        name,
        access: GUEST_ACCESS,
        ttlSeconds: GUEST_TTL_SECONDS,
      })
      void reply.code(201).header('Cache-Control', 'no-store')
      return reply.send({ token, sub, name, expiresAt: toTimestamp(expiresAt) })
    })
  }

/**
 * A foreign name in `Host` is DNS rebinding; a foreign `Origin` or `Sec-Fetch-Site` is another site's page.
 * Programs on this machine send none of these and pass.
 */
function requireOwnPage({ headers }: FastifyRequest): void {
  const host = headers.host ?? ''
  if (!isLoopbackHost(hostnameOf(host))) {
    throw new ParleyError('forbidden', 'Guest tokens are handed out under a loopback name only, such as localhost.')
  }
  const site = headers['sec-fetch-site']
  const sameSite = site === undefined || site === 'same-origin'
  const sameOrigin = headers.origin === undefined || headers.origin === `http://${host}`
  if (!sameSite || !sameOrigin) throw new ParleyError('forbidden', "Guest tokens are for this server's own page.")
}

/** `localhost:4090` or `[::1]:4090` without the port. */
const hostnameOf = (host: string): string => host.replace(/:[0-9]+$/, '').replace(/^\[(.*)\]$/, '$1')

const MANNERS = [
  'Brave',
  'Calm',
  'Clever',
  'Curious',
  'Gentle',
  'Keen',
  'Merry',
  'Patient',
  'Quick',
  'Quiet',
  'Sunny',
  'Wise',
]
const ANIMALS = [
  'Badger',
  'Crane',
  'Dolphin',
  'Finch',
  'Fox',
  'Hare',
  'Heron',
  'Lynx',
  'Magpie',
  'Otter',
  'Owl',
  'Seal',
]

/** The names that were handed out last, which no newcomer gets. */
class RecentNames {
  readonly #names = new Set<string>()

  has(name: string): boolean {
    return this.#names.has(name)
  }

  add(name: string): void {
    this.#names.delete(name)
    this.#names.add(name)
    for (const oldest of this.#names) {
      if (this.#names.size <= MOST_NAMES_KEPT_APART) break
      this.#names.delete(oldest)
    }
  }
}

/** Somebody whose name nobody has who came lately: two windows side by side are two people. */
function newGuest(environment: Environment, taken: RecentNames): string {
  const draw = (): string => `guest-${randomTag(environment, GUEST_TAG_LENGTH)}`
  let sub = draw()
  for (let draws = 1; draws < MOST_DRAWS && taken.has(friendlyName(sub)); draws += 1) sub = draw()
  return sub
}

/** Always the same name for the same `sub`, so that a guest keeps it. */
function friendlyName(sub: string): string {
  let hash = 0
  for (const character of sub) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 65_521
  const manner = MANNERS[hash % MANNERS.length]
  const animal = ANIMALS[Math.floor(hash / MANNERS.length) % ANIMALS.length]
  return `${manner} ${animal}`
}
