import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { ParleyError } from '../foundation/problems.ts'
import { PROBLEMS, problemKind, type ProblemCode } from '../foundation/problemTable.ts'
import { negotiate } from '../http/accept.ts'
import type { About } from '../http/about.ts'
import type { Routes } from '../http/mount.ts'
import { addToVary } from '../http/vary.ts'
import { problemDocument } from '../http/problem.ts'
import { membersOf, type Json } from './description/components.ts'
import { EXAMPLES } from './description/examples.ts'
import { escapeHtml, page, prose, sendPage } from './page.ts'
import { WHAT_HAPPENED } from './problemStories.ts'

/**
 * `GET /problems` and `GET /problems/{code}`: what `type` of a problem document leads to (SPEC API-2). A page for
 * people, JSON for programs that ask for it.
 */
export const problemPages =
  (publicUrl: () => string): Routes =>
  async (app) => {
    app.get('/problems', { config: { access: 'public', about: INDEX_ABOUT } }, (request, reply) => {
      const codes = Object.keys(PROBLEMS).filter(isProblemCode)
      const items = codes.map((code) => summary(code, publicUrl()))
      return answer(request, reply, { items }, () => indexPage(codes))
    })

    const params = Type.Object({ code: Type.String() }, { additionalProperties: false })
    app.get(
      '/problems/:code',
      { config: { access: 'public', about: PAGE_ABOUT }, schema: { params } },
      (request, reply) => {
        const { code } = request.params
        if (!isProblemCode(code)) throw new ParleyError('not-found', 'There is no problem of this name.')
        return answer(request, reply, summary(code, publicUrl()), () => problemPage(code, publicUrl()))
      },
    )
  }

const Summary = Type.Object(
  {
    type: Type.String({ format: 'uri', maxLength: 2_048 }),
    code: Type.String({ maxLength: 64 }),
    status: Type.Integer({ minimum: 400, maximum: 599, format: 'int32' }),
    retryable: Type.Boolean(),
    title: Type.String({ maxLength: 256 }),
    help: Type.String({ maxLength: 2_048 }),
  },
  { title: 'ProblemSummary' },
)
const Page = Type.String({ maxLength: 1_048_576 })
const HEADERS = ['Vary', 'Cache-Control'] as const
const INDEX_ABOUT: About = {
  id: 'listProblems',
  tag: 'operation',
  summary: 'Every problem there is',
  answers: {
    200: {
      text: 'A page, or JSON for programs that ask for it.',
      body: {
        byType: {
          'text/html': Page,
          'application/json': Type.Object({ items: Type.Array(Summary, { maxItems: 200 }) }, { title: 'Problems' }),
        },
      },
      headers: HEADERS,
    },
  },
}
const PAGE_ABOUT: About = {
  id: 'readProblem',
  tag: 'operation',
  summary: 'What a problem is and what to do',
  answers: {
    200: {
      text: 'What `type` of a problem document leads to.',
      body: { byType: { 'text/html': Page, 'application/json': Summary } },
      headers: HEADERS,
    },
  },
  refusals: ['not-found'],
}

const isProblemCode = (text: string): text is ProblemCode => Object.hasOwn(PROBLEMS, text)

function summary(code: ProblemCode, publicUrl: string): Record<string, unknown> {
  const { status, retryable, title, help } = problemKind(code)
  return { type: `${publicUrl}/problems/${code}`, code, status, retryable, title, help }
}

function answer(request: FastifyRequest, reply: FastifyReply, json: object, html: () => string): FastifyReply {
  const wanted = negotiate(request.headers.accept, ['text/html', 'application/json'])
  addToVary(reply, 'Accept')
  void reply.header('Cache-Control', 'public, max-age=3600')
  if (wanted === 'application/json') return reply.send(json)
  return sendPage(reply, html())
}

function problemPage(code: ProblemCode, publicUrl: string): string {
  const { status, close, retryable, title, help } = problemKind(code)
  return page(
    title,
    `<p class="up"><a href="../problems">All problems</a></p>
    <h1>${prose(title)}</h1>
    <h2>What happened</h2>
    <p>${prose(WHAT_HAPPENED[code])}</p>
    <h2>What to do</h2>
    <p>${prose(help)}</p>
    ${example(code, publicUrl)}
    <dl>
      <dt>Code</dt><dd><code>${escapeHtml(code)}</code></dd>
      <dt>HTTP status</dt><dd>${status}</dd>
      ${close === undefined ? '' : `<dt>WebSocket close code</dt><dd>${close}</dd>`}
      <dt>Worth retrying unchanged</dt><dd>${retryable ? 'yes, later' : 'no'}</dd>
    </dl>`,
  )
}

/** A request that really was refused so, or else what the answer looks like. */
function example(code: ProblemCode, publicUrl: string): string {
  const exchange = EXAMPLES.find(({ answer }) => membersOf(answer.body)['code'] === code)
  if (!exchange) {
    const problem = problemDocument(new ParleyError(code, problemKind(code).title), publicUrl)
    return `<h2>What the answer looks like</h2>${block(JSON.stringify(problem, null, 2))}`
  }
  const { request, answer } = exchange
  return `<h2>An example</h2>
    ${block([`${request.method} ${request.path}`, ...lines(request.headers), ...bodyOf(request.body)].join('\n'))}
    <p>The answer:</p>
    ${block([String(answer.status), ...lines(answer.headers), ...bodyOf(answer.body)].join('\n'))}`
}

const lines = (headers: Readonly<Record<string, string>>): string[] =>
  Object.entries(headers).map(([name, value]) => `${name}: ${value}`)

const bodyOf = (body: Json | undefined): string[] =>
  body === undefined ? [] : ['', typeof body === 'string' ? body : JSON.stringify(body, null, 2)]

const block = (text: string): string => `<pre>${escapeHtml(text)}</pre>`

function indexPage(codes: readonly ProblemCode[]): string {
  const rows = codes.map((code) => {
    const { status, title } = problemKind(code)
    return `<tr><td>${status}</td><td><a href="problems/${code}"><code>${code}</code></a></td><td>${prose(title)}</td></tr>`
  })
  return page(
    'Problems',
    `<h1>Problems</h1>
    <p>Every error of this server is a problem document (RFC 9457) with one of these codes.</p>
    <table><thead><tr><th>Status</th><th>Code</th><th>Meaning</th></tr></thead><tbody>${rows.join('\n')}</tbody></table>`,
  )
}
