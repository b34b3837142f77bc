import fastifyStatic from '@fastify/static'
import type { Routes } from '../../http/mount.ts'
import { VERSION } from '../../http/version.ts'
import { escapeHtml, page, prose, sendPage } from '../page.ts'
import { asyncApi } from './asyncApi.ts'
import { membersOf, type Json } from './components.ts'

export interface ReferenceParts {
  readonly publicUrl: () => string
  /** Where the files of Swagger UI are. */
  readonly folder: string
}

/** The page loads its own files and the description, and sends its trial requests here. React sets styles by script. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const FILES = ['swagger-ui.css', 'swagger-ui-bundle.js']

/**
 * `GET /docs`: the reference for a person (SPEC API-3), made of the descriptions that programs read. Requests are shown by
 * Swagger UI, from its package; what is told over sockets by a page of our own, which has no script.
 */
export const referencePages =
  ({ publicUrl, folder }: ReferenceParts): Routes =>
  async (app) => {
    const config = { access: 'public', about: null } as const
    await app.register(fastifyStatic, { root: folder, serve: false, preCompressed: true })
    app.get('/docs', { config }, (request, reply) =>
      reply
        .header('Content-Security-Policy', POLICY)
        .type('text/html; charset=utf-8')
        .send(referencePage(request.linkBase)),
    )
    app.get('/docs/start.js', { config }, (_request, reply) => reply.type('text/javascript; charset=utf-8').send(START))
    app.get('/docs/sockets', { config }, (_request, reply) =>
      sendPage(reply, socketsPage(asyncApi({ version: VERSION, publicUrl: publicUrl() }))),
    )
    for (const file of FILES) {
      app.get(`/docs/${file}`, { config }, (_request, reply) => reply.sendFile(file, { maxAge: '1h' }))
    }
  }

const referencePage = (base: string): string => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Parley: reference</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="${escapeHtml(base)}/docs/swagger-ui.css">
  </head>
  <body>
    <div class="swagger-ui"><p class="wrapper"><a href="${escapeHtml(base)}/docs/sockets">Sockets, streams and webhooks</a> ·
      <a href="${escapeHtml(base)}/problems">Problems</a> · <a href="${escapeHtml(base)}/openapi.json">OpenAPI</a> ·
      <a href="${escapeHtml(base)}/asyncapi.json">AsyncAPI</a></p></div>
    <main id="reference" data-description="${escapeHtml(base)}/openapi.json"></main>
    <script src="${escapeHtml(base)}/docs/swagger-ui-bundle.js"></script>
    <script src="${escapeHtml(base)}/docs/start.js"></script>
  </body>
</html>
`

const START = `const place = document.getElementById('reference')
SwaggerUIBundle({
  url: place.dataset.description,
  domNode: place,
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: -1,
  tryItOutEnabled: true,
  validatorUrl: null,
})
`

function socketsPage(description: Json): string {
  const { info, channels } = membersOf(description)
  const sections = Object.entries(membersOf(channels)).map(([, channel]) => channelSection(membersOf(channel)))
  return page(
    'Sockets, streams and webhooks',
    `<p class="up"><a href="../docs">Reference</a></p>
    <h1>Sockets, streams and webhooks</h1>
    ${paragraphs(membersOf(info)['description'])}
    ${sections.join('\n')}`,
  )
}

function channelSection({ title, address, description, messages }: Readonly<Record<string, Json>>): string {
  const rows = Object.values(membersOf(messages)).map((message) => {
    const { name, summary, payload } = membersOf(message)
    const shown = JSON.stringify(payload, null, 2)
    return `<dt><code>${text(name)}</code></dt><dd>${prose(String(summary))}<details><summary>What it holds</summary><pre>${escapeHtml(shown)}</pre></details></dd>`
  })
  return `<h2>${text(title)}</h2>
    ${typeof address === 'string' ? `<p><code>${escapeHtml(address)}</code></p>` : ''}
    ${paragraphs(description)}
    <dl>${rows.join('\n')}</dl>`
}

const text = (value: Json | undefined): string => escapeHtml(String(value))

/** Paragraphs and lists as Markdown has them. */
function paragraphs(value: Json | undefined): string {
  return String(value)
    .split('\n\n')
    .map((part) =>
      part.startsWith('- ')
        ? `<ul>${part
            .split('\n')
            .map((item) => `<li>${prose(item.slice(2))}</li>`)
            .join('')}</ul>`
        : `<p>${prose(part)}</p>`,
    )
    .join('\n')
}
