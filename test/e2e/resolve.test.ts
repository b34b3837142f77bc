import * as Y from 'yjs'
import { describe, expect, it } from 'vitest'
import { parseDocumentId, toVersion } from '../../server/foundation/ids.ts'
import { expectStatus, read, stage, startConflictServer, type Scene } from '../support/conflicts.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(startConflictServer)

const LINES = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight']
/** The lines with some of them replaced, counted from 1. */
const text = (changes: Record<number, string> = {}): string => LINES.map((line, i) => changes[i + 1] ?? line).join('\n')
const MEMBERS = { l1: 1, l2: 2, l3: 3, l4: { in: 4 }, l5: 5, l6: 6, l7: 7, l8: 8 }
const json = (changes: Record<number, unknown> = {}): object => ({
  ...MEMBERS,
  ...Object.fromEntries(Object.entries(changes).map(([n, value]) => [`l${n}`, value])),
})

/** Bob changed 2; alice changed 2 and 6. The overlap is at 2. */
const OVERLAPPING = { base: {}, current: { 2: 'bob' }, incoming: { 2: 'alice', 6: 'alice' } }
/** Alice changed 6 only: both sides merge cleanly. */
const CLEAN = { base: {}, current: { 2: 'bob' }, incoming: { 6: 'alice' } }

/** One way to resolve, what it makes of the document, and which place it is about. */
interface Way {
  readonly use: string
  readonly sides: typeof OVERLAPPING | typeof CLEAN
  readonly becomes: Record<number, string>
  readonly place: number
  readonly body: (make: (changes: Record<number, string>) => unknown, overlap: string) => object
}
const WAYS: readonly Way[] = [
  { use: 'incoming', sides: OVERLAPPING, becomes: { 2: 'alice', 6: 'alice' }, place: 2, body: () => ({}) },
  { use: 'merged', sides: CLEAN, becomes: { 2: 'bob', 6: 'alice' }, place: 6, body: () => ({}) },
  {
    use: 'content',
    sides: OVERLAPPING,
    becomes: { 2: 'rita', 4: 'rita' },
    place: 4,
    body: (make) => ({ content: make({ 2: 'rita', 4: 'rita' }) }),
  },
  {
    use: 'choices',
    sides: OVERLAPPING,
    becomes: { 2: 'alice', 6: 'alice' },
    place: 2,
    body: (_, overlap) => ({ choices: { [overlap]: 'incoming' } }),
  },
]
const KINDS = [
  ['text', text],
  ['json', json],
] as const
const CASES = KINDS.flatMap(([kind, make]) => WAYS.map((way) => ({ kind, make, ...way })))

const stageLines = (make: (changes: Record<number, string>) => unknown, sides: Way['sides']): Promise<Scene> =>
  stage(server, { base: make(sides.base), current: make(sides.current), incoming: make(sides.incoming) })

const bodyOf = (scene: Scene, { use, make, body }: (typeof CASES)[number]): object => ({
  conflictId: scene.conflict.id,
  baseVersion: 2,
  use,
  ...body(make, scene.conflict.overlaps[0]?.id ?? ''),
})

