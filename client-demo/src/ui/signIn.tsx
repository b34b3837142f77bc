import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { useParts } from './parts.ts'

/** For a server that hands out no guest tokens. */
export function SignIn({ enter }: { enter: () => void }): JSX.Element {
  const { keeper } = useParts()
  const [token, setToken] = useState('')
  const [isRefused, setRefused] = useState(false)

  function submit(event: Event): void {
    event.preventDefault()
    if (keeper.adopt(token.trim())) enter()
    else setRefused(true)
  }

  return (
    <main class="page page-centred">
      <h1>Sign in to Parley</h1>
      <p class="muted">
        This server hands out no guest tokens. Ask whoever runs it for one, or make one with{' '}
        <code>parley token --sub you --access '*=read,write'</code>.
      </p>
      <form class="stack" onSubmit={submit}>
        <label class="field">
          <span>Token</span>
          <textarea
            class="input mono"
            rows={4}
            value={token}
            required
            autocomplete="off"
            spellcheck={false}
            aria-invalid={isRefused}
            aria-describedby={isRefused ? 'token-problem' : undefined}
            data-testid="token-input"
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        {isRefused && (
          <p id="token-problem" class="field-problem" role="alert">
            This is not a token: it has no readable <code>sub</code>.
          </p>
        )}
        <button class="button primary" type="submit">
          Sign in
        </button>
      </form>
    </main>
  )
}
