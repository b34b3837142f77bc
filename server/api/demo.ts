import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import helmet from '@fastify/helmet'
import fastifyStatic from '@fastify/static'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { addToVary } from '../http/vary.ts'

/**
 * Everything the page runs and shows comes from this server. The style elements that CodeMirror makes carry a nonce, drawn
 * for each answer.
 */
const POLICY = {
  useDefaults: false,
  directives: {
    'default-src': ["'none'"],
    'script-src': ["'self'"],
    'style-src': ["'self'"],
    'img-src': ["'self'", 'data:'],
    'font-src': ["'self'"],
    'connect-src': ["'self'"],
    'base-uri': ["'none'"],
    'form-action': ["'none'"],
    'frame-ancestors': ["'none'"],
  },
}
const HELMET = {
  contentSecurityPolicy: POLICY,
  enableCSPNonces: true,
  referrerPolicy: { policy: 'no-referrer' },
  xFrameOptions: { action: 'deny' },
  // Only behind a proxy that speaks TLS does it hold; then every answer has it.
  strictTransportSecurity: false,
} as const

/** Stands in the built page where its nonce belongs. */
const NONCE_PLACE = 'PARLEY-NONCE'

/** Built files are named by what they hold, and never change. */
const FOREVER = { maxAge: '365d', immutable: true } as const
/** Anything else is asked for anew each time, and mostly answered by 304. */
const ANEW = { maxAge: 0, immutable: false } as const

/** Within the folder. */
const pathOf = ({ url }: FastifyRequest): string => new URL(url, 'http://localhost').pathname.slice('/demo/'.length)

/** The demo editor under `/demo/`, built into `folder`. */
export function demoPages(folder: string): FastifyPluginAsync {
  return async (app) => {
    const options = { config: { access: 'public', openQuery: true, secret: true, about: null } } as const
    const page = readFileSync(join(folder, 'index.html'), 'utf8')
    // The build left each file compressed beside itself.
    await app.register(fastifyStatic, { root: folder, serve: false, preCompressed: true })
    // They are no pages: what every answer says keeps them from being taken for one.
    app.get('/demo/assets/*', options, (request, reply) => {
      addToVary(reply, 'Accept-Encoding')
      return reply.sendFile(pathOf(request), FOREVER)
    })
    await app.register(async (pages) => {
      pages.addHook('onRequest', async (_request, reply) => {
        // Helmet, which comes next, writes past fastify, whose own headers would count.
        void reply.removeHeader('Content-Security-Policy')
      })
      await pages.register(helmet, HELMET)
      pages.get('/demo/*', options, (request, reply) => {
        const path = pathOf(request)
        if (path !== '' && path !== 'index.html') return reply.sendFile(path, ANEW)
        const { style } = reply.cspNonce
        return reply
          .type('text/html; charset=utf-8')
          .header('Cache-Control', 'no-store')
          .send(page.replace(NONCE_PLACE, style))
      })
    })
    app.get('/demo', options, (request, reply) => reply.redirect(`${request.linkBase}/demo/`))
  }
}