describe.each(CASES)('a resolution of a $kind document by `$use`', (way) => {
  const { use, make, sides, becomes, place } = way

  it('[RES-2] where the document did not move is one new version by the resolver', async () => {
    const scene = await stageLines(make, sides)
    const { id, rita } = scene
    const { body } = expectStatus(
      await rita.post('/resolve-conflict', { ...bodyOf(scene, way), comment: 'so be it' }),
      200,
    )
    expect(await read(rita, id)).toEqual({ content: make(becomes), version: 3 })
    const document = (await rita.get(`/documents/${id}`)).body
    expect(body.document).toEqual({ id, version: 3, etag: document.etag })
    expect(document.updatedBy).toBe('rita')
    const resolution = { use, by: 'rita', at: document.updatedAt, version: 3, comment: 'so be it' }
    const closed = {
      status: 'resolved',
      closedBy: 'rita',
      closedAt: document.updatedAt,
      closedComment: 'so be it',
      resolution,
    }
    expect(body.conflict).toEqual({ ...scene.conflict, ...closed })
    expect((await rita.get(`/conflicts/${scene.conflict.id}`)).body).toEqual(body.conflict)
    const [entry] = await server.storage.effects(parseDocumentId(id) ?? expect.fail(), toVersion(2), toVersion(3), 1)
    expect(entry).toMatchObject({ origin: 'resolution', author: 'rita' })
  })

  it('[RES-4] where the document moved elsewhere is merged with that', async () => {
    const scene = await stageLines(make, sides)
    const moved = { content: make({ ...sides.current, 8: 'later' }), baseVersion: 2 }
    expectStatus(await scene.bob.put(`/documents/${scene.id}`, moved), 200)
    const { body } = expectStatus(await scene.rita.post('/resolve-conflict', bodyOf(scene, way)), 200)
    expect(await read(scene.rita, scene.id)).toEqual({ content: make({ ...becomes, 8: 'later' }), version: 4 })
    expect(body.conflict.resolution).toMatchObject({ use, version: 4 })
  })

  it('[RES-4] where the document moved in the same place is 409 with the same conflict refreshed, still open', async () => {
    const scene = await stageLines(make, sides)
    const { id, conflict, bob, rita } = scene
    const content = make({ ...sides.current, [place]: 'later' })
    expectStatus(await bob.put(`/documents/${id}`, { content, baseVersion: 2 }), 200)
    const events = await server.eventsOf(id)
    const refused = expectStatus(await rita.post('/resolve-conflict', bodyOf(scene, way)), 409)
    expect(refused.body).toMatchObject({
      code: 'version-conflict',
      conflict: { id: conflict.id, status: 'open', resolution: null },
    })
    expect(refused.body.conflict.current).toMatchObject({ version: 3, content })
    expect(refused.body.conflict.intervening).toMatchObject([{ version: 2 }, { version: 3 }])
    expect(refused.body.conflict.detectedAt).toBe(conflict.detectedAt)
    expect(refused.headers.get('link')).toBe(`</conflicts/${conflict.id}>; rel="conflict"`)
    expect(refused.headers.get('etag')).toBe((await rita.get(`/documents/${id}`)).headers.get('etag'))
    expect(await read(rita, id)).toEqual({ content, version: 3 })
    expect((await rita.get(`/conflicts/${conflict.id}`)).body).toEqual(refused.body.conflict)
    expect(await server.eventsOf(id)).toEqual(events)
    const minimal = await rita.post('/resolve-conflict', bodyOf(scene, way), { prefer: 'return=minimal' })
    expect(expectStatus(minimal, 409).body.conflict.current).not.toHaveProperty('content')
    // Whoever looks again can resolve it.
    expectStatus(
      await rita.post('/resolve-conflict', { conflictId: conflict.id, baseVersion: 3, use: 'incoming' }),
      200,
    )
    expect(await read(rita, id)).toEqual({ content: make(sides.incoming), version: 4 })
  })
})

