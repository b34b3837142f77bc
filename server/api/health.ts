import { Type } from 'typebox'
import type { Routes } from '../http/mount.ts'
import { httpStatusOf, type Health } from '../operations/health.ts'

const Status = Type.Union([Type.Literal('ok'), Type.Literal('degraded'), Type.Literal('down')])
const HealthAnswer = Type.Object({ status: Type.Literal('ok') })
const ReadinessAnswer = Type.Object({
  status: Status,
  parts: Type.Array(Type.Object({ name: Type.String(), status: Status, why: Type.Optional(Type.String()) })),
})

/**
 * `GET /healthz`: the process answers. `GET /readyz`: requests had better come here (SPEC OPS-1, OPS-6). Both are for
 * whoever runs the server and need no token: they tell names of parts and nothing of any document.
 */
export const healthRoutes =
  (health: Health): Routes =>
  async (app) => {
    const config = { access: 'public', rate: 'none' } as const
    app.get('/healthz', { config, schema: { response: { 200: HealthAnswer } } }, async (_request, reply) => {
      void reply.header('Cache-Control', 'no-store')
      return reply.send({ status: 'ok' } as const)
    })
    const response = { 200: ReadinessAnswer, 503: ReadinessAnswer }
    app.get('/readyz', { config, schema: { response } }, async (_request, reply) => {
      const { status, parts } = await health.look()
      void reply.code(httpStatusOf(status)).header('Cache-Control', 'no-store')
      return reply.send({ status, parts: parts.map(({ name, condition }) => ({ name, ...condition })) })
    })
  }
