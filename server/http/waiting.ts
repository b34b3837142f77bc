import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ParleyError } from '../foundation/problems.ts'
import { LINGER_MS } from './errors.ts'
import { goneSignal } from './gone.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Ends the watch over a request whose body is on its way. */
    bodyArrived: (() => void) | null
  }
}

/** Refuses the request as soon as its token counts no more, although its body is still on its way (SPEC SYNC-8). */
export function watchBody(request: FastifyRequest, reply: FastifyReply): void {
  request.bodyArrived = request.tokens.whileWaiting(request.principal, (why) => refuse(request, reply, why))
}

function refuse({ raw }: FastifyRequest, reply: FastifyReply, why: ParleyError): void {
  // Nothing listens to it any more, or what comes would be kept until all of it was there.
  for (const event of ['data', 'end', 'error']) raw.removeAllListeners(event)
  raw.on('error', () => undefined)
  raw.resume()
  void reply.send(why)
  // What it still sends is thrown away.
  const cut = setTimeout(() => raw.destroy(), LINGER_MS)
  raw.once('close', () => clearTimeout(cut))
}

/** What the work comes to, or why its asker may not hear of it any more. The signal is aborted when nobody waits for it. */
export async function whileAllowed<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  work: (gone: AbortSignal) => Promise<T>,
): Promise<T> {
  const refused = new AbortController()
  let stop = (): void => undefined
  const ended = new Promise<never>((_resolve, reject) => {
    stop = request.tokens.whileWaiting(request.principal, (why) => {
      refused.abort()
      reject(why)
    })
  })
  try {
    return await Promise.race([work(AbortSignal.any([goneSignal(reply), refused.signal])), ended])
  } finally {
    stop()
  }
}
