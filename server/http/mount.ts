import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'

/** Routes of one feature: `const documentRoutes = (parts): Routes => async (app) => { app.get(…) }`. */
export type Routes = FastifyPluginAsyncTypebox

/** What routes are added to. */
export type TypedApp = Parameters<Routes>[0]

/** SPEC API-1: every route stands under `/v1`, and without prefix as an alias of the newest version. */
export function mount(app: FastifyInstance, routes: Routes): void {
  void app.register(routes)
  void app.register(routes, { prefix: '/v1' })
}
