import type { FastifyReply } from 'fastify'
import { Type } from 'typebox'
import type { About } from '../../http/about.ts'
import type { Routes } from '../../http/mount.ts'
import { VERSION } from '../../http/version.ts'
import { asyncApi } from './asyncApi.ts'
import { openApi, type DescribedServer } from './openApi.ts'
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

const ASYNCAPI_ABOUT: About = {
  id: 'readAsyncApi',
  tag: 'operation',
  summary: 'The description of live editing and notifications',
  answers: {
    200: {
      text: 'An AsyncAPI 3 document.',
      body: Type.Unsafe({
        title: 'AsyncApi',
        type: 'object',
        description: 'See https://www.asyncapi.com/docs/reference.',
      }),
      headers: ['Cache-Control'],
    },
  },
}

/** What the server says of itself (SPEC API-3). */
export const descriptionRoutes =
  ({ routes, publicUrl }: DescriptionParts): Routes =>
  async (app) => {
    // The same as long as the server runs, and made when somebody asks.
    let open: string | null = null
    let async: string | null = null
    const server = (): DescribedServer => ({ version: VERSION, publicUrl: publicUrl() })
    app.get('/openapi.json', { config: { access: 'public', about: OPENAPI_ABOUT } }, (_request, reply) =>
      sendDescription(reply, (open ??= JSON.stringify(openApi(routes, server())))),
    )
    app.get('/asyncapi.json', { config: { access: 'public', about: ASYNCAPI_ABOUT } }, (_request, reply) =>
      sendDescription(reply, (async ??= JSON.stringify(asyncApi(server())))),
    )
  }

const sendDescription = (reply: FastifyReply, json: string): FastifyReply =>
  reply.header('Cache-Control', 'public, max-age=300').type('application/json; charset=utf-8').send(json)
