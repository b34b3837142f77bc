import type { FastifyReply } from 'fastify'
import { Type } from 'typebox'
import type { About } from '../../http/about.ts'
import type { Routes } from '../../http/mount.ts'
import { negotiate } from '../../http/accept.ts'
import { addToVary } from '../../http/vary.ts'
import { PathShape } from '../shapes/values.ts'
import { VERSION } from '../../http/version.ts'
import { asyncApi } from './asyncApi.ts'
import { openApi, type DescribedServer } from './openApi.ts'
import type { DescribedRoute } from './routes.ts'

export interface DescriptionParts {
  /** Complete once the server is ready. */
  readonly routes: readonly DescribedRoute[]
  readonly publicUrl: () => string
  /** Where a person who comes to `/` is led. */
  readonly startsAt: string
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

const ROOT_ABOUT: About = {
  id: 'readRoot',
  tag: 'operation',
  summary: 'What this server is, and where to go on',
  answers: {
    200: {
      text: 'For a program. The links are in the header `Link` as well.',
      body: Type.Object(
        {
          name: Type.Literal('Parley'),
          version: Type.String({ maxLength: 64 }),
          links: Type.Array(
            Type.Object({
              rel: Type.String({ maxLength: 32, description: 'A relation of RFC 8631.' }),
              href: PathShape,
              type: Type.String({ maxLength: 64 }),
              title: Type.String({ maxLength: 128 }),
            }),
            { maxItems: 16 },
          ),
        },
        { title: 'Root' },
      ),
      headers: ['Link', 'Vary'],
    },
    302: { text: 'A browser is led to a page.', headers: ['Location', 'Link', 'Vary'] },
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
  ({ routes, publicUrl, startsAt }: DescriptionParts): Routes =>
  async (app) => {
    app.get('/', { config: { access: 'public', about: ROOT_ABOUT } }, (request, reply) => {
      addToVary(reply, 'Accept')
      const links = LINKS.map((link) => ({ ...link, href: request.linkBase + link.href }))
      void reply.header(
        'Link',
        links.map(({ rel, href, type }) => `<${href}>; rel="${rel}"; type="${type}"`).join(', '),
      )
      const wanted = negotiate(request.headers.accept, ['application/json', 'text/html'])
      return wanted === 'text/html'
        ? reply.redirect(request.linkBase + startsAt)
        : reply.send({ name: 'Parley', version: VERSION, links })
    })
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

/** What `GET /` leads to, by the relations of RFC 8631. */
const LINKS = [
  {
    rel: 'service-desc',
    href: '/openapi.json',
    type: 'application/json',
    title: 'Requests and their answers: OpenAPI 3.1',
  },
  {
    rel: 'service-desc',
    href: '/asyncapi.json',
    type: 'application/json',
    title: 'Sockets, streams, webhooks: AsyncAPI 3',
  },
  { rel: 'service-doc', href: '/docs', type: 'text/html', title: 'The same for a person' },
  { rel: 'status', href: '/healthz', type: 'application/json', title: 'Whether the server answers' },
] as const

const sendDescription = (reply: FastifyReply, json: string): FastifyReply =>
  reply.header('Cache-Control', 'public, max-age=300').type('application/json; charset=utf-8').send(json)
