import { afterEach, describe, expect, it } from 'vitest'
import { ValidityWatch } from '../../server/conflicts/validityWatch.ts'
import type { Content } from '../../server/content/content.ts'
import type { JsonSchema } from '../../server/model/document.ts'
import type { Replica } from '../../server/documents/replica.ts'
import { toSequence, type PrincipalId } from '../../server/foundation/ids.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { ALICE, BOB, Editor, id, startCore, type DocumentCore } from '../support/documentCore.ts'
import { settled } from '../support/manualEnvironment.ts'

const SHORT: JsonSchema = {
  type: 'object',
  properties: { list: { type: 'array', maxItems: 2 }, n: { type: 'number' } },
}

let core: DocumentCore
let watch: ValidityWatch
let unexpected: unknown[]
afterEach(async () => {
  await watch.close()
  await core.stop()
  expect(unexpected).toEqual([])
})

function startWatch(): void {
  const onUnexpected = (error: unknown): void => void unexpected.push(error)
  watch = new ValidityWatch({ ...core, onUnexpected })
}

async function start(content: Content, schema: JsonSchema | null = SHORT): Promise<Replica> {
  core = await startCore()
  unexpected = []
  startWatch()
  await core.writer.create({ id: id('doc'), kind: 'json', settings: { schema } }, content, {
    author: ALICE,
    origin: 'create',
  })
  const { replica } = await core.lease('doc')
  await pass(1_000)
  return replica
}

/** Time passes in small steps, in each of which what was begun is finished. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    await core.environment.advance(50)
    for (let turn = 0; turn < 40; turn++) await settled()
    await core.committer.settled(id('doc'))
  }
}

const set = (replica: Replica, key: string, value: unknown, by: PrincipalId = ALICE): Promise<unknown> =>
  replica.applyLive(
    new Editor(replica).update((doc) => doc.getMap('content').set(key, value)),
    by,
  )

const conflicts = async () =>
  (await core.storage.conflicts({ patterns: [{ exact: id('doc') }], before: null, limit: 100 })).toReversed()
const events = async (): Promise<string[]> =>
  (await core.storage.events(toSequence(0), 100)).map(({ type }) => type).filter((type) => type.includes('conflict'))
/** Each judgement looks for an open conflict once. */
const judgements = (): number => core.storage.calls('conflicts')

const change = (schema: JsonSchema | null) =>
  core.lifecycle.changeSettings({ document: id('doc'), author: BOB, intent: { type: 'unconditional' } }, { schema })

