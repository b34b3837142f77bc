import { healthRoutes } from '../api/health.ts'
import type { Environment } from '../foundation/environment.ts'
import { Health } from '../operations/health.ts'
import type { Module } from './module.ts'

/** Asks all other modules how they are doing, for whoever runs the server. */
export const healthModule = (environment: Environment, modules: readonly Module[]): Module => ({
  name: 'health',
  routes: [
    healthRoutes(
      new Health(
        environment,
        modules.flatMap(({ name, checkup }) => (checkup ? [{ name, checkup }] : [])),
      ),
    ),
  ],
})
