import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { ParleyError } from '../foundation/problems.ts'
import { bodyLimitOf } from './bodies.ts'

/** Requests whose sender waits for `100 Continue` before it sends the body. */
const awaited = new WeakSet<IncomingMessage>()

/** Whether the sender was not told yet to send the body: it is refused, and no byte of it is on its way. */
export const isHeldBack = (request: IncomingMessage): boolean => awaited.has(request)

/**
 * `Expect: 100-continue` (RFC 9110 §10.1.1): the body is asked for when the head is not refused, and a body that is too
 * large by its own word is refused as well. Other expectations are nothing to us, and the request is as any.
 */
export function addAwaitedBodies(app: FastifyInstance, maxContentBytes: number): void {
  const server: Server = app.server
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    awaited.add(request)
    server.emit('request', request, response)
  })
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    server.emit('request', request, response)
  })
  app.addHook('preParsing', (request, reply, payload, done) => {
    if (!awaited.has(request.raw)) {
      done(null, payload)
      return
    }
    const limit = bodyLimitOf(request, maxContentBytes)
    if (Number(request.headers['content-length'] ?? 0) > limit) {
      done(new ParleyError('content-too-large', `The body is longer than the ${limit} bytes that are taken here.`))
      return
    }
    awaited.delete(request.raw)
    reply.raw.writeContinue()
    done(null, payload)
  })
}
