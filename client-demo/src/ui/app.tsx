import type { JSX } from 'preact'
import { useCallback, useEffect, useState } from 'preact/hooks'
import { explain } from '../present/problem.ts'
import { NoGuestsError, type Identity } from '../state/identity.ts'
import { DocumentScreen } from './documentScreen.tsx'
import { Home } from './home.tsx'
import { PartsContext, type Parts } from './parts.ts'
import { useRoute } from './route.ts'
import { SignIn } from './signIn.tsx'

type Entry =
  | { readonly phase: 'asking' }
  | { readonly phase: 'in'; readonly self: Identity }
  | { readonly phase: 'token-needed' }
  | { readonly phase: 'failed'; readonly reason: string }

export function App({ parts }: { parts: Parts }): JSX.Element {
  const [entry, setEntry] = useState<Entry>({ phase: 'asking' })
  const enter = useCallback(() => {
    setEntry({ phase: 'asking' })
    parts.keeper.identity().then(
      (self) => {
        parts.nameBook.introduce(self.sub)
        setEntry({ phase: 'in', self })
      },
      (error: unknown) =>
        setEntry(
          error instanceof NoGuestsError ? { phase: 'token-needed' } : { phase: 'failed', reason: explain(error) },
        ),
    )
  }, [parts])
  useEffect(enter, [enter])

  return (
    <PartsContext.Provider value={parts}>
      <Screen entry={entry} enter={enter} />
    </PartsContext.Provider>
  )
}

function Screen({ entry, enter }: { entry: Entry; enter: () => void }): JSX.Element {
  const route = useRoute()
  if (entry.phase === 'asking') return <main class="page" aria-busy="true" />
  if (entry.phase === 'token-needed') return <SignIn enter={enter} />
  if (entry.phase === 'failed') {
    return (
      <main class="page page-centred">
        <h1>Parley cannot be reached</h1>
        <p class="muted">{entry.reason}</p>
        <button class="button primary" onClick={enter}>
          Try again
        </button>
      </main>
    )
  }
  if (route.page === 'home') return <Home self={entry.self} />
  return <DocumentScreen key={route.id} id={route.id} conflictId={route.conflictId} self={entry.self} />
}
