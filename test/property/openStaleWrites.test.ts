import fc from 'fast-check'
import { expect, it } from 'vitest'
import { nothing, onOne, type Found } from '../../server/documents/acts/plan.ts'
import { toPrincipalId } from '../../server/foundation/ids.ts'
import { closed, MAX_OPEN_CONFLICTS, type ConflictRecord } from '../../server/model/conflict.ts'
import { ALICE, BOB, id, startCore, type DocumentCore } from '../support/documentCore.ts'
import { settled } from '../support/manualEnvironment.ts'

const AUTHORS = [ALICE, BOB, toPrincipalId('carol')]
const DOCUMENTS = ['doc', 'other']
const TEXTS = ['one\ntwo\nthree', 'ONE\ntwo\nthree', 'one\nTWO\nthree', 'one\ntwo\nTHREE', 'all\nis\nnew']

const author = fc.constantFrom(...AUTHORS)
const document = fc.constantFrom(...DOCUMENTS)
const step = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      document,
      author,
      text: fc.constantFrom(...TEXTS),
      behind: fc.constantFrom(0, 1, 1, 2, 3),
      onConflict: fc.constantFrom('manual', 'manual', 'manual', 'merge', 'incoming-wins', 'current-wins'),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('dismiss' as const), document, author, nth: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('dismiss-again' as const), document }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), document }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('purge' as const), document }) },
  { weight: 4, arbitrary: fc.constant({ do: 'create' } as const) },
  { weight: 4, arbitrary: fc.constant({ do: 'hold' } as const) },
  { weight: 6, arbitrary: fc.constant({ do: 'let-go' } as const) },
  { weight: 2, arbitrary: fc.constant({ do: 'disk-fails' } as const) },
  { weight: 1, arbitrary: fc.constant({ do: 'restart' } as const) },
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

interface Both {
  readonly shown: readonly ConflictRecord[]
  readonly read: readonly ConflictRecord[]
}

/** The open stale writes of each author as a write is shown them, and as they are read, while the disk may be held. */
async function shownAndRead(core: DocumentCore): Promise<Both[]> {
  const found: Both[] = []
  const look = async (view: Found): Promise<void> => {
    if ('absent' in view) return
    for (const by of AUTHORS) {
      const shown = await view.openConflicts(by)
      const query = { statuses: ['open'], kinds: ['stale-write'], author: by, before: null } as const
      found.push({ shown, read: await view.conflicts({ ...query, limit: MAX_OPEN_CONFLICTS }) })
    }
  }
  for (const name of DOCUMENTS) {
    const planner = onOne(async (view) => ({ outcome: await look(view), plan: null }))
    quietly(core.acts.preview([id(name)], planner))
  }
  await settled()
  return found
}

/** Closes a conflict as it was seen: refused where another act closed it. */
function dismissing(found: Found, record: ConflictRecord | undefined): ReturnType<Parameters<typeof onOne>[0]> {
  if ('absent' in found || record === undefined) return { outcome: null, plan: null }
  const end = { status: 'dismissed', closedAt: 1, closedBy: record.author, comment: null } as const
  const conflicts = [{ op: 'update', record: closed(record, end) }] as const
  return { outcome: null, plan: { ...nothing(found), conflicts } }
}

class Run {
  core: DocumentCore
  #letGo: () => void = () => undefined
  #seen: ConflictRecord | undefined

  constructor(core: DocumentCore) {
    this.core = core
  }

  async perform(step: Step): Promise<void> {
    const { core } = this
    switch (step.do) {
      case 'write': {
        const head = await core.storage.head(id(step.document))
        const version = Math.max(head?.firstVersion ?? 1, (head?.version ?? 1) - step.behind)
        const onConflict = step.onConflict as 'manual'
        return quietly(core.write(step.document, step.text, { version, onConflict }, step.author))
      }
      case 'dismiss':
        return quietly(
          core.acts.perform(
            [id(step.document)],
            onOne(async (found) => {
              if (!('absent' in found)) this.#seen = (await found.openConflicts(step.author))[step.nth]
              return dismissing(found, this.#seen)
            }),
          ),
        )
      case 'dismiss-again':
        return quietly(
          core.acts.perform(
            [id(step.document)],
            onOne((found) => dismissing(found, this.#seen)),
          ),
        )
      case 'delete':
        return quietly(core.remove(step.document))
      case 'purge': {
        const change = { document: id(step.document), author: ALICE, intent: { type: 'unconditional' } } as const
        return quietly(core.lifecycle.purge(change))
      }
      case 'create':
        for (const name of DOCUMENTS) quietly(core.create(name, TEXTS[0] ?? ''))
        return
      case 'hold':
        this.#letGo = core.storage.hold()
        return
      case 'let-go':
        return this.#letGo()
      case 'disk-fails':
        return core.storage.failNext(1)
      case 'restart':
        this.#letGo()
        for (let turn = 0; turn < 4; turn++) await settled()
        this.core = await core.restart()
    }
  }

  async end(): Promise<void> {
    this.#letGo()
    await settled()
    await this.core.stop()
  }
}

const quietly = (done: Promise<unknown>): void => void done.catch(() => undefined)

it("[WRITE-7] what a write is shown of its author's open conflicts is what storage and the acts on their way have", async () => {
  let compared = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80 }), async (steps) => {
      const run = new Run(await startCore())
      try {
        for (const name of DOCUMENTS) await run.core.create(name, TEXTS[0] ?? '')
        for (const one of steps) {
          await run.perform(one)
          await settled()
          for (const { shown, read } of await shownAndRead(run.core)) {
            expect(shown).toEqual(read)
            compared += read.length
          }
        }
      } finally {
        await run.end()
      }
    }),
    { numRuns: 20 },
  )
  expect(compared).toBeGreaterThan(100)
})
