import type { JSX } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { documentHref } from '../present/route.ts'
import { ago } from '../present/time.ts'
import { createCommand, tokenCommand } from '../present/curl.ts'
import { personOf } from '../present/names.ts'
import { explain } from '../present/problem.ts'
import { NotificationFeed } from '../parley/notifications.ts'
import { maySomewhere } from '../parley/token.ts'
import { EVENT_TYPES, type Kind, type ListedDocument } from '../parley/types.ts'
import { coalesce } from '../state/coalesce.ts'
import { isGuest, type Identity } from '../state/identity.ts'
import { Store } from '../state/store.ts'
import { CommandBlock } from './commandBlock.tsx'
import { useNow, useStore, useTitle } from './hooks.ts'
import { useNames, useParts, type Parts } from './parts.ts'

interface Listing {
  readonly items: readonly ListedDocument[]
  readonly nextCursor: string | null
  readonly isLoaded: boolean
  readonly problem: string | null
}

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
          {problem}{' '}
          <button class="button quiet" onClick={listing.again}>
            Try again
          </button>
        </p>
      )}
      {isLoaded && items.length === 0 && <EmptyState origin={parts.origin} token={self.token} />}
      {items.length > 0 && <Documents listing={listing.store} more={listing.more} />}
    </main>
  )
}

function useListing({ rest, keeper, nameBook, socketBase }: Parts): {
  store: Store<Listing>
  again: () => void
  more: () => void
} {
  const listing = useMemo(() => {
    const store = new Store<Listing>({ items: [], nextCursor: null, isLoaded: false, problem: null })
    const fail = (error: unknown): void => store.update((known) => ({ ...known, problem: explain(error) }))
    const learn = (items: readonly ListedDocument[]): void =>
      nameBook.learn(items.map(({ updatedBy, updatedByName }) => ({ sub: updatedBy, name: updatedByName })))
    const read = (): Promise<void> =>
      rest.listDocuments().then(({ items, nextCursor }) => {
        learn(items)
        store.set({ items, nextCursor: nextCursor ?? null, isLoaded: true, problem: null })
      }, fail)
    const more = (): void => {
      const { nextCursor } = store.value
      if (nextCursor === null) return
      void rest.listDocuments({ cursor: nextCursor }).then((page) => {
        learn(page.items)
        const items = [...store.value.items, ...page.items]
        store.set({ items, nextCursor: page.nextCursor ?? null, isLoaded: true, problem: null })
      }, fail)
    }
    return { store, more, again: () => void read(), read }
  }, [rest, nameBook])
  useEffect(() => {
    const reread = coalesce(REREAD_MS, listing.read)
    listing.again()
    const feed = new NotificationFeed({
      url: `${socketBase}/conflict-notifications`,
      token: keeper,
      documents: ['*'],
      events: EVENT_TYPES,
      onEvent: () => reread.wish(),
      onGap: () => reread.wish(),
    })
    return () => {
      feed.close()
      reread.close()
    }
  }, [listing, keeper, socketBase])
  return listing
}

function Documents(props: { listing: Store<Listing>; more: () => void }): JSX.Element {
  const names = useNames()
  const { items, nextCursor } = useStore(props.listing)
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
      {nextCursor !== null && (
        <button class="button" onClick={props.more}>
          Show more
        </button>
      )}
    </section>
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
