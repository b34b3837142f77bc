import fastifyStatic from '@fastify/static'
import type { FastifyPluginAsync } from 'fastify'

/** Everything the page runs comes from this server; CodeMirror sets styles of its own. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** The demo editor under `/demo/`, built into `folder`; `/` leads there. */
export function demoPages(folder: string): FastifyPluginAsync {
  return async (app) => {
    const options = { config: { access: 'public', openQuery: true } } as const
    app.addHook('onSend', async (_request, reply) => {
      void reply.header('Content-Security-Policy', CONTENT_SECURITY_POLICY).header('Referrer-Policy', 'no-referrer')
    })
    await app.register(fastifyStatic, { root: folder, serve: false })
    app.get('/demo/*', options, (request, reply) => {
      const path = new URL(request.url, 'http://localhost').pathname.slice('/demo/'.length)
      return reply.sendFile(path === '' ? 'index.html' : path)
    })
    for (const path of ['/', '/demo']) app.get(path, options, (_request, reply) => reply.redirect('/demo/'))
  }
}