describe('[CONF-8] content that live edits make invalid', () => {
  it('[CONF-8] opens one conflict once it was invalid for two seconds, not before', async () => {
    const replica = await start({ n: 1 })
    await set(replica, 'other', true, BOB)
    const before = replica.committedVersion
    await set(replica, 'n', 'text')
    await pass(2_200)
    expect(await conflicts()).toEqual([])
    await pass(100)
    const [conflict, ...others] = await conflicts()
    expect(others).toEqual([])
    expect(conflict).toMatchObject({
      kind: 'invalid-merge',
      author: ALICE,
      base: { version: before, hash: null },
      current: { version: before, hash: null },
      incoming: { version: before + 1, hash: null },
      violations: [{ pointer: '/n', message: 'must be number' }],
      clean: false,
      state: { status: 'open' },
    })
    expect(await events()).toEqual(['parley.conflict.detected'])
    await pass(10_000)
    expect(await conflicts()).toEqual([conflict])
    expect(watch.size).toBe(0)
  })

  it('[CONF-8] opens none where it is valid again within two seconds', async () => {
    const replica = await start({ n: 1 })
    await set(replica, 'n', 'text')
    await pass(2_000)
    await set(replica, 'n', 2)
    await pass(5_000)
    expect(await conflicts()).toEqual([])
    expect(watch.size).toBe(0)
  })

  it('[CONF-8] names the entry that broke it and its author, not who wrote first or last', async () => {
    const replica = await start({ n: 1 })
    for (let n = 0; n < 30; n++) await set(replica, `a${n}`, n)
    const before = replica.committedVersion
    await set(replica, 'n', 'text', BOB)
    for (let n = 0; n < 30; n++) await set(replica, `b${n}`, n)
    await pass(2_500)
    const [conflict] = await conflicts()
    expect(conflict).toMatchObject({ author: BOB, current: { version: before }, incoming: { version: before + 1 } })
  })

  it('[CONF-8] a hundred quick entries cost no more than one judgement in 250 ms, none without a schema', async () => {
    const replica = await start({ n: 1 })
    const before = judgements()
    for (let n = 0; n < 100; n++) {
      await set(replica, 'typed', n)
      if (n % 10 === 9) await pass(100)
    }
    expect(judgements() - before).toBeGreaterThanOrEqual(3)
    expect(judgements() - before).toBeLessThanOrEqual(4)
    await pass(1_000)
    expect(judgements() - before).toBeLessThanOrEqual(5)
    expect(watch.size).toBe(0)
  })

  it('[CONF-8] a schema that takes long is judged for a twentieth of the time at most', async () => {
    const replica = await start({ n: 1 })
    await watch.close()
    let spentMs = 0
    const { environment } = core
    // Every look at the clock finds it 100 ms later: a judgement takes as long.
    const slow = {
      now: () => environment.now(),
      monotonicMs: () => environment.monotonicMs() + (spentMs += 100),
      after: environment.after.bind(environment),
      randomBytes: environment.randomBytes.bind(environment),
    }
    watch = new ValidityWatch({ ...core, environment: slow, onUnexpected: (error) => void unexpected.push(error) })
    const before = judgements()
    for (let n = 0; n < 16; n++) {
      await set(replica, 'typed', n)
      await pass(250)
    }
    expect(judgements() - before).toBe(2)
  })

  it('[CONF-8] a document without a schema is never judged', async () => {
    const replica = await start({ n: 1 }, null)
    for (let n = 0; n < 100; n++) await set(replica, 'n', `typed ${n}`)
    expect(watch.size).toBe(0)
    await pass(3_000)
    expect(judgements()).toBe(0)
  })

  it('[CONF-8] further entries refresh it without another notification, and keep what others wrote apart', async () => {
    const replica = await start({ n: 1, list: [] })
    await set(replica, 'n', 'text')
    await pass(2_500)
    const [first] = await conflicts()
    await set(replica, 'apart', 'of others', BOB)
    await pass(500)
    expect((await conflicts())[0]).toEqual(first)
    await set(replica, 'list', [1, 2, 3], BOB)
    await pass(500)
    const [second] = await conflicts()
    expect(second).toMatchObject({
      id: first?.id,
      current: first?.current,
      incoming: { version: replica.committedVersion },
      violations: [{ pointer: '/list' }, { pointer: '/n' }],
    })
    expect(await events()).toEqual(['parley.conflict.detected'])
  })

  it('[CONF-8] where the place is typed on, taking back covers all that was typed', async () => {
    const replica = await start({ n: 1 })
    await set(replica, 'n', 't')
    const typing = [...'ext that goes on'].keys()
    for (const _ of typing) {
      await set(replica, 'n', `t${replica.committedVersion}`)
      await pass(250)
    }
    expect((await conflicts())[0]?.incoming.version).toBeGreaterThan(3)
    await pass(500)
    expect((await conflicts())[0]?.incoming.version).toBe(replica.committedVersion)
  })

  it.each(['live', 'rest'])('[CONF-8] valid again by a %s write supersedes it, by whoever wrote that', async (way) => {
    const replica = await start({ n: 1 })
    await set(replica, 'n', 'text')
    await pass(2_500)
    if (way === 'live') await set(replica, 'n', 2, BOB)
    else await core.write('doc', { n: 2 }, { version: replica.committedVersion }, BOB)
    await pass(500)
    expect(await conflicts()).toMatchObject([{ state: { status: 'superseded', closedBy: BOB } }])
    expect(await events()).toEqual(['parley.conflict.detected', 'parley.conflict.superseded'])
  })

  it.each([null, { type: 'object' }])('[CONF-8] so does a schema that the content keeps: %j', async (schema) => {
    const replica = await start({ n: 1 })
    await set(replica, 'n', 'text')
    await pass(2_500)
    const act = core.storage.acts.length
    await change(schema)
    expect(core.storage.acts[act]).toMatchObject({
      appends: [{ entry: { origin: 'settings' } }],
      conflicts: [{ record: { state: { status: 'superseded', closedBy: BOB } } }],
      events: [{ type: 'parley.conflict.superseded' }],
    })
    await pass(1_000)
    expect(await conflicts()).toHaveLength(1)
  })

  it('[CONF-8] another one opens when it breaks again', async () => {
    const replica = await start({ n: 1 })
    for (const value of ['text', 2, 'again']) {
      await set(replica, 'n', value)
      await pass(2_500)
    }
    expect((await conflicts()).map(({ state }) => state.status)).toEqual(['superseded', 'open'])
  })

  it('[CONF-8] after a restart it is refreshed or superseded by the next entry', async () => {
    const replica = await start({ n: 1 })
    await set(replica, 'n', 'text')
    await pass(2_500)
    await watch.close()
    core = await core.restart()
    startWatch()
    await pass(3_000)
    expect(await conflicts()).toMatchObject([{ state: { status: 'open' } }])
    const again = (await core.lease('doc')).replica
    await set(again, 'list', [1, 2, 3])
    await pass(500)
    expect(await conflicts()).toMatchObject([{ violations: [{ pointer: '/list' }, { pointer: '/n' }] }])
    await set(again, 'n', 2)
    await set(again, 'list', [])
    await pass(500)
    expect(await conflicts()).toMatchObject([{ state: { status: 'superseded' } }])
  })

  it('[CONF-8] what broke before a restart and was not told is told two seconds after the next entry', async () => {
    const replica = await start({ n: 1 })
    const before = replica.committedVersion
    await set(replica, 'n', 'text', BOB)
    await pass(1_000)
    await watch.close()
    core = await core.restart()
    startWatch()
    await set((await core.lease('doc')).replica, 'other', 1)
    await pass(2_500)
    expect(await conflicts()).toMatchObject([{ author: BOB, current: { version: before } }])
  })

  it('[CONF-8] storage that refuses is asked again, and one conflict comes of it', async () => {
    const replica = await start({ n: 1 })
    await set(replica, 'n', 'text')
    await pass(2_000)
    core.storage.failNext(1)
    await pass(500)
    expect(await conflicts()).toEqual([])
    await pass(1_500)
    expect(await conflicts()).toHaveLength(1)
    expect(await events()).toEqual(['parley.conflict.detected'])
  })

  it('[CONF-8] a document that left memory meanwhile is judged all the same, a deleted one is not', async () => {
    const replica = await start({ n: 1 })
    await set(replica, 'n', 'text')
    await pass(1_000)
    replica.end(new ParleyError('overloaded', 'The document left memory.'))
    await pass(1_500)
    expect(await conflicts()).toHaveLength(1)
    await core.remove('doc')
    await pass(1_000)
    expect(await conflicts()).toMatchObject([{ state: { status: 'expired' } }])
    expect(watch.size).toBe(0)
  })
})
