import { describe, expect, it } from 'vitest'
import { toPrincipalId } from '../../server/foundation/ids.ts'
import { PROBLEMS, type ProblemCode } from '../../server/foundation/problemTable.ts'
import { gravest, isConflict } from '../../server/transactions/gravest.ts'
import { MAX_OPERATIONS, StagedTransactions } from '../../server/transactions/staged.ts'
import { decide, type TransactionEvent, type TransactionState } from '../../server/transactions/transaction.ts'
import { codeOf } from '../support/documentCore.ts'
import { ManualEnvironment } from '../support/manualEnvironment.ts'

const EVENTS = ['adds', 'shows', 'commits', 'rolls-back', 'succeeds', 'is-refused', 'fails', 'idles'] as const

/** Every state and every event, in the order of EVENTS: the next state, or `-` refused, `x` forgotten, `!` never. */
const TABLE: Readonly<Record<TransactionState, readonly string[]>> = {
  open: ['open', 'open', 'committing', 'rolled-back', '!', '!', '!', 'x'],
  committing: ['-', 'committing', '-', '-', 'committed', 'refused', 'open', 'committing'],
  committed: ['-', 'committed', '-', '-', '!', '!', '!', 'x'],
  refused: ['-', 'refused', '-', '-', '!', '!', '!', 'x'],
  'rolled-back': ['-', 'rolled-back', '-', 'rolled-back', '!', '!', '!', 'x'],
}

describe('[TX-2] the life of a staged transaction', () => {
  for (const [state, row] of Object.entries(TABLE)) {
    it(`[TX-2] ${state}: every event is decided`, () => {
      expect(row.length).toBe(EVENTS.length)
      const decided = EVENTS.map((event: TransactionEvent) => {
        const action = decide(state as TransactionState, event)
        if (action.do === 'go') return action.to
        return { refuse: '-', forget: 'x', never: '!' }[action.do]
      })
      expect(decided).toEqual(row)
    })
  }
})

describe('[TX-3] the gravest failure', () => {
  const ORDER: readonly ProblemCode[] = [
    'unauthenticated',
    'not-found',
    'forbidden',
    'unsupported-media-type',
    'content-too-large',
    'invalid-request',
    'document-deleted',
    'precondition-required',
    'locked',
    'version-conflict',
    'schema-violation',
  ]

  it('[TX-3] is that of the order of refusal, wherever it stands', () => {
    for (const [rank, graver] of ORDER.entries()) {
      for (const other of ORDER.slice(rank + 1)) {
        expect([graver, other, gravest([null, graver, other])]).toEqual([graver, other, 1])
        expect([graver, other, gravest([other, null, graver])]).toEqual([graver, other, 2])
      }
    }
  })

  it('[TX-3] of equals the first counts, and none where nothing failed', () => {
    expect(gravest([null, 'already-exists', 'version-conflict'])).toBe(1)
    expect(gravest([null, null])).toBeNull()
    expect(gravest([])).toBeNull()
  })

  it('[TX-3] every code has a place', () => {
    for (const code of Object.keys(PROBLEMS) as ProblemCode[]) expect(gravest([null, code])).toBe(1)
  })

  it('[TX-3] conflicts are opened with 409 only', () => {
    expect([isConflict('version-conflict'), isConflict('unknown-base'), isConflict('locked')]).toEqual([
      true,
      true,
      false,
    ])
  })
})

const ALICE = toPrincipalId('alice')
const BOB = toPrincipalId('bob')
const operation = (document: string, size = 1) => ({ document, content: 'x'.repeat(size) })
const IDLE_MS = 60_000

function staged() {
  const environment = new ManualEnvironment()
  return {
    environment,
    transactions: new StagedTransactions<ReturnType<typeof operation>>({ environment, idleMs: IDLE_MS }),
  }
}

