import type { JSX } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { documentHref } from '../present/route.ts'
import { ago } from '../present/time.ts'
import { createCommand, tokenCommand } from '../present/curl.ts'
import { personOf } from '../present/names.ts'
import { explain } from '../present/problem.ts'
import { NotificationFeed } from '../parley/notifications.ts'
import { maySomewhere } from '../parley/token.ts'
import { EVENT_TYPES, type Kind, type ListedDocument, type Page } from '../parley/types.ts'
import { coalesce } from '../state/coalesce.ts'
import { isGuest, type Identity } from '../state/identity.ts'
import { PagedList } from '../state/pagedList.ts'
import { CommandBlock } from './commandBlock.tsx'
import { useNow, useStore, useTitle } from './hooks.ts'
import { useNames, useParts, type Parts } from './parts.ts'

/** However many documents change, the list is read once a second at most. */
const REREAD_MS = 1_000
const ID = '[A-Za-z0-9][A-Za-z0-9._:~\\-]{0,127}'

export function Home({ self }: { self: Identity }): JSX.Element {
  useTitle('Parley')
  const parts = useParts()
  const listing = useListing(parts)
  const { items, isLoaded, problem } = useStore(listing.store)
  return (
    <main class="page home">
      <header class="home-head">
        <div>
          <h1>Parley</h1>
          <p class="muted">Documents that people edit live and programs write over REST. Nobody’s work is lost.</p>
        </div>
        <p class="self">
          <span data-testid="self">
            You are <strong>{self.name}</strong>
          </span>
          <button class="button quiet" onClick={() => parts.keeper.leave()} data-testid="sign-out">
            {isGuest(self) ? 'Sign in' : 'Sign out'}
          </button>
        </p>
      </header>
      {maySomewhere(self.token, 'write') && <CreateForm />}
      {problem !== null && (
        <p class="banner tone-problem" role="alert">
          {explain(problem)}{' '}
          <button class="button quiet" onClick={() => void listing.refresh()}>
            Try again
          </button>
        </p>
      )}
      {isLoaded && <HeldElsewhere listed={items} />}
      {isLoaded && items.length === 0 && <EmptyState origin={parts.origin} token={self.token} />}
      {items.length > 0 && <Documents listing={listing} />}
    </main>
  )
}

function useListing({ rest, keeper, nameBook, socketBase }: Parts): PagedList<ListedDocument> {
  const listing = useMemo(() => {
    const read = async (cursor?: string): Promise<Page<ListedDocument>> => {
      const page = await rest.listDocuments(cursor === undefined ? {} : { cursor })
      nameBook.learn(page.items.map(({ updatedBy, updatedByName }) => ({ sub: updatedBy, name: updatedByName })))
      return page
    }
    return new PagedList({ read, isAtOrBehind: (document, last) => document.id >= last.id })
  }, [rest, nameBook])
  useEffect(() => {
    const reread = coalesce(REREAD_MS, () => listing.refresh())
    void listing.refresh()
    const feed = new NotificationFeed({
      url: `${socketBase}/conflict-notifications`,
      token: keeper,
      documents: ['*'],
      events: EVENT_TYPES,
      onEvent: () => reread.wish(),
      onGap: () => reread.wish(),
    })
    const stop = keeper.presence.watch(() => {
      if (keeper.presence.value.phase !== 'in') return
      feed.wake()
      reread.wish()
    })
    return () => {
      stop()
      feed.close()
      reread.close()
    }
  }, [listing, keeper, socketBase])
  return listing
}

