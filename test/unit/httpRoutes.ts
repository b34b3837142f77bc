import { connect, type AddressInfo } from 'node:net'
import { Type } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { onTestFinished } from 'vitest'
import { JSON_BODY, JSON_PATCH, MERGE_PATCH, TEXT_BODY } from '../../server/http/bodies.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import type { Routes } from '../../server/http/mount.ts'
import type { HttpServerOptions } from '../../server/http/server.ts'
import { serverWith } from './httpServer.ts'

export const CLOSED = { additionalProperties: false }
const PutBody = Type.Object(
  {
    content: Type.Union([Type.String(), Type.Record(Type.String(), Type.Unknown())]),
    baseVersion: Type.Optional(Type.Integer()),
  },
  CLOSED,
)
const Action = Type.Union([
  Type.Object({ action: Type.Literal('put'), content: Type.String() }, CLOSED),
  Type.Object({ action: Type.Literal('delete'), baseVersion: Type.Integer() }, CLOSED),
])

/** One route of each kind there is. */
const routes: Routes = async (app) => {
  const params = Type.Object({ id: Type.String() }, CLOSED)
  app.get(
    '/documents/:id',
    { config: { access: { document: 'id', needs: 'read' } }, schema: { params } },
    (request) => ({
      id: request.documentId,
      by: request.principal.sub,
    }),
  )
  app.put(
    '/documents/:id',
    { config: { access: { document: 'id', needs: 'write' } }, schema: { params, body: PutBody } },
    (request) => ({ got: request.body.content, by: request.principal.sub }),
  )
  app.put(
    '/documents/:id/content',
    { config: { access: { document: 'id', needs: 'write' }, consumes: [TEXT_BODY, JSON_BODY] } },
    (request) => ({ got: request.body, length: typeof request.body === 'string' ? request.body.length : null }),
  )
  app.patch(
    '/documents/:id/content',
    { config: { access: { document: 'id', needs: 'write' }, consumes: [MERGE_PATCH, JSON_PATCH] } },
    (request) => ({ got: request.body }),
  )
  app.delete('/documents/:id', { config: { access: { document: 'id', needs: 'write' } } }, (_request, reply) =>
    reply.code(204).send(),
  )
  const query = Type.Object({ limit: Type.Optional(Type.String()) }, CLOSED)
  app.get(
    '/documents',
    { config: { access: 'authenticated' }, schema: { querystring: query } },
    (request) => request.query,
  )
  app.post('/actions', { config: { access: 'authenticated' }, schema: { body: Action } }, (request) => request.body)
  app.post('/stream', { config: { access: 'authenticated', queryToken: true, openQuery: true } }, () => ({}))
  app.get('/broken', { config: { access: 'public' } }, () => {
    throw new Error('secret of the house')
  })
  app.get('/damaged', { config: { access: 'public' } }, () => {
    throw new ParleyError('document-damaged', 'The log of x is damaged.', { extras: { status: 1, note: 'kept' } })
  })
  app.get('/busy', { config: { access: 'public' } }, () => {
    throw new ParleyError('overloaded', 'Later.')
  })
}

/** A server with these routes, until the end of the test. */
export function server(options: Partial<HttpServerOptions> = {}): FastifyInstance {
  const app = serverWith(routes, options)
  onTestFinished(() => app.close())
  return app
}

export async function listening(
  options: Partial<HttpServerOptions> = {},
): Promise<{ app: FastifyInstance; url: string; port: number }> {
  const app = server(options)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.server.address() as AddressInfo
  return { app, url, port: address.port }
}

export const json = { 'content-type': 'application/json' }

/** A request as bytes; the last header closes the connection, so that the answer has an end. */
export function request(line: string, token: string | null, headers: string, body = ''): string {
  const authorization = token === null ? '' : `Authorization: Bearer ${token}\r\n`
  return `${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${authorization}${headers}\r\n\r\n${body}`
}

/** Sends bytes and answers what comes back: all until the server closes, or what is there once everything was sent. */
export function exchange(port: number, bytes: string, manner?: 'writes all, then reads'): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let answer = ''
    socket.setEncoding('utf8')
    const read = (): void => {
      socket.on('data', (text: string) => {
        answer += text
        if (manner) socket.end()
      })
    }
    if (!manner) read()
    socket.write(bytes, manner ? read : undefined)
    socket.on('end', () => socket.end())
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
  })
}

/** As `exchange`, for a request whose body stays away: the answer's head is enough. */
export function exchangeHead(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    socket.once('data', (data) => {
      socket.destroy()
      resolve(data.toString())
    })
    socket.on('error', reject)
  })
}