describe('[TX-2] staged transactions', () => {
  it('[TX-2] idle ones expire, and whatever their owner asks keeps them', async () => {
    const { environment, transactions } = staged()
    const { id, expiresAt } = transactions.begin(ALICE, [])
    expect(expiresAt).toBe(environment.now() + IDLE_MS)
    await environment.advance(IDLE_MS - 1)
    transactions.add(id, ALICE, [operation('a')])
    await environment.advance(IDLE_MS - 1)
    expect(transactions.look(id, ALICE).expiresAt).toBe(environment.now() + IDLE_MS)
    // Others keep nothing alive, nor does a glance.
    await environment.advance(IDLE_MS - 1)
    expect(() => transactions.look(id, BOB)).toThrow('no such transaction')
    expect(transactions.peek(id, ALICE)).toEqual([operation('a')])
    await environment.advance(1)
    expect(() => transactions.look(id, ALICE)).toThrow('no such transaction')
    expect(transactions.peek(id, ALICE)).toEqual([])
  })

  it('[TX-2] one that is being committed does not expire, and answers no one else meanwhile', async () => {
    const { environment, transactions } = staged()
    const { id } = transactions.begin(ALICE, [operation('a')])
    let finish: (ends: 'succeeds') => void = () => undefined
    const running = transactions.commit(id, ALICE, async () => ({
      ends: await new Promise<'succeeds'>((resolve) => (finish = resolve)),
    }))
    await environment.advance(5 * IDLE_MS)
    expect(transactions.look(id, ALICE).state).toBe('committing')
    expect(await codeOf(transactions.commit(id, ALICE, async () => ({ ends: 'succeeds' })))).toBe('transaction-closed')
    expect(() => transactions.rollBack(id, ALICE)).toThrow('being committed')
    expect(() => transactions.add(id, ALICE, [operation('b')])).toThrow('being committed')
    finish('succeeds')
    await running
    expect(transactions.look(id, ALICE)).toMatchObject({ state: 'committed', operations: [] })
    await environment.advance(IDLE_MS)
    expect(() => transactions.look(id, ALICE)).toThrow('no such transaction')
  })

  it('[TX-2] a commit that fails leaves it open', async () => {
    const { transactions } = staged()
    const { id } = transactions.begin(ALICE, [operation('a')])
    await expect(transactions.commit(id, ALICE, () => Promise.reject(new Error('disk')))).rejects.toThrow('disk')
    expect(transactions.look(id, ALICE)).toMatchObject({ state: 'open', operations: [operation('a')] })
    await transactions.commit(id, ALICE, async () => ({ ends: 'fails' }))
    await transactions.commit(id, ALICE, async () => ({ ends: 'is-refused' }))
    expect(transactions.look(id, ALICE).state).toBe('refused')
  })

  it('[TX-2] are bounded in number, for a principal and for all', () => {
    const { transactions } = staged()
    const own = Array.from({ length: 20 }, () => transactions.begin(ALICE, []))
    expect(() => transactions.begin(ALICE, [])).toThrow('20 open transactions')
    transactions.rollBack(own[0]?.id ?? '', ALICE)
    transactions.begin(ALICE, [])
    for (let n = 0; n < 1_000 - 20; n++) transactions.begin(toPrincipalId(`p${n}`), [])
    expect(() => transactions.begin(BOB, [])).toThrow('Too many transactions')
  })

  it('[TX-2] those that are over keep nobody from beginning one, and the newest 1,000 are remembered', () => {
    const { environment, transactions } = staged()
    const ids = Array.from({ length: 1_001 }, () => {
      const { id } = transactions.begin(ALICE, [])
      transactions.rollBack(id, ALICE)
      return id
    })
    expect(transactions.begin(BOB, []).state).toBe('open')
    expect(() => transactions.look(ids[0] ?? '', ALICE)).toThrow('no such transaction')
    expect(transactions.look(ids[1] ?? '', ALICE).state).toBe('rolled-back')
    expect(environment.pending).toBe(1_001)
  })

  it('[TX-2] are bounded in bytes, for a principal and for all, and what is over holds none', async () => {
    const { transactions } = staged()
    const large = (document: string) => operation(document, 30 * 1024 * 1024)
    const first = transactions.begin(ALICE, [large('a')])
    const second = transactions.begin(ALICE, [large('a')])
    expect(() => transactions.add(second.id, ALICE, [large('b')])).toThrow('bytes together')
    expect(transactions.look(second.id, ALICE).operations.length).toBe(1)
    transactions.rollBack(first.id, ALICE)
    transactions.add(second.id, ALICE, [large('b')])
    for (const name of ['p1', 'p2', 'p3']) transactions.begin(toPrincipalId(name), [large('a'), large('b')])
    expect(() => transactions.begin(toPrincipalId('p4'), [large('a'), large('b')])).toThrow('hold too much')
  })

  it('[TX-3] take at most 100 operations, and a document once, however they are added', () => {
    const { transactions } = staged()
    const many = Array.from({ length: MAX_OPERATIONS }, (_, n) => operation(`d${n}`))
    const { id } = transactions.begin(ALICE, many.slice(1))
    expect(() => transactions.add(id, ALICE, [operation('d7')])).toThrow('one operation on d7')
    transactions.add(id, ALICE, many.slice(0, 1))
    expect(() => transactions.add(id, ALICE, [operation('one more')])).toThrow('at most 100')
    expect(transactions.look(id, ALICE).operations.length).toBe(MAX_OPERATIONS)
  })
})
