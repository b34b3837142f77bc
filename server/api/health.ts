import { Type } from 'typebox'
import type { About } from '../http/about.ts'
import type { Routes } from '../http/mount.ts'
import { httpStatusOf, type Health } from '../operations/health.ts'

const Status = Type.Union([Type.Literal('ok'), Type.Literal('degraded'), Type.Literal('down')])
const HealthAnswer = Type.Object({ status: Type.Literal('ok') }, { title: 'Health' })
const Part = Type.Object({
  name: Type.String({ maxLength: 64 }),
  status: Status,
  why: Type.Optional(Type.String({ maxLength: 1_024 })),
})
const ReadinessAnswer = Type.Object(
  { status: Status, parts: Type.Array(Part, { maxItems: 1_000 }) },
  { title: 'Readiness', description: 'The gravest state of any part, and all parts.' },
)
const HEALTH_ABOUT: About = {
  id: 'readHealth',
  tag: 'operation',
  summary: 'Whether the process answers',
  answers: { 200: { text: 'It does.', body: HealthAnswer, headers: ['Cache-Control'] } },
}
const READINESS_ABOUT: About = {
  id: 'readReadiness',
  tag: 'operation',
  summary: 'Whether requests had better come here',
  answers: {
    200: { text: 'They may.', body: ReadinessAnswer, headers: ['Cache-Control'] },
    503: {
      text: 'They had better go elsewhere: a part is down, or the server is stopping.',
      body: ReadinessAnswer,
      headers: ['Cache-Control?'],
    },
  },
}

/**
 * `GET /healthz`: the process answers. `GET /readyz`: requests had better come here (SPEC OPS-1, OPS-6). Both are for
 * whoever runs the server and need no token: they tell names of parts and nothing of any document.
 */
export const healthRoutes =
  (health: Health): Routes =>
  async (app) => {
    const config = { access: 'public', rate: 'none', about: HEALTH_ABOUT } as const
    app.get('/healthz', { config, schema: { response: { 200: HealthAnswer } } }, async (_request, reply) => {
      void reply.header('Cache-Control', 'no-store')
      return reply.send({ status: 'ok' } as const)
    })
    const response = { 200: ReadinessAnswer, 503: ReadinessAnswer }
    const ready = { access: 'public', about: READINESS_ABOUT } as const
    app.get('/readyz', { config: ready, schema: { response } }, async (_request, reply) => {
      const { status, parts } = await health.look()
      void reply.code(httpStatusOf(status)).header('Cache-Control', 'no-store')
      return reply.send({ status, parts: parts.map(({ name, condition }) => ({ name, ...condition })) })
    })
  }
