import type { FastifyReply } from 'fastify'

/** Says that the answer depends on a header of the request, besides those that it is said of already. */
export function addToVary(reply: FastifyReply, field: string): void {
  const said = reply.getHeader('Vary')
  void reply.header('Vary', said === undefined ? field : `${field}, ${String(said)}`)
}
