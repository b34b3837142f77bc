import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { showConflict, type ShownConflict } from '../../server/conflicts/show.ts'
import type { JsonObject } from '../../server/content/content.ts'
import { intentOf } from '../../server/documents/base.ts'
import { toPrincipalId } from '../../server/foundation/ids.ts'
import { id, startCore, type DocumentCore } from '../support/documentCore.ts'

/** One act: somebody sets or removes members, changes the settings, or deletes the document and creates it anew. */
interface Step {
  readonly author: string
  readonly act: 'set' | 'remove' | 'settings' | 'anew'
  readonly keys: readonly number[]
}

const authors = fc.constantFrom('ann', 'bob', 'cat', 'dan')
const steps = fc.array(
  fc.record({
    author: authors,
    act: fc.constantFrom<Step['act']>('set', 'set', 'set', 'set', 'remove', 'settings', 'anew'),
    keys: fc.uniqueArray(fc.nat(7), { minLength: 1, maxLength: 3 }),
  }),
  { maxLength: 24 },
)

/** What one version did: by whom, and at which places. */
interface Told {
  readonly version: number
  readonly author: string
  readonly pointers: readonly string[]
}

/** A document and, beside it, a plain record of its versions. */
class Model {
  readonly core: DocumentCore
  content: JsonObject = {}
  told: Told[] = []
  /** The version before the first of the present life. */
  start = 0

  constructor(core: DocumentCore) {
    this.core = core
  }

  get version(): number {
    return this.told.at(-1)?.version ?? 0
  }

  async create(author: string): Promise<void> {
    this.start = this.version
    this.content = {}
    const wanted = { id: id('doc'), kind: 'json' as const }
    await this.core.writer.create(wanted, {}, { author: toPrincipalId(author), origin: 'create' })
    this.#tell(author, [])
  }

  async step({ author, act, keys }: Step): Promise<void> {
    const by = toPrincipalId(author)
    const change = { document: id('doc'), author: by, intent: { type: 'unconditional' } as const }
    if (act === 'anew') {
      await this.core.lifecycle.remove(change)
      this.#tell(author, [])
      return this.create(author)
    }
    if (act === 'settings') {
      const conflictPolicy = this.version % 2 === 0 ? 'merge' : 'manual'
      const { version } = await this.core.lifecycle.changeSettings(change, { conflictPolicy })
      if (version > this.version) this.#tell(author, [])
      return
    }
    const next = { ...this.content }
    const touched = keys.filter((key) => act === 'set' || Object.hasOwn(next, `k${key}`))
    for (const key of touched) {
      if (act === 'set') next[`k${key}`] = this.version + 1
      else delete next[`k${key}`]
    }
    if (touched.length === 0) return
    await this.core.write('doc', next, 'unconditional', by)
    this.content = next
    this.#tell(author, touched.map((key) => `/k${key}`).sort())
  }

  #tell(author: string, pointers: readonly string[]): void {
    this.told.push({ version: this.version + 1, author, pointers })
  }
}

/** The conflict of a write that knows the document as it was at a version of its present life, 0 for before it. */
async function refusedOn(core: DocumentCore, baseVersion: number): Promise<ShownConflict | null> {
  const result = await core.writer.write({
    document: id('doc'),
    author: toPrincipalId('eve'),
    intent: intentOf({ ifMatch: null, ifNoneMatch: false, baseVersion }),
    incoming: () => ({ of: 'eve', at: baseVersion }),
    createsKind: 'json',
    onConflict: 'manual',
    origin: 'write',
  })
  if (result.status !== 'refused') return null
  return showConflict(core.storage, result.refusal.record, { contents: false })
}

describe('[CONF-1] who wrote between base and current, against a record of every version', () => {
  it('[CONF-1] is every entry after base up to current, with its author and places, and nobody else', async () => {
    let compared = 0
    const history = fc.tuple(authors, steps, fc.nat())
    await fc.assert(
      fc.asyncProperty(history, async ([creator, all, drawn]) => {
        const core = await startCore()
        try {
          const model = new Model(core)
          await model.create(creator)
          for (const step of all) await model.step(step)
          const lives = model.version - model.start
          const base = drawn % (lives + 1) === 0 ? 0 : model.start + (drawn % (lives + 1))
          const shown = await refusedOn(core, base)
          if (shown === null) return
          compared += 1
          const after = base === 0 ? model.start : base
          const expected = model.told.filter(({ version }) => version > after)
          expect(shown.intervening).toMatchObject(expected.map(({ version, author }) => ({ version, author })))
          const places = shown.intervening.map((entry) => ('pointers' in entry ? entry.pointers : []))
          expect(places).toEqual(expected.map(({ pointers }) => pointers))
          expect(new Set(shown.current.authors)).toEqual(new Set(expected.map(({ author }) => author)))
          const maker = model.told.find(({ version }) => version === base)
          expect(shown.base.authors).toEqual(maker ? [maker.author] : [])
        } finally {
          await core.stop()
        }
      }),
      { numRuns: 60 },
    )
    expect(compared).toBeGreaterThan(15)
  })

  it('[CONF-4] is the newest 500 of more', async () => {
    const core = await startCore()
    const model = new Model(core)
    await model.create('ann')
    for (let n = 0; n < 520; n++) await model.step({ author: n % 3 === 0 ? 'bob' : 'cat', act: 'set', keys: [n % 8] })
    const shown = await refusedOn(core, 1)
    const expected = model.told.slice(-500)
    expect(shown?.intervening).toMatchObject(expected)
    await core.stop()
  })
})
