/** Pages of plain HTML, for people who look something up. */
import { createHash } from 'node:crypto'
import type { FastifyReply } from 'fastify'

/** Sends a page that `page` made. */
export const sendPage = (reply: FastifyReply, html: string): FastifyReply =>
  reply.header('Content-Security-Policy', CONTENT_SECURITY_POLICY).type('text/html; charset=utf-8').send(html)

/** Text of the problem table, in which backquotes mark code. */
export const prose = (text: string): string => escapeHtml(text).replace(/`([^`]+)`/g, '<code>$1</code>')

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 1rem/1.6 system-ui, sans-serif; max-width: 46rem; margin: 4rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: .5rem 0 1rem; }
code { font: .9em ui-monospace, monospace; background: var(--soft); padding: .1em .35em; border-radius: .3em; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .5rem 1.5rem; margin-top: 2rem; padding-top: 1.5rem; border-top: 1px solid var(--line); }
dt { opacity: .7; } dd { margin: 0; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .45rem .75rem .45rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
pre { background: var(--soft); padding: .75rem 1rem; border-radius: .4em; overflow-x: auto; font: .85rem/1.5 ui-monospace, monospace; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; } details { margin-top: .25rem; } summary { cursor: pointer; opacity: .8; }
a { color: inherit; } .up { font-size: .9rem; opacity: .8; }
`

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64')
/** Nothing but a page's own style; it has no script and loads nothing. */
const CONTENT_SECURITY_POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

/** A page of that title, in the one look that all have. */
export const page = (title: string, body: string): string => `<!doctype html>
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
