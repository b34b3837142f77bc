import type { FastifyReply } from 'fastify'

/**
 * Aborted when the connection ends before the answer is on its way. It may have ended already: while the token was
 * verified or the body read.
 */
export function goneSignal({ raw }: Pick<FastifyReply, 'raw'>): AbortSignal {
  const gone = new AbortController()
  if (raw.destroyed) gone.abort()
  raw.once('close', () => {
    if (!raw.writableFinished) gone.abort()
  })
  return gone.signal
}
