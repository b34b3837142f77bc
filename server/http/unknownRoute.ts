import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify'
import { ParleyError } from '../foundation/problems.ts'
import { pathOf } from './errors.ts'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const satisfies readonly HTTPMethods[]

/**
 * A request that no route takes: 404 where nothing has this path, else 405 with `Allow` (RFC 9110 §15.5.6), or
 * for OPTIONS the answer it asks for (§9.3.7). Runs before a body is read and before anyone is asked for a token,
 * for which paths there are is no secret.
 */
export function answerUnknownRoute(
  app: FastifyInstance,
  request: FastifyRequest,
  reply: FastifyReply,
  refuse: (error: ParleyError) => void,
): void {
  const path = pathOf(request.raw.url ?? '/')
  const methods = METHODS.filter((method) => takes(app, method, path))
  const allow = [...methods, 'OPTIONS'].join(', ')
  if (methods.length === 0) refuse(new ParleyError('not-found', 'There is nothing at this path.'))
  else if (request.method === 'OPTIONS') void reply.code(204).header('Allow', allow).send()
  else refuse(new ParleyError('method-not-allowed', `This path takes ${allow}.`, { headers: { Allow: allow } }))
}

/** A wildcard route (the demo's files) makes no path known: a POST to nowhere stays a 404. */
function takes(app: FastifyInstance, method: HTTPMethods, path: string): boolean {
  const route = app.findRoute({ method, url: path })
  return route !== null && !('*' in route.params)
}
