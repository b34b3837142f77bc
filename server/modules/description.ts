import { descriptionRoutes } from '../api/description/endpoints.ts'
import { collectRoutes } from '../api/description/routes.ts'
import type { Http } from './http.ts'
import type { Module } from './module.ts'

/** What the server says of itself. Made before any route is added, for it describes them all. */
export function descriptionModule({ app, publicUrl }: Http): Module {
  const routes = collectRoutes(app)
  return { name: 'description', routes: [descriptionRoutes({ routes, publicUrl })] }
}