describe.each(KINDS)('a resolution of a %s document', (_, make) => {
  const stageOverlap = (): Promise<Scene> => stageLines(make, OVERLAPPING)

  it('[RES-2] by `current` writes no version; `resolution.version` is the current one', async () => {
    const { id, conflict, rita } = await stageOverlap()
    const body = { conflictId: conflict.id, baseVersion: 2, use: 'current' }
    const answer = expectStatus(await rita.post('/resolve-conflict', body), 200).body
    expect(answer.document.version).toBe(2)
    expect(answer.conflict).toMatchObject({
      status: 'resolved',
      resolution: { use: 'current', version: 2, by: 'rita' },
    })
    expect(await read(rita, id)).toEqual({ content: make(OVERLAPPING.current), version: 2 })
  })

  it('[RES-4] by `current` keeps whatever others wrote since, also in the same place', async () => {
    const { id, conflict, rita, bob } = await stageOverlap()
    const content = make({ 2: 'later', 7: 'later' })
    expectStatus(await bob.put(`/documents/${id}`, { content, baseVersion: 2 }), 200)
    const body = { conflictId: conflict.id, baseVersion: 2, use: 'current' }
    expect(expectStatus(await rita.post('/resolve-conflict', body), 200).body.conflict.resolution.version).toBe(3)
    expect(await read(rita, id)).toEqual({ content, version: 3 })
  })

  it('[RES-1] `merged` is computed from what stands at baseVersion, never taken from a stored result', async () => {
    const { id, conflict, rita, bob } = await stageOverlap()
    // Bob takes his change back: what overlapped when the conflict was found no longer does.
    expectStatus(await bob.put(`/documents/${id}`, { content: make({ 8: 'bob' }), baseVersion: 2 }), 200)
    const body = { conflictId: conflict.id, use: 'merged' }
    expectStatus(await rita.post('/resolve-conflict', { ...body, baseVersion: 2 }), 422)
    expectStatus(await rita.post('/resolve-conflict', { ...body, baseVersion: 3 }), 200)
    expect(await read(rita, id)).toEqual({ content: make({ 2: 'alice', 6: 'alice', 8: 'bob' }), version: 4 })
  })

  it('[RES-5] `merged` that is not clean is 422 and names each overlap', async () => {
    const { id, conflict, rita } = await stageOverlap()
    const refused = await rita.post('/resolve-conflict', { conflictId: conflict.id, baseVersion: 2, use: 'merged' })
    expect([refused.status, refused.body.code]).toEqual([422, 'invalid-resolution'])
    expect(refused.body.errors).toEqual([{ overlap: conflict.overlaps[0].id, message: expect.any(String) }])
    expect((await rita.get(`/conflicts/${conflict.id}`)).body).toEqual(conflict)
    expect((await read(rita, id)).version).toBe(2)
  })

  it('[RES-1] a baseVersion the document never had is 409 unknown-base, and says what is current', async () => {
    const { conflict, rita } = await stageOverlap()
    for (const baseVersion of [0, 3, Number.MAX_SAFE_INTEGER]) {
      const refused = await rita.post('/resolve-conflict', { conflictId: conflict.id, baseVersion, use: 'current' })
      expect([refused.status, refused.body.code, refused.body.current]).toEqual([409, 'unknown-base', 2])
    }
    expect((await rita.get(`/conflicts/${conflict.id}`)).body.status).toBe('open')
  })

  it('[CONF-3] is written as the smallest change: a cursor in an untouched place stays where it is', async () => {
    const { id, conflict, rita } = await stageOverlap()
    const doc = new Y.Doc()
    const entries = async (after: number, upTo: number) =>
      server.storage.entries(parseDocumentId(id) ?? expect.fail(), toVersion(after), toVersion(upTo), 10)
    for (const entry of await entries(0, 2)) Y.applyUpdate(doc, entry.update)
    const root = make === text ? doc.getText('content') : doc.getMap('content')
    const nested = root instanceof Y.Map ? root.get('l4') : null
    const cursor =
      root instanceof Y.Text ? Y.createRelativePositionFromTypeIndex(root, root.toString().indexOf('five') + 2) : null
    const choices = {
      [conflict.overlaps[0].id]: make === text ? { text: 'something\nmuch longer' } : { value: 'rita' },
    }
    expectStatus(
      await rita.post('/resolve-conflict', { conflictId: conflict.id, baseVersion: 2, use: 'choices', choices }),
      200,
    )
    for (const entry of await entries(2, 3)) Y.applyUpdate(doc, entry.update)
    if (root instanceof Y.Map) expect(root.get('l4')).toBe(nested)
    else {
      const place = cursor && Y.createAbsolutePositionFromRelativePosition(cursor, doc)
      expect(root.toString().slice(place?.index).startsWith('ve\nalice')).toBe(true)
    }
  })
})

describe('closed conflicts', () => {
  it('[RES-6] whatever closed it, a conflict cannot be decided again: 409 with the conflict', async () => {
    const sides = { base: 'a', current: 'b', incoming: 'c' }
    const endings: ((scene: Scene) => Promise<unknown>)[] = [
      ({ rita, conflict }) =>
        rita.post('/resolve-conflict', { conflictId: conflict.id, baseVersion: 2, use: 'incoming' }),
      ({ rita, conflict }) => rita.post('/resolve-conflict', { conflictId: conflict.id, dismiss: true }),
      ({ alice, id }) => alice.put(`/documents/${id}`, { content: 'alice again', baseVersion: 2 }),
      ({ alice, id }) => alice.put(`/documents/${id}`, { content: 'c', baseVersion: 1, onConflict: 'current-wins' }),
    ]
    for (const [n, end] of endings.entries()) {
      const scene = await stage(server, sides)
      const { conflict, rita, will } = scene
      await end(scene)
      const shown = (await rita.get(`/conflicts/${conflict.id}`)).body
      expect(shown.status).toBe(['resolved', 'dismissed', 'superseded', 'resolved'][n])
      const before = await server.eventsOf(scene.id)
      const prp = 'prp_00000000000000000000000000'
      for (const ask of [{ use: 'incoming', baseVersion: 2 }, { dismiss: true }, { accept: prp }, { reject: prp }]) {
        const refused = await rita.post('/resolve-conflict', { conflictId: conflict.id, ...ask })
        expect([refused.status, refused.body.code]).toEqual([409, 'conflict-closed'])
        expect(refused.body.conflict).toEqual(shown)
      }
      const minimal = { conflictId: conflict.id, use: 'current', baseVersion: 2 }
      const refused = await will.post('/resolve-conflict', minimal, { prefer: 'return=minimal' })
      expect(refused.status).toBe(409)
      expect(refused.body.conflict.base).not.toHaveProperty('content')
      expect(await server.eventsOf(scene.id)).toEqual(before)
    }
  })
})
