import fc from 'fast-check'
import * as Y from 'yjs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Content } from '../../server/content/content.ts'
import { contentAt } from '../../server/documents/past.ts'
import { parseDocumentId, toVersion, type DocumentId } from '../../server/foundation/ids.ts'
import { startConflictServer, type ConflictServer } from '../support/conflicts.ts'
import { Draws, RandomEdits } from '../support/randomEdits.ts'
import type { Caller } from '../support/server.ts'
import { AnotherOrder, expectedMerge, nameOf, sorted, touchesOverlap, type Side } from '../support/threeWay.ts'

const RUNS = 30
const ACTS = 14
const NUMBERS_PER_ACT = 16
const POLICIES = ['manual', 'merge', 'incoming-wins', 'current-wins'] as const
const USES = ['current', 'incoming', 'merged', 'content', 'choices'] as const

let server: ConflictServer
let people: readonly (readonly [string, Caller])[]
beforeAll(async () => {
  server = await startConflictServer()
  people = await Promise.all(['ann', 'ben', 'cy'].map(async (sub) => [sub, await server.as(sub)] as const))
})
afterAll(() => server.stop())

/** What the document and its conflicts must be, worked out beside the server. */
interface Model {
  readonly id: string
  readonly policy: (typeof POLICIES)[number]
  readonly contents: Map<number, Content>
  version: number
  readonly open: Map<string, { readonly by: string; readonly baseVersion: number; readonly incoming: Content }>
  readonly closed: Map<string, string>
  readonly events: string[]
}

const equal = (a: Content, b: Content): boolean => sorted(a) === sorted(b)
const current = (model: Model): Content => contentOf(model, model.version)
function contentOf(model: Model, version: number): Content {
  const content = model.contents.get(version)
  if (content === undefined) throw new Error(`the model has no version ${version}`)
  return content
}

/** A new version by `by`; closes what it settles (WRITE-7), except for `but`. */
function advance(model: Model, by: string, content: Content, but: string | null = null): void {
  const before = current(model)
  if (equal(before, content)) return
  for (const [id, conflict] of model.open) {
    if (conflict.by !== by || id === but) continue
    const base = contentOf(model, conflict.baseVersion)
    const rest = expectedMerge(base, content, conflict.incoming)
    const settled = rest.overlaps.length === 0 && equal(rest.content, content)
    if (settled || touchesOverlap(base, before, conflict.incoming, content)) close(model, id, 'superseded')
  }
  model.version += 1
  model.contents.set(model.version, content)
}

function close(model: Model, id: string, status: string): void {
  model.open.delete(id)
  model.closed.set(id, status)
  model.events.push(`conflict.${status} ${id}`)
}

describe('any sequence of writes and resolutions', () => {
  it('[WRITE-5] [WRITE-6] [WRITE-7] [CONF-2] [CONF-3] [RES-4] is answered as the plain three-way rules say', async () => {
    const numbers = fc.array(fc.nat(10_000), { minLength: NUMBERS_PER_ACT * ACTS, maxLength: NUMBERS_PER_ACT * ACTS })
    await fc.assert(
      fc.asyncProperty(numbers, (drawn) => runActs(drawn).catch(skipAnotherOrder)),
      { numRuns: RUNS, endOnFailure: true },
    )
  })
})

function skipAnotherOrder(error: unknown): void {
  if (!(error instanceof AnotherOrder)) throw error
  fc.pre(false)
}

async function runActs(numbers: readonly number[]): Promise<void> {
  const draws = new Draws(numbers)
  const kind = draws.oneOf(['text', 'json'] as const)
  const policy = draws.oneOf(POLICIES)
  const edits = new RandomEdits(draws)
  const content = edits.start(kind)
  const model: Model = {
    id: server.newId(),
    policy,
    contents: new Map([[1, content]]),
    version: 1,
    open: new Map(),
    closed: new Map(),
    events: ['document.created'],
  }
  const [, ann] = people[0] ?? expect.fail()
  expect((await ann.post('/documents', { id: model.id, kind, content, conflictPolicy: policy })).status).toBe(201)
  for (let act = 0; act < ACTS; act++) {
    const [sub, caller] = draws.oneOf(people)
    if (model.open.size > 0 && draws.below(4) === 0) await resolve(model, draws, edits, sub, caller)
    else await write(model, draws, edits, sub, caller)
    const { body } = await caller.get(`/documents/${model.id}`)
    expect({ version: body.version, content: body.content }).toEqual({
      version: model.version,
      content: current(model),
    })
  }
  await checkConflicts(model, ann)
  await checkLog(model, kind)
}

