import type { FastifyInstance, RouteOptions } from 'fastify'
import type { TSchema } from 'typebox'
import { invariant } from '../../foundation/assert.ts'
import type { About } from '../../http/about.ts'
import type { RouteAccess } from '../../http/access.ts'

/** A route as it was declared. */
export interface DescribedRoute {
  readonly method: string
  /** As fastify writes it, without `/v1`: `/documents/:id`. */
  readonly url: string
  readonly access: RouteAccess
  readonly about: About
  readonly body: TSchema | null
  readonly query: TSchema | null
  readonly takesQueryToken: boolean
}

/**
 * Collects the routes of a server as they register: all under `/v1`, which are those of the API (SPEC API-1). One that
 * says nothing of itself does not register. HEAD goes with its GET.
 */
export function collectRoutes(app: FastifyInstance): readonly DescribedRoute[] {
  const routes: DescribedRoute[] = []
  app.addHook('onRoute', (route) => {
    const isOfVersion = /^\/v1(\/|$)/.test(route.url) && route.method !== 'HEAD'
    if (isOfVersion && route.config?.about !== null) routes.push(describedRoute(route))
  })
  return routes
}

function describedRoute({ method, url, config, schema }: RouteOptions): DescribedRoute {
  const { about, access, queryToken = false } = config ?? {}
  invariant(
    about != null && access !== undefined && typeof method === 'string',
    `${String(method)} ${url} says nothing of itself`,
  )
  return {
    method,
    url: url.slice('/v1'.length) || '/',
    access,
    about,
    body: method === 'DELETE' ? null : schemaOf(schema?.body),
    query: schemaOf(schema?.querystring),
    takesQueryToken: queryToken,
  }
}

const schemaOf = (schema: unknown): TSchema | null => (isSchema(schema) && !isEmpty(schema) ? schema : null)

const isSchema = (schema: unknown): schema is TSchema => typeof schema === 'object' && schema !== null

/** What `completeSchema` sets where nothing may be sent. */
const isEmpty = (schema: TSchema): boolean =>
  'properties' in schema && isSchema(schema.properties) && Object.keys(schema.properties).length === 0