function Documents({ listing }: { listing: PagedList<ListedDocument> }): JSX.Element {
  const names = useNames()
  const { items, hasMore } = useStore(listing.store)
  const held = useStore(useParts().shelf.held)
  const now = useNow()
  return (
    <section aria-labelledby="documents-title">
      <h2 id="documents-title" class="section-title">
        Documents
      </h2>
      <ul class="documents" data-testid="document-list">
        {items.map((item) => (
          <li key={item.id}>
            <a class="document-row" href={documentHref(item.id)} data-testid="document-row" data-id={item.id}>
              <span class="document-name">
                <span class="mono truncate">{item.id}</span>
                <span class="tag">{item.kind}</span>
              </span>
              <span class="document-conflicts">
                {held.has(item.id) && (
                  <span class="tag tag-attention" data-testid="held">
                    unsaved text
                  </span>
                )}
                {item.openConflicts > 0 && (
                  <span class="tag tag-attention" data-testid="open-conflicts">
                    {item.openConflicts} conflict{item.openConflicts === 1 ? '' : 's'}
                  </span>
                )}
              </span>
              <span class="document-when muted">
                by {personOf(item.updatedBy, names)}, <time dateTime={item.updatedAt}>{ago(item.updatedAt, now)}</time>
              </span>
              <span class="document-version number">
                <span class="visually-hidden">version </span>
                <span aria-hidden="true">v</span>
                {item.version}
              </span>
            </a>
          </li>
        ))}
      </ul>
      {hasMore && (
        <button class="button" onClick={() => void listing.more()}>
          Show more
        </button>
      )}
    </section>
  )
}

/** Where text waits of which the list shows no document: it was deleted, or stands further down. */
function HeldElsewhere({ listed }: { listed: readonly ListedDocument[] }): JSX.Element | null {
  const held = useStore(useParts().shelf.held)
  const ids = [...held].filter((id) => listed.every((item) => item.id !== id))
  if (ids.length === 0) return null
  return (
    <p class="banner tone-attention" data-testid="held-elsewhere">
      Unsaved text waits in this window:{' '}
      {ids.map((id) => (
        <a key={id} class="mono" href={documentHref(id)}>
          {id}{' '}
        </a>
      ))}
    </p>
  )
}

function CreateForm(): JSX.Element {
  const { rest } = useParts()
  const [id, setId] = useState('')
  const [kind, setKind] = useState<Kind>('text')
  const [problem, setProblem] = useState<string | null>(null)
  const [isBusy, setBusy] = useState(false)

  async function create(event: Event): Promise<void> {
    event.preventDefault()
    setBusy(true)
    setProblem(null)
    try {
      const document = await rest.createDocument({ id: id.trim(), kind })
      location.hash = documentHref(document.id)
    } catch (error) {
      setProblem(explain(error))
      setBusy(false)
    }
  }

  return (
    <form class="create" onSubmit={(event) => void create(event)} aria-label="Create a document">
      <input
        class="input mono grow"
        aria-label="Id of the new document"
        placeholder="new-document"
        value={id}
        required
        pattern={ID}
        title="Letters, digits and . _ : ~ - ; it begins with a letter or digit"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        aria-invalid={problem !== null}
        data-testid="create-id"
        onInput={(event) => setId(event.currentTarget.value)}
      />
      <fieldset class="segments">
        <legend class="visually-hidden">Kind</legend>
        {(['text', 'json'] as const).map((name) => (
          <label key={name} class="segment">
            <input
              type="radio"
              name="kind"
              checked={kind === name}
              data-testid={`create-${name}`}
              onChange={() => setKind(name)}
            />
            <span>{name === 'text' ? 'Text' : 'JSON'}</span>
          </label>
        ))}
      </fieldset>
      <button class="button primary" type="submit" disabled={isBusy} data-testid="create-submit">
        Create
      </button>
      <p class="field-problem create-problem" role="alert">
        {problem}
      </p>
    </form>
  )
}

function EmptyState({ origin, token }: { origin: string; token: string }): JSX.Element {
  return (
    <section class="empty" data-testid="empty-state">
      <h2>No documents yet</h2>
      <p>
        Create one above and open it in two windows: each window is its own person. Or let a program create it, with
        this window’s token:
      </p>
      <CommandBlock label="Create a document from a shell" text={`${tokenCommand(token)}\n${createCommand(origin)}`} />
      <p class="muted">
        Then edit it here while a program writes on an older version: that is a conflict, and this page shows what
        becomes of it.
      </p>
    </section>
  )
}
