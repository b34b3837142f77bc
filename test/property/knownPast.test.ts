import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Content } from '../../server/content/content.ts'
import { showConflict } from '../../server/conflicts/show.ts'
import { onOne, type Found } from '../../server/documents/acts/plan.ts'
import { contentAt } from '../../server/documents/past.ts'
import type { WriteResult } from '../../server/documents/planWrite.ts'
import { toPrincipalId, toVersion } from '../../server/foundation/ids.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { LogCompactor } from '../../server/history/compactor.ts'
import { ALICE, BOB, Editor, id, startCore, type DocumentCore } from '../support/documentCore.ts'
import { settled } from '../support/manualEnvironment.ts'

const DOC = id('doc')
const AUTHORS = [ALICE, BOB, toPrincipalId('carol')]
const CONTENTS: Readonly<Record<'text' | 'json', readonly Content[]>> = {
  text: ['one\ntwo\nthree', 'ONE\ntwo\nthree', 'one\nTWO\nthree\nfour', 'one\ntwo\nTHREE', 'all\nis\nnew'],
  json: [{ a: 1, b: [1, 2] }, { a: 2, b: [1, 2] }, { a: 1, b: [1, 3, 2] }, { b: { c: 'd' } }, { a: 1, x: 'y' }],
}

const author = fc.constantFrom(...AUTHORS)
const nth = fc.nat(4)
const step = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      author,
      nth,
      behind: fc.constantFrom(0, 1, 1, 2, 3, 9),
      onConflict: fc.constantFrom('manual' as const, 'manual' as const, 'merge' as const, 'incoming-wins' as const),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('type' as const), author, nth }) },
  { weight: 2, arbitrary: fc.constant({ do: 'compact' } as const) },
  { weight: 1, arbitrary: fc.constant({ do: 'delete' } as const) },
  { weight: 2, arbitrary: fc.constant({ do: 'create' } as const) },
  { weight: 2, arbitrary: fc.constant({ do: 'disk-fails' } as const) },
  { weight: 1, arbitrary: fc.constant({ do: 'leave-memory' } as const) },
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

const outcomeOf = async <T>(asked: Promise<T>): Promise<T | string> => {
  try {
    return await asked
  } catch (error) {
    if (error instanceof ParleyError) return error.code
    throw error
  }
}

/** Drives one document, and compares what is at hand of its log with what storage has of it. */
class Run {
  readonly #core: DocumentCore
  readonly #kind: 'text' | 'json'
  readonly #compactor: LogCompactor
  readonly compared = { contents: 0, stretches: 0, answers: 0 }

  constructor(core: DocumentCore, kind: 'text' | 'json') {
    this.#core = core
    this.#kind = kind
    this.#compactor = new LogCompactor({
      storage: core.storage,
      environment: core.environment,
      ageMs: 0,
      intervalMs: 1_000_000,
      onJoined: (document) => core.replicas.forgetPast(document),
      onUnexpected: (error) => {
        throw error
      },
    })
  }

  async perform(step: Step): Promise<void> {
    const core = this.#core
    core.environment.jump(1_000)
    switch (step.do) {
      case 'write':
        return this.#write(step)
      case 'type':
        return this.#type(step)
      case 'compact':
        await outcomeOf(this.#compactor.compact(DOC))
        return
      case 'delete':
        await outcomeOf(core.remove('doc'))
        return
      case 'create':
        await outcomeOf(core.create('doc', this.#content(0)))
        return
      case 'disk-fails':
        return core.storage.failNext(1)
      case 'leave-memory':
        await core.environment.advance(60_000)
    }
  }

  /** Of every version that the document has now. */
  async compare(): Promise<void> {
    await outcomeOf(
      this.#core.acts.preview(
        [DOC],
        onOne(async (found) => ({ outcome: await this.#look(found), plan: null })),
      ),
    )
  }

  async #look(view: Found): Promise<void> {
    if ('absent' in view) return
    const { storage } = this.#core
    const { firstVersion, version: last } = view.head
    for (let version = firstVersion; version <= last; version = toVersion(version + 1)) {
      const read = await outcomeOf(contentAt(storage, DOC, this.#kind, version))
      expect(await outcomeOf((async () => view.contentAt(version))())).toEqual(read)
      this.compared.contents += 1
      const entries = view.entriesFrom(version)
      if (entries === null) continue
      expect(entries).toEqual(await storage.effects(DOC, toVersion(version - 1), last, 100))
      this.compared.stretches += 1
    }
  }

  async #write({ author: by, nth: n, behind, onConflict }: Step & { do: 'write' }): Promise<void> {
    const head = await this.#core.storage.head(DOC)
    const version = Math.max(head?.firstVersion ?? 1, (head?.version ?? 1) - behind)
    const result = await outcomeOf(this.#core.write('doc', this.#content(n), { version, onConflict }, by))
    if (typeof result !== 'string' && result.status === 'refused') await this.#compareAnswer(result)
  }

  /** The conflict of a 409, with what was at hand and as it is read afterwards. */
  async #compareAnswer({ refusal }: WriteResult & { status: 'refused' }): Promise<void> {
    const { record, stored, sides, merged, entries } = refusal
    if (entries !== null) this.compared.answers += 1
    const { storage } = this.#core
    const shown = await showConflict(storage, record, { contents: true, known: { sides, merged, entries }, stored })
    expect(shown).toEqual(await showConflict(storage, record, { contents: true, stored }))
  }

  /** A keystroke of an editor, which may become one version with others of the same author. */
  async #type({ author: by, nth: n }: Step & { do: 'type' }): Promise<void> {
    const lease = await this.#core.replicas.lease(DOC)
    if ('absent' in lease) return
    const update = new Editor(lease.replica).update((doc) => {
      if (this.#kind === 'text') doc.getText('content').insert(0, String(n))
      else doc.getMap('content').set(`key ${n}`, n)
    })
    await outcomeOf(lease.replica.applyLive(update, by))
    lease.release()
  }

  #content(n: number): Content {
    return CONTENTS[this.#kind][n] ?? ''
  }
}

it.each(['text', 'json'] as const)(
  '[WRITE-5] what is at hand of a log is what storage has of it (%s)',
  async (kind) => {
    const total = { contents: 0, stretches: 0, answers: 0 }
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 40 }), async (steps) => {
        const core = await startCore()
        const run = new Run(core, kind)
        try {
          await core.create('doc', CONTENTS[kind][0] ?? '')
          for (const one of steps) {
            await run.perform(one)
            await settled()
            await run.compare()
          }
        } finally {
          await core.stop()
        }
        total.contents += run.compared.contents
        total.stretches += run.compared.stretches
        total.answers += run.compared.answers
      }),
      { numRuns: 12 },
    )
    expect(Math.min(total.contents, total.stretches, total.answers)).toBeGreaterThan(0)
  },
)
