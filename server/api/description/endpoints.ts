import { Type } from 'typebox'
import type { About } from '../../http/about.ts'
import type { Routes } from '../../http/mount.ts'
import { VERSION } from '../../http/version.ts'
import { openApi } from './openApi.ts'
import type { DescribedRoute } from './routes.ts'

export interface DescriptionParts {
  /** Complete once the server is ready. */
  readonly routes: readonly DescribedRoute[]
  readonly publicUrl: () => string
}

const OPENAPI_ABOUT: About = {
  id: 'readOpenApi',
  tag: 'operation',
  summary: 'This description',
  answers: {
    200: {
      text: 'An OpenAPI 3.1 document.',
      body: Type.Unsafe({ title: 'OpenApi', type: 'object', description: 'See https://spec.openapis.org/oas/v3.1.0.' }),
      headers: ['Cache-Control'],
    },
  },
}

/** What the server says of itself (SPEC API-3). */
export const descriptionRoutes =
  ({ routes, publicUrl }: DescriptionParts): Routes =>
  async (app) => {
    let text: string | null = null
    app.get('/openapi.json', { config: { access: 'public', about: OPENAPI_ABOUT } }, (_request, reply) => {
      // The same as long as the server runs.
      text ??= JSON.stringify(openApi(routes, { version: VERSION, publicUrl: publicUrl() }))
      return reply.header('Cache-Control', 'public, max-age=300').type('application/json; charset=utf-8').send(text)
    })
  }
