import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { explain } from '../present/problem.ts'
import { ProblemError, Rest } from '../parley/rest.ts'
import { readToken } from '../parley/token.ts'
import type { Presence } from '../state/identity.ts'
import { useParts } from './parts.ts'

type Why = Extract<Presence, { phase: 'out' }>['why']

const REASONS: Readonly<Record<Why, string>> = {
  'no-guests': 'This server hands out no guest tokens, so bring one of your own.',
  expired: 'Your token has expired. Paste a new one to go on.',
  refused:
    'Your token is no longer accepted: it was revoked, has expired, or is not for this server. Paste another one to go on.',
  left: 'You are signed out.',
}

/** Where a token is brought along; over what was being worked on, which stays as it is. */
export function SignIn({ why, isOver }: { why: Why; isOver: boolean }): JSX.Element {
  const { keeper, origin } = useParts()
  const [token, setToken] = useState('')
  const [problem, setProblem] = useState<string | null>(null)
  const [isBusy, setBusy] = useState(false)
  const field = useRef<HTMLTextAreaElement>(null)
  const [takesGuests, setTakesGuests] = useState(false)
  useEffect(() => field.current?.focus(), [])
  useEffect(() => {
    if (why !== 'no-guests') void keeper.takesGuests().then(setTakesGuests)
  }, [keeper, why])

  async function attempt(task: () => Promise<void>): Promise<void> {
    setBusy(true)
    setProblem(null)
    await task().catch((error: unknown) => setProblem(error instanceof ProblemError ? refusal(error) : explain(error)))
    setBusy(false)
  }

  const signIn = (): Promise<void> =>
    attempt(async () => {
      const pasted = token.trim()
      if (readToken(pasted) === null) throw new Error('This is not a token: it names nobody.')
      await assertAccepted(origin, pasted)
      keeper.adopt(pasted)
    })
  const submit = (event: Event): void => {
    event.preventDefault()
    if (!isBusy && token.trim() !== '') void signIn()
  }

  const form = (
    <div class="sign-in">
      <h1 id="sign-in-title">Sign in to Parley</h1>
      <p role="status">
        {REASONS[why]} {isOver && why !== 'left' && 'What you typed stays where it is.'}
      </p>
      <form class="stack" onSubmit={submit}>
        <label class="field">
          <span>Token</span>
          <textarea
            ref={field}
            class="input mono"
            rows={4}
            value={token}
            required
            autocomplete="off"
            spellcheck={false}
            aria-invalid={problem !== null}
            aria-describedby={problem === null ? undefined : 'token-problem'}
            data-testid="token-input"
            onInput={(event) => setToken(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === 'Enter' && !event.isComposing) submit(event)
            }}
          />
        </label>
        <p id="token-problem" class="field-problem" role="alert" data-testid="token-problem">
          {problem}
        </p>
        <p class="row">
          <button class="button primary" type="submit" disabled={isBusy} data-testid="sign-in-submit">
            Sign in
          </button>
          {takesGuests && why !== 'no-guests' && (
            <button
              class="button quiet"
              type="button"
              disabled={isBusy}
              onClick={() => void attempt(() => keeper.becomeGuest())}
              data-testid="sign-in-guest"
            >
              Go on as a guest
            </button>
          )}
        </p>
        <p class="muted">
          Whoever runs this server can make a token for you:{' '}
          <code>
            parley token <span class="word">--sub you</span> <span class="word">--access '*=read,write'</span>
          </code>
        </p>
      </form>
    </div>
  )
  return isOver ? (
    <div
      class="sign-in-over"
      role="dialog"
      aria-modal="true"
      aria-labelledby="sign-in-title"
      data-testid="sign-in"
      data-why={why}
    >
      {form}
    </div>
  ) : (
    <main class="page page-centred" data-testid="sign-in" data-why={why}>
      {form}
    </main>
  )
}

/** Asks for something that every token may ask for, before anybody is signed out for it. */
async function assertAccepted(baseUrl: string, token: string): Promise<void> {
  const source = { current: () => Promise.resolve(token), renew: () => Promise.resolve(token) }
  await new Rest({ baseUrl, token: source }).listDocuments()
}

const refusal = ({ problem }: ProblemError): string =>
  problem.status === 401 ? `The server does not accept this token: ${problem.detail || problem.title}` : problem.detail
