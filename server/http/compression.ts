/**
 * Compression of answers and of bodies that come (SPEC API-8), in zlib's own threads. Not by `@fastify/compress`: it takes
 * plain texts whose first letters could begin a deflate stream ("Hj", "(S") for compressed ones, and sends them broken.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { brotliCompress, constants, createGunzip, gzip, type Gunzip } from 'node:zlib'
import type { FastifyInstance, FastifyReply, FastifyRequest, RequestPayload } from 'fastify'
import { ParleyError } from '../foundation/problems.ts'
import { OwnedPlaces } from '../limits/ownedPlaces.ts'
import { addToVary } from './vary.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Its answers hold a secret: they are never compressed, so that their length tells nothing of it. */
    secret?: boolean
  }
}

/** A smaller answer is one packet as it is. */
const MIN_BYTES = 1024
/** Each holds an answer in memory once more; past these, answers go out as they are. */
const MAX_COMPRESSING = 32
/** Each may hold a body of the longest kind. */
const MAX_INFLATING = 64
/** As many as one may send at a time without standing in everybody's way. */
const MAX_INFLATING_OF_ONE = 16

type Coding = 'br' | 'gzip'
/** Level 4 takes as long as gzip does, and is a sixth smaller. */
const BROTLI_QUALITY = 4

const COMPRESS: Readonly<Record<Coding, (bytes: Buffer) => Promise<Buffer>>> = {
  br: (bytes) => {
    const params = {
      [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    }
    return promisify(brotliCompress)(bytes, { params })
  },
  gzip: (bytes) => promisify(gzip)(bytes),
}

/** The coding that `Accept-Encoding` likes best (RFC 9110 §12.5.3), brotli before gzip; null for none. */
export function preferredCoding(header: string | undefined): Coding | null {
  if (header === undefined) return null
  const weights = new Map<string, number>()
  for (const part of header.toLowerCase().split(',')) {
    const [name = '', ...parameters] = part.split(';').map((piece) => piece.trim())
    const weight = parameters.find((piece) => piece.startsWith('q='))
    const quality = weight === undefined ? 1 : Number(weight.slice(2))
    weights.set(name === 'x-gzip' ? 'gzip' : name, quality >= 0 && quality <= 1 ? quality : 0)
  }
  const [br, gz] = (['br', 'gzip'] as const).map((coding) => weights.get(coding) ?? weights.get('*') ?? 0)
  if (br === undefined || gz === undefined || Math.max(br, gz) === 0) return null
  // Whoever prefers none at all says so.
  if ((weights.get('identity') ?? 0) > Math.max(br, gz)) return null
  return br >= gz ? 'br' : 'gzip'
}

const COMPRESSIBLE = /^(?:text\/|application\/(?:[\w.+-]*\+)?(?:json|xml|javascript)\b|image\/svg\+xml)/

/** Compresses what is over 1 KiB where the client takes it. */
export function addAnswerCompression(app: FastifyInstance): void {
  let compressing = 0
  app.addHook('onSend', (request, reply, payload: unknown, done) => {
    // It stands for an answer that may be compressed, and caches take over its headers (RFC 9110 §15.4.5).
    if (reply.statusCode === 304) addToVary(reply, 'Accept-Encoding')
    if (!isLong(payload) || !mayBeCompressed(request, reply)) {
      done(null, payload)
      return
    }
    addToVary(reply, 'Accept-Encoding')
    const coding = preferredCoding(request.headers['accept-encoding'])
    if (coding === null || compressing >= MAX_COMPRESSING) {
      done(null, payload)
      return
    }
    compressing++
    COMPRESS[coding](bytesOf(payload))
      .finally(() => compressing--)
      .then((compressed) => {
        void reply.header('Content-Encoding', coding).header('Content-Length', compressed.length)
        nameCoding(request, reply, coding)
        done(null, compressed)
      }, done)
  })
}

/** Whether an answer is worth it, which streams and all that is small are not. */
const isLong = (payload: unknown): payload is string | Uint8Array =>
  typeof payload === 'string'
    ? // A unit of UTF-16 is three bytes at the most.
      payload.length * 3 >= MIN_BYTES && Buffer.byteLength(payload) >= MIN_BYTES
    : payload instanceof Uint8Array && payload.length >= MIN_BYTES

const bytesOf = (payload: string | Uint8Array): Buffer =>
  typeof payload === 'string'
    ? Buffer.from(payload)
    : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)

