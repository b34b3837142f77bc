import { h, render } from 'preact'
import './styles.css'
import { Rest } from './parley/rest.ts'
import { HeadStart } from './state/headStart.ts'
import { IdentityKeeper } from './state/identity.ts'
import { NameBook } from './state/names.ts'
import { Notices } from './state/notices.ts'
import { ResolutionDrafts } from './state/resolutionDrafts.ts'
import { Shelf } from './state/shelf.ts'
import { TabTexts } from './state/tabTexts.ts'
import { routeOf } from './present/route.ts'
import { App } from './ui/app.tsx'
import { documentScreen } from './ui/chunks.ts'
import type { Parts } from './ui/parts.ts'

/** By then the list is there, also on a slow line. */
const PREFETCH_AFTER_MS = 2_000
/** A killed page loses what was typed since; more often would be felt in a text of megabytes. */
const KEEP_EVERY_MS = 2_000

/** Where the API is, without a final slash: the page stands in the folder `demo` of it. */
const base = new URL('..', location.href).href.replace(/\/$/, '')

const storage = new TabTexts(sessionStorage)
const keeper = new IdentityKeeper({
  storage,
  fetchGuest: (guest) =>
    fetch(`${base}/demo/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(guest),
    }),
  now: () => Date.now(),
})

const shelf = new Shelf(storage)
const drafts = new ResolutionDrafts(sessionStorage)
shelf.add(drafts)

const rest = new Rest({ baseUrl: base, token: keeper })
const headStart = new HeadStart(rest)

const parts: Parts = {
  origin: base,
  socketBase: base.replace(/^http/, 'ws'),
  keeper,
  rest,
  headStart,
  notices: new Notices(),
  nameBook: new NameBook(),
  shelf,
  drafts,
  storage,
}

// Leaving the page with edits that are nowhere but here is asked about.
addEventListener('beforeunload', (event) => {
  if (shelf.hasUnsavedEdits) event.preventDefault()
})
// Whoever reloads all the same finds them again.
addEventListener('pagehide', () => shelf.keep())
// Whose page is killed finds all but the last of it.
setInterval(() => shelf.keepUp(), KEEP_EVERY_MS)

// Most who see the list open a document next; who asked for one does not wait for a token before its code comes.
const route = routeOf(location.hash)
if (route.page === 'document') {
  documentScreen.prefetch()
  headStart.begin(route.id)
} else setTimeout(documentScreen.prefetch, PREFETCH_AFTER_MS)

const root = document.querySelector('#app')
if (root !== null) render(h(App, { parts }), root)
