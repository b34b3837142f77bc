/**
 * The life of a staged transaction: what it can be, what can happen to it, and what follows (SPEC TX-2). Pure.
 */

/** `refused` wrote nothing but conflicts. */
export type TransactionState = 'open' | 'committing' | 'committed' | 'refused' | 'rolled-back'

export type TransactionEvent =
  /** Its owner adds operations, looks at it, commits it, or rolls it back. */
  | 'adds'
  | 'shows'
  | 'commits'
  | 'rolls-back'
  /** What the commit came to: written, refused for good, or to be tried again (a lock, a full disk). */
  | 'succeeds'
  | 'is-refused'
  | 'fails'
  /** Nobody asked for it for a while. */
  | 'idles'

export type TransactionAction =
  | { readonly do: 'go'; readonly to: TransactionState }
  /** Its owner comes too late. */
  | { readonly do: 'refuse' }
  /** It is not known any more. */
  | { readonly do: 'forget' }
  /** Only a bug brings this about. */
  | { readonly do: 'never' }

const to = (state: TransactionState): TransactionAction => ({ do: 'go', to: state })
const REFUSE: TransactionAction = { do: 'refuse' }
const FORGET: TransactionAction = { do: 'forget' }
const NEVER: TransactionAction = { do: 'never' }

type TransactionRow = Readonly<Record<TransactionEvent, TransactionAction>>

/** A closed one is remembered for as long as an idle one, so that whoever repeats a request learns how it ended. */
const closed = (state: TransactionState): TransactionRow => ({
  adds: REFUSE,
  shows: to(state),
  commits: REFUSE,
  'rolls-back': REFUSE,
  succeeds: NEVER,
  'is-refused': NEVER,
  fails: NEVER,
  idles: FORGET,
})

const TABLE: Readonly<Record<TransactionState, TransactionRow>> = {
  open: {
    adds: to('open'),
    shows: to('open'),
    commits: to('committing'),
    'rolls-back': to('rolled-back'),
    succeeds: NEVER,
    'is-refused': NEVER,
    fails: NEVER,
    idles: FORGET,
  },
  committing: {
    adds: REFUSE,
    shows: to('committing'),
    commits: REFUSE,
    'rolls-back': REFUSE,
    succeeds: to('committed'),
    'is-refused': to('refused'),
    fails: to('open'),
    idles: to('committing'),
  },
  committed: closed('committed'),
  refused: closed('refused'),
  'rolled-back': { ...closed('rolled-back'), 'rolls-back': to('rolled-back') },
}

export const decide = (state: TransactionState, event: TransactionEvent): TransactionAction => TABLE[state][event]