async function write(model: Model, draws: Draws, edits: RandomEdits, sub: string, caller: Caller): Promise<void> {
  const baseVersion = draws.below(3) === 0 ? model.version : Math.max(1, model.version - draws.below(5))
  const repeated = [...model.open.values()].find((open) => open.by === sub && draws.below(4) === 0)
  const [from, incoming] = repeated
    ? [repeated.baseVersion, repeated.incoming]
    : [baseVersion, edits.edit(contentOf(model, baseVersion))]
  const onConflict = draws.below(2) === 0 ? draws.oneOf(POLICIES) : undefined
  const strict = draws.below(4) === 0
  const answer = strict
    ? await caller.put(
        `/documents/${model.id}`,
        { content: incoming },
        { 'if-match': `"${await tagOf(caller, model.id, from)}"` },
      )
    : await caller.put(`/documents/${model.id}`, {
        content: incoming,
        baseVersion: from,
        ...(onConflict ? { onConflict } : {}),
      })
  const { status, body } = answer
  const base = contentOf(model, from)
  const before = current(model)
  const merged = expectedMerge(base, before, incoming)
  const policy = onConflict ?? model.policy
  if (equal(incoming, before)) {
    expect([status, body.outcome, body.version]).toEqual([200, 'unchanged', model.version])
  } else if (from === model.version || (!strict && equal(base, before))) {
    advance(model, sub, incoming)
    expect([status, body.outcome, body.version]).toEqual([200, 'written', model.version])
  } else if (strict && equal(base, before)) {
    expect([status, body.code, body.contentUnchanged, body.conflict]).toEqual([
      409,
      'version-conflict',
      true,
      undefined,
    ])
  } else if (!strict && policy === 'merge' && merged.overlaps.length === 0) {
    advance(model, sub, merged.content)
    expect([status, body.outcome, body.version]).toEqual([200, 'merged', model.version])
    expect(body.content).toEqual(merged.content)
  } else if (!strict && policy === 'incoming-wins') {
    expect([status, body.outcome, body.version]).toEqual([200, 'overwrote', model.version + 1])
    opened(model, sub, from, incoming, body.conflictId)
    close(model, body.conflictId, 'resolved')
    advance(model, sub, incoming)
  } else {
    expect([status, body.code]).toEqual([409, 'version-conflict'])
    opened(model, sub, from, incoming, body.conflict.id)
    const lost = !strict && policy === 'current-wins'
    if (lost) close(model, body.conflict.id, 'resolved')
    expect(body.conflict).toMatchObject({
      status: lost ? 'resolved' : 'open',
      document: { id: model.id },
      truncated: false,
    })
    expect(shownSides(body.conflict)).toEqual({
      base: [from, base],
      current: [model.version, before],
      incoming: [null, incoming],
      merged: [merged.overlaps.length === 0, merged.content],
      overlaps: merged.overlaps,
    })
  }
}

/** The same content on the same base by the same principal is the same conflict, told of once. */
function opened(model: Model, by: string, baseVersion: number, incoming: Content, id: string): void {
  const known = [...model.open].find(
    ([, open]) => open.by === by && open.baseVersion === baseVersion && equal(open.incoming, incoming),
  )
  if (known) expect(id).toBe(known[0])
  else {
    expect(model.open.has(id) || model.closed.has(id)).toBe(false)
    model.open.set(id, { by, baseVersion, incoming })
    model.events.push(`conflict.detected ${id}`)
  }
}

// oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers freely
function shownSides({ base, current: now, incoming, merged, overlaps }: any) {
  return {
    base: [base.version, base.content],
    current: [now.version, now.content],
    incoming: [incoming.version, incoming.content],
    merged: [merged.clean, merged.content],
    overlaps: overlaps.map(
      ({ lines, pointer }: { pointer?: string; lines?: { base: { start: number; end: number } } }) =>
        lines ? nameOf({ start: lines.base.start - 1, end: lines.base.end - 1 }) : pointer,
    ),
  }
}