function mayBeCompressed(request: FastifyRequest, reply: FastifyReply): boolean {
  if (request.routeOptions.config?.secret === true) return false
  if (reply.hasHeader('Content-Encoding') || reply.statusCode === 206) return false
  return COMPRESSIBLE.test(String(reply.getHeader('Content-Type') ?? ''))
}

/** A strong tag names bytes (RFC 9110 §8.8.3): those of another coding get another, as Apache and Jetty name theirs. */
function nameCoding(request: FastifyRequest, reply: FastifyReply, coding: Coding): void {
  const tag = reply.getHeader('ETag')
  if (
    !['GET', 'HEAD'].includes(request.method) ||
    reply.statusCode !== 200 ||
    typeof tag !== 'string' ||
    !tag.startsWith('"')
  )
    return
  void reply.header('ETag', `${tag.slice(0, -1)}-${coding}"`)
}

/** What proxies, and `nameCoding`, put behind a tag: `x-gzip`, `x;gzip`, `x--gzip`, `x-br`. No tag of ours ends so. */
const CODING_SUFFIX = /(?:--?|;)(?:gzip|br|zstd|deflate)$/

/** A tag as it was before somebody compressed what it names. */
export const withoutCoding = (tag: string): string => tag.replace(CODING_SUFFIX, '')

const isGzip = (coding: string): boolean => /^(?:x-)?gzip$/i.test(coding.trim())

/** The codings that a body may have. */
export const isTakenCoding = (coding: string | undefined): boolean =>
  coding === undefined || /^\s*(?:identity)?\s*$/i.test(coding) || isGzip(coding)

/**
 * Inflates bodies as they come. Fastify counts what comes out and refuses what is past the limit of the route; then no
 * more of it is inflated than was under way.
 */
export function addBodyInflation(app: FastifyInstance): void {
  const places = new OwnedPlaces({ ofOne: MAX_INFLATING_OF_ONE, inAll: MAX_INFLATING })
  app.addHook('preParsing', (request, reply, payload, done) => {
    const coding = request.headers['content-encoding']
    if (coding === undefined || !isGzip(coding)) {
      done(null, payload)
      return
    }
    const release = places.take(request.identity?.principal.sub ?? '')
    if (release === null) {
      done(new ParleyError('overloaded', 'Too many compressed bodies are on their way.'))
      return
    }
    const inflated = inflate(payload, release)
    endWith(inflated, request.raw, reply.raw)
    done(null, inflated)
  })
}

type Inflated = Gunzip & { receivedEncodedLength?: number }

/** The body as it was before it was compressed; `onEnded` is called once, however it ends. */
function inflate(payload: RequestPayload, onEnded: () => void): Inflated {
  const inflated: Inflated = createGunzip()
  inflated.receivedEncodedLength = 0
  payload.on(
    'data',
    (chunk: Buffer) => (inflated.receivedEncodedLength = (inflated.receivedEncodedLength ?? 0) + chunk.length),
  )
  // Fastify stops listening once it refused the body; what comes then that is not gzip would end the process.
  inflated.on('error', () => undefined)
  inflated.once('close', () => {
    onEnded()
    payload.unpipe(inflated)
    // The rest is read and thrown away: the connection serves others.
    payload.resume()
  })
  payload.pipe(inflated)
  return inflated
}

/** Whoever reads the body is told where it broke off, and nothing is inflated that nobody reads any more. */
function endWith(inflated: Inflated, request: IncomingMessage, reply: ServerResponse): void {
  const breakOff = (): void => void inflated.destroy(new Error('The body broke off.'))
  inflated.on('removeListener', (event) => {
    if (event === 'data') inflated.destroy()
  })
  request.once('close', () => {
    if (!request.complete) breakOff()
  })
  reply.once('close', breakOff)
}
