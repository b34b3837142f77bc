import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ConflictSettler } from '../../server/conflicts/settling.ts'
import { ALICE, BOB, id, startCore, type DocumentCore } from '../support/documentCore.ts'
import { waitUntil } from '../support/waitFor.ts'

/** So many conflicts on so long a text are more than is compared within a write. */
const CONFLICTS = 6
const LINES = 8_000

let core: DocumentCore
let settler: ConflictSettler
let unexpected: unknown[]
beforeEach(async () => {
  core = await startCore()
  unexpected = []
  settler = new ConflictSettler({ ...core, onUnexpected: (error) => unexpected.push(error) })
})
afterEach(async () => {
  await settler.close()
  await core.stop()
  expect(unexpected).toEqual([])
})

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

/** The lines of Alice's open conflicts, from 0. */
async function openLines(): Promise<number[]> {
  const patterns = [{ exact: id('doc') }]
  const open = await core.storage.conflicts({ patterns, statuses: ['open'], author: ALICE, before: null, limit: 100 })
  return open
    .flatMap(({ places }) => places.map((place) => ('lines' in place ? place.lines.base.start - 1 : -1)))
    .toSorted((a, b) => a - b)
}

describe('[WRITE-7] a write by somebody with many open conflicts on a long text', () => {
  it('[WRITE-7] closes those that it settles after its act, one act each, and leaves the others open', async () => {
    await openConflicts()
    const { content } = await core.reader.read(id('doc'))
    const lines = String(content).split('\n')
    lines[200] = 'of both'
    lines[400] = 'of alice 400'
    const acts = core.storage.acts.length
    expect(await core.write('doc', lines.join('\n'), { version: 2 })).toMatchObject({ outcome: 'written' })
    expect(core.storage.acts[acts]?.conflicts).toEqual([])
    await waitUntil(() => core.storage.acts.length === acts + 3)
    await settler.close()
    expect(await openLines()).toEqual([0, 100, 300, 500])
    const closing = core.storage.acts
      .slice(acts + 1)
      .map(({ conflicts }) => conflicts.map(({ record }) => record.state))
    expect(closing).toMatchObject([[{ status: 'superseded', closedBy: 'alice' }], [{ status: 'superseded' }]])
  })

  it('[WRITE-7] does not keep others from writing meanwhile', async () => {
    await openConflicts()
    const { content } = await core.reader.read(id('doc'))
    const mine = await core.write('doc', `${String(content)}\nof alice`, { version: 2 })
    expect(mine).toMatchObject({ outcome: 'written' })
    const theirs = await core.write('doc', `${String(content)}\nof alice\nof bob`, { version: 3 }, BOB)
    expect(theirs).toMatchObject({ outcome: 'written', head: { version: 4 } })
    await settler.close()
    expect(await openLines()).toHaveLength(CONFLICTS)
  })
})