async function resolve(model: Model, draws: Draws, edits: RandomEdits, sub: string, caller: Caller): Promise<void> {
  const [id, open] = draws.oneOf([...model.open])
  const lookedAt = Math.max(1, model.version - draws.below(3))
  const seen = contentOf(model, lookedAt)
  const base = contentOf(model, open.baseVersion)
  const use = draws.oneOf(USES)
  const overlaps = expectedMerge(base, seen, open.incoming).overlaps
  const picks = overlaps.map(() => draws.oneOf(['base', 'current', 'incoming'] as const))
  const own = use === 'content' ? edits.edit(seen) : undefined
  const answer = await caller.post('/resolve-conflict', {
    conflictId: id,
    baseVersion: lookedAt,
    use,
    ...(own === undefined ? {} : { content: own }),
    ...(use === 'choices' ? { choices: Object.fromEntries(overlaps.map((name, n) => [idOf(name), picks[n]])) } : {}),
  })
  const target = {
    current: seen,
    incoming: open.incoming,
    merged: overlaps.length === 0 ? expectedMerge(base, seen, open.incoming).content : null,
    content: own ?? seen,
    choices: expectedMerge(base, seen, open.incoming, (n): Side => picks[n] ?? 'current').content,
  }[use]
  if (target === null) {
    expect([answer.status, answer.body.code]).toEqual([422, 'invalid-resolution'])
    expect(answer.body.errors.map((error: { overlap: string }) => error.overlap)).toEqual(overlaps.map(idOf))
    return
  }
  const written = expectedMerge(seen, current(model), target)
  if (written.overlaps.length > 0) {
    expect([answer.status, answer.body.code, answer.body.conflict.id]).toEqual([409, 'version-conflict', id])
    expect(answer.body.conflict).toMatchObject({ status: 'open', current: { version: model.version } })
    return
  }
  expect(answer.status, JSON.stringify(answer.body)).toBe(200)
  close(model, id, 'resolved')
  advance(model, sub, written.content, id)
  expect(answer.body.document).toMatchObject({ id: model.id, version: model.version })
  expect(answer.body.conflict).toMatchObject({
    id,
    status: 'resolved',
    resolution: { use, by: sub, version: model.version },
  })
}

const idOf = (overlap: string): string => (/^[0-9]/.test(overlap) ? `L${overlap}` : `P${overlap}`)

async function tagOf(caller: Caller, id: string, version: number): Promise<string> {
  const { body } = await caller.get(`/documents/${id}/versions/${version}`)
  return body.etag
}

async function checkConflicts(model: Model, caller: Caller): Promise<void> {
  const { body } = await caller.get(`/conflicts?document=${model.id}&limit=500`)
  const statuses = body.items.map((item: { id: string; status: string }) => [item.id, item.status])
  const expected = [...[...model.open.keys()].map((id) => [id, 'open']), ...model.closed]
  expect(new Map(statuses)).toEqual(new Map(expected as [string, string][]))
  const events = (await server.eventsOf(model.id)).map(([type, data]) =>
    type === 'document.created' ? type : `${type} ${String(data['conflict'])}`,
  )
  expect(events.toSorted()).toEqual(model.events.toSorted())
}

/** Every version reads as it was answered, from checkpoints and effects and from the Yjs updates alike. */
async function checkLog(model: Model, kind: 'text' | 'json'): Promise<void> {
  const id: DocumentId = parseDocumentId(model.id) ?? expect.fail()
  const replayed = new Y.Doc()
  const entries = await server.storage.entries(id, toVersion(0), toVersion(model.version), 1_000)
  expect(entries).toHaveLength(model.version)
  for (const entry of entries) {
    Y.applyUpdate(replayed, entry.update)
    const content = contentOf(model, entry.version)
    expect(await contentAt(server.storage, id, kind, entry.version)).toEqual(content)
    expect(kind === 'text' ? replayed.getText('content').toString() : replayed.getMap('content').toJSON()).toEqual(
      content,
    )
  }
}
