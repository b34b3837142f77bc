import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { ParleyError } from '../foundation/problems.ts'
import { PROBLEMS, problemKind, type ProblemCode } from '../foundation/problemTable.ts'
import { negotiate } from './accept.ts'
import type { About } from './about.ts'
import type { Routes } from './mount.ts'
import { addToVary } from './vary.ts'

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
        return answer(request, reply, summary(code, publicUrl()), () => problemPage(code))
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
  return reply.header('Content-Security-Policy', CONTENT_SECURITY_POLICY).type('text/html; charset=utf-8').send(html())
}

function problemPage(code: ProblemCode): string {
  const { status, close, retryable, title, help } = problemKind(code)
  return page(
    title,
    `<p class="up"><a href="../problems">All problems</a></p>
    <h1>${prose(title)}</h1>
    <p>${prose(help)}</p>
    <dl>
      <dt>Code</dt><dd><code>${escapeHtml(code)}</code></dd>
      <dt>HTTP status</dt><dd>${status}</dd>
      ${close === undefined ? '' : `<dt>WebSocket close code</dt><dd>${close}</dd>`}
      <dt>Worth retrying unchanged</dt><dd>${retryable ? 'yes, later' : 'no'}</dd>
    </dl>`,
  )
}

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

/** Text of the problem table, in which backquotes mark code. */
const prose = (text: string): string => escapeHtml(text).replace(/`([^`]+)`/g, '<code>$1</code>')

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 1rem/1.6 system-ui, sans-serif; max-width: 46rem; margin: 4rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: .5rem 0 1rem; }
code { font: .9em ui-monospace, monospace; background: var(--soft); padding: .1em .35em; border-radius: .3em; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .5rem 1.5rem; margin-top: 2rem; padding-top: 1.5rem; border-top: 1px solid var(--line); }
dt { opacity: .7; } dd { margin: 0; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .45rem .75rem .45rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
a { color: inherit; } .up { font-size: .9rem; opacity: .8; }
`

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64')
/** Nothing but this page's own style; it has no script and loads nothing. */
const CONTENT_SECURITY_POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

const page = (title: string, body: string): string => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${escapeHtml(title)} · Parley</title>
    <style>${STYLE}</style>
  </head>
  <body>
    ${body}
  </body>
</html>
`
