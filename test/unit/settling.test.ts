import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { answering } from '../../server/api/questions.ts'
import { ConflictSettler } from '../../server/conflicts/settling.ts'
import { Jobs } from '../../server/foundation/jobs.ts'
import { deskHere } from '../../server/threads/desk.ts'
import { ALICE, BOB, id, startCore, type DocumentCore } from '../support/documentCore.ts'
import { settled } from '../support/manualEnvironment.ts'

/** So many conflicts on so long a text are more than is compared within a write. */
const CONFLICTS = 6
const LINES = 1_500

let core: DocumentCore
let settler: ConflictSettler
let jobs: Jobs
let unexpected: unknown[]
beforeEach(async () => {
  core = await startCore()
  unexpected = []
  startSettler()
})
afterEach(async () => {
  await settler.close()
  await jobs.stop()
  await core.stop()
  expect(unexpected).toEqual([])
})

function startSettler(): void {
  jobs = new Jobs(core.environment, (_, error) => unexpected.push(error))
  settler = new ConflictSettler({ ...core, desk: deskHere(answering(core.storage)) })
}

/** Lets the settler do all that it has to do. */
async function settleAll(): Promise<void> {
  if (jobs.states().length === 0) settler.start(jobs)
  await core.environment.advance(1)
  while (jobs.states().some(({ isRunning }) => isRunning)) await settled()
}

/** A long text in which these lines read otherwise. */
function textWith(lines: Readonly<Record<number, string>>): string {
  const text = Array.from({ length: LINES }, (_, n) => `line ${n} of a text that is long enough for it, all in all`)
  for (const [line, content] of Object.entries(lines)) text[Number(line)] = content
  return text.join('\n')
}

/** Bob changes some lines, and Alice, who has not seen that, the same: as many conflicts as lines. */
async function openConflicts(): Promise<void> {
  await core.create('doc', textWith({}))
  const lines = Array.from({ length: CONFLICTS }, (_, n) => n * 100)
  await core.write('doc', textWith(Object.fromEntries(lines.map((line) => [line, 'of bob']))), { version: 1 }, BOB)
  for (const line of lines) await core.write('doc', textWith({ [line]: `of alice ${line}` }), { version: 1 })
  expect(await openLines()).toEqual(lines)
}

/** Alice's open conflicts. */
function open() {
  const patterns = [{ exact: id('doc') }]
  return core.storage.conflicts({ patterns, statuses: ['open'], author: ALICE, before: null, limit: 100 })
}

/** The lines of Alice's open conflicts, from 0. */
async function openLines(): Promise<number[]> {
  return (await open())
    .flatMap(({ places }) => places.map((place) => ('lines' in place ? place.lines.base.start - 1 : -1)))
    .toSorted((a, b) => a - b)
}

/** Writes the current content with other lines; answers what was done with conflicts in its act. */
async function writeLines(lines: Readonly<Record<number, string>>, version: number, by = ALICE) {
  const { content } = await core.reader.read(id('doc'))
  const text = String(content).split('\n')
  for (const [line, wanted] of Object.entries(lines)) text[Number(line)] = wanted
  const acts = core.storage.acts.length
  expect(await core.write('doc', text.join('\n'), { version }, by)).toMatchObject({ outcome: 'written' })
  return core.storage.acts[acts]?.conflicts.map(({ record }) => record.state.status)
}

const EVERY_LINE = Object.fromEntries(Array.from({ length: CONFLICTS }, (_, n) => [n * 100, `of both ${n}`]))

