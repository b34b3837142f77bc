import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { explain } from '../present/problem.ts'
import type { Identity } from '../state/identity.ts'
import { documentScreen, signIn } from './chunks.ts'
import { Home } from './home.tsx'
import { useLatest, useStore } from './hooks.ts'
import { PartsContext, type Parts } from './parts.ts'
import { useRoute } from './route.ts'

export function App({ parts }: { parts: Parts }): JSX.Element {
  const { keeper, nameBook } = parts
  const presence = useStore(keeper.presence)
  useEffect(() => void keeper.enter(), [keeper])
  // Whoever was here stays on the screen while they sign in anew: what they typed stands there.
  const self = useLatest(presence.phase === 'in' ? presence.self : null)
  useEffect(() => {
    if (self !== null) nameBook.introduce(self.sub)
  }, [self?.sub, nameBook])
  const isOut = presence.phase === 'out'

  return (
    <PartsContext.Provider value={parts}>
      {self !== null && (
        <div class="screen" inert={isOut}>
          <Screen key={self.sub} self={self} />
        </div>
      )}
      {self === null && presence.phase === 'asking' && <main class="page" aria-busy="true" />}
      {self === null && presence.phase === 'failed' && <Unreachable error={presence.error} />}
      {isOut && <signIn.Component why={presence.why} isOver={self !== null} />}
    </PartsContext.Provider>
  )
}

function Screen({ self }: { self: Identity }): JSX.Element {
  const route = useRoute()
  if (route.page === 'home') return <Home self={self} />
  return <documentScreen.Component key={route.id} id={route.id} conflictId={route.conflictId} self={self} />
}

function Unreachable({ error }: { error: unknown }): JSX.Element {
  return (
    <main class="page page-centred">
      <h1>Parley cannot be reached</h1>
      <p class="muted">{explain(error)}</p>
      <button class="button primary" onClick={() => location.reload()}>
        Try again
      </button>
    </main>
  )
}