describe('[WRITE-7] a write by somebody with many open conflicts on a long text', () => {
  it('[WRITE-7] closes those that it settles within its act, where it touches few of them', async () => {
    await openConflicts()
    const { calls } = core.storage
    const read = calls('content')
    expect(await writeLines({ 200: 'of both', 400: 'of alice 400' }, 2)).toEqual(['superseded', 'superseded'])
    expect(await openLines()).toEqual([0, 100, 300, 500])
    // No other was looked at.
    expect(calls('content') - read).toBe(2)
  })

  it('[WRITE-7] looks at none of them where it touches none, however others wrote between', async () => {
    await openConflicts()
    await writeLines({ 50: 'of bob', 1_400: 'of bob' }, 2, BOB)
    const read = core.storage.calls('content')
    expect(await writeLines({ 60: 'of alice' }, 3)).toEqual([])
    expect(core.storage.calls('content')).toBe(read)
    expect(await openLines()).toHaveLength(CONFLICTS)
  })

  it('[WRITE-7] closes what others have made needless since, once', async () => {
    await openConflicts()
    await writeLines({ 300: 'of alice 300' }, 2, BOB)
    expect(await openLines()).toHaveLength(CONFLICTS)
    expect(await writeLines({ 60: 'of alice' }, 3)).toEqual(['superseded'])
    expect(await openLines()).toEqual([0, 100, 200, 400, 500])
    await writeLines({ 300: 'of bob again', 100: 'of bob again' }, 4, BOB)
    const read = core.storage.calls('content')
    expect(await writeLines({ 61: 'of alice' }, 5)).toEqual([])
    expect(core.storage.calls('content') - read).toBe(1)
    expect(await writeLines({ 62: 'of alice' }, 6)).toEqual([])
    expect(core.storage.calls('content') - read).toBe(1)
  })

  it('[WRITE-7] closes after its act, one act each, what is too much to compare within it', async () => {
    await openConflicts()
    settler.start(jobs)
    const acts = core.storage.acts.length
    const marked = await writeLines({ ...EVERY_LINE, 100: 'of bob' }, 2)
    expect(marked).toEqual(['open', 'open', 'open', 'open', 'open'])
    expect(await openLines()).toHaveLength(CONFLICTS)
    await settleAll()
    expect(await openLines()).toEqual([100])
    const closing = core.storage.acts
      .slice(acts + 1)
      .map(({ conflicts }) => conflicts.map(({ record }) => record.state))
    expect(closing).toHaveLength(5)
    for (const one of closing) expect(one).toMatchObject([{ status: 'superseded', closedBy: 'alice' }])
  })

  it('[WRITE-7] leaves open what was compared after its act and is not settled', async () => {
    await core.create('doc', textWith({}))
    for (const line of [0, 100, 200, 300, 400, 500]) {
      await core.write('doc', textWith({ 1_400: `of bob ${line}` }), 'unconditional', BOB)
      await core.write('doc', textWith({ [line]: `of alice ${line}`, 900: 'of alice' }), { version: 1 })
    }
    const { content } = await core.reader.read(id('doc'))
    await core.write('doc', String(content).replace('line 900 of', 'line 900, by alice, of'), 'unconditional')
    expect((await open()).map(({ unsettled }) => unsettled)).toEqual(Array.from({ length: CONFLICTS }, () => [8]))
    await settleAll()
    const left = await open()
    expect(left.map(({ unsettled, reach }) => [unsettled, reach?.version])).toEqual(
      Array.from({ length: CONFLICTS }, () => [undefined, 8]),
    )
    // Where they reach is known from then on.
    const read = core.storage.calls('content')
    expect(await writeLines({ 60: 'of alice' }, 8)).toEqual([])
    expect(core.storage.calls('content')).toBe(read)
  })

  it('[WRITE-7] is compared with them also after a crash', async () => {
    await openConflicts()
    await writeLines({ ...EVERY_LINE, 100: 'of bob' }, 2)
    expect(await openLines()).toHaveLength(CONFLICTS)
    core = await core.restart()
    await jobs.stop()
    startSettler()
    expect(await openLines()).toHaveLength(CONFLICTS)
    await settleAll()
    expect(await openLines()).toEqual([100])
    expect((await open()).map(({ unsettled }) => unsettled)).toEqual([undefined])
  })

  it.each([
    ['few members of many', 50, ['superseded']],
    ['many members of many', 4_000, ['open']],
  ])('[WRITE-7] [OPS-8] closes it within its act where it writes %s: %j', async (_what, written, inAct) => {
    const members = (by: string, count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, by]))
    const base = members('', 6_000)
    await core.create('doc', base)
    await core.write('doc', { ...base, k0: 'bob' }, { version: 1 }, BOB)
    await core.write('doc', { ...base, k0: 'alice' }, { version: 1 })
    const acts = core.storage.acts.length
    await core.write('doc', { ...base, ...members('both', written) }, { version: 2 })
    expect(core.storage.acts[acts]?.conflicts.map(({ record }) => record.state.status)).toEqual(inAct)
    await settleAll()
    expect(await open()).toEqual([])
  })

  it('[WRITE-7] [OPS-8] looks for none of them within its act where it writes very many members beside them', async () => {
    const members = (by: string, from: number, to: number) =>
      Object.fromEntries(Array.from({ length: to - from }, (_, n) => [`k${from + n}`, by]))
    const base = members('', 0, 20_000)
    await core.create('doc', base)
    await core.write('doc', { ...base, ...members('bob', 0, 10) }, { version: 1 }, BOB)
    for (let n = 0; n < CONFLICTS; n++) await core.write('doc', { ...base, [`k${n}`]: 'alice' }, { version: 1 })
    const written = { ...members('bob', 0, 10), ...members('alice', 10, 20_000) }
    await core.write('doc', written, { version: 2 })
    expect((await open()).map(({ unsettled }) => unsettled)).toEqual(Array.from({ length: CONFLICTS }, () => [3]))
    await settleAll()
    expect((await open()).map(({ unsettled }) => unsettled)).toEqual(Array.from({ length: CONFLICTS }, () => undefined))
  })

  it('[WRITE-7] does not keep others from writing meanwhile', async () => {
    await openConflicts()
    const { content } = await core.reader.read(id('doc'))
    const mine = await core.write('doc', `${String(content)}\nof alice`, { version: 2 })
    expect(mine).toMatchObject({ outcome: 'written' })
    const theirs = await core.write('doc', `${String(content)}\nof alice\nof bob`, { version: 3 }, BOB)
    expect(theirs).toMatchObject({ outcome: 'written', head: { version: 4 } })
    await settleAll()
    expect(await openLines()).toHaveLength(CONFLICTS)
  })
})
