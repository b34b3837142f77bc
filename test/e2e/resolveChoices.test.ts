import { describe, expect, it } from 'vitest'
import { expectStatus, read, stage, startConflictServer, type Scene } from '../support/conflicts.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(startConflictServer)

const TEXT = {
  base: 'a\nb\nc\nd\ne\nf',
  current: 'a\nB\nc\nD1\nD2\ne\nf',
  incoming: 'a\nbb\nc\ndd\ne\nF',
}
const JSON_SIDES = {
  base: { a: 1, b: { c: 1, d: 1 }, e: 'old', f: 1 },
  current: { a: 2, b: { c: 2, d: 1 }, f: 1 },
  incoming: { a: 3, b: { c: 3, d: 3 }, e: 'new', f: 1 },
}

const choose = (scene: Scene, choices: object, baseVersion = 2) =>
  scene.rita.post('/resolve-conflict', { conflictId: scene.conflict.id, baseVersion, use: 'choices', choices })

/** The ids of the overlaps, by what they are about. */
const idsOf = (scene: Scene): Record<string, string> =>
  Object.fromEntries(
    scene.conflict.overlaps.map((overlap: { id: string; base: unknown; pointer?: string }) => [
      overlap.pointer ?? overlap.base,
      overlap.id,
    ]),
  )

describe('choices', () => {
  it('[RES-1] take a side for each overlap of a text; what does not overlap is in any case', async () => {
    for (const [b, d, content] of [
      ['base', 'base', 'a\nb\nc\nd\ne\nF'],
      ['current', 'incoming', 'a\nB\nc\ndd\ne\nF'],
      ['incoming', 'current', 'a\nbb\nc\nD1\nD2\ne\nF'],
      [{ text: 'x\ny' }, { text: '' }, 'a\nx\ny\nc\ne\nF'],
    ] as const) {
      const scene = await stage(server, TEXT)
      const ids = idsOf(scene)
      expect(Object.keys(ids)).toEqual(['b', 'd'])
      const answer = await choose(scene, { [ids['b'] ?? '']: b, [ids['d'] ?? '']: d })
      expect(expectStatus(answer, 200).body.conflict.resolution.use).toBe('choices')
      expect(await read(scene.rita, scene.id)).toEqual({ content, version: 3 })
    }
  })

  it('[RES-1] take a side or any value for each overlap of a json document; absent and null are values of their own', async () => {
    for (const [choice, value] of [
      ['base', { e: 'old' }],
      ['current', {}],
      ['incoming', { e: 'new' }],
      [{ value: null }, { e: null }],
      [{ value: { deep: ['x', { y: 1 }] } }, { e: { deep: ['x', { y: 1 }] } }],
      [{ value: '' }, { e: '' }],
    ] as const) {
      const scene = await stage(server, JSON_SIDES)
      const ids = idsOf(scene)
      expect(Object.keys(ids)).toEqual(['/a', '/b/c', '/e'])
      const choices = { [ids['/a'] ?? '']: 'incoming', [ids['/b/c'] ?? '']: 'base', [ids['/e'] ?? '']: choice }
      expectStatus(await choose(scene, choices), 200)
      expect(await read(scene.rita, scene.id)).toEqual({
        content: { a: 3, b: { c: 1, d: 3 }, f: 1, ...value },
        version: 3,
      })
    }
  })

  it('[RES-5] that are missing, unknown or of the wrong form are 422, each named, and nothing is written', async () => {
    for (const [sides, wrong] of [
      [TEXT, { value: 'x' }],
      [JSON_SIDES, { text: 'x' }],
    ] as const) {
      const scene = await stage(server, sides)
      const [first = '', second = ''] = Object.values(idsOf(scene))
      const others = Object.fromEntries(
        Object.values(idsOf(scene))
          .slice(2)
          .map((id) => [id, 'base']),
      )
      for (const [choices, named] of [
        [{ ...others }, [first, second]],
        [{ ...others, [first]: 'base' }, [second]],
        [{ ...others, [first]: 'base', [second]: 'base', nonsense: 'base' }, ['nonsense']],
        [{ ...others, [first]: 'base', constructor: 'base', toString: 'base' }, [second, 'constructor', 'toString']],
        [{ ...others, [first]: wrong, [second]: 'current' }, [first]],
      ] as const) {
        const refused = await choose(scene, choices)
        expect([refused.status, refused.body.code]).toEqual([422, 'invalid-resolution'])
        const errors: { overlap: string; message: string }[] = refused.body.errors
        expect(errors.map((error) => error.overlap).toSorted()).toEqual([...named].toSorted())
        for (const error of errors) expect(error.message).toMatch(/\S/)
      }
      expect((await scene.rita.get(`/conflicts/${scene.conflict.id}`)).body).toEqual(scene.conflict)
      expect(await read(scene.rita, scene.id)).toEqual({ content: sides.current, version: 2 })
    }
  })

  it('[RES-1] are read against the content at baseVersion', async () => {
    const scene = await stage(server, JSON_SIDES)
    const ids = idsOf(scene)
    // Bob changes f and takes his change of a back: at version 3 there is no overlap at /a any more.
    const content = { a: 1, b: { c: 2, d: 1 }, f: 9 }
    expectStatus(await scene.bob.put(`/documents/${scene.id}`, { content, baseVersion: 2 }), 200)
    const rest = { [ids['/b/c'] ?? '']: 'incoming', [ids['/e'] ?? '']: 'base' }
    const refused = await choose(scene, { ...rest, [ids['/a'] ?? '']: 'incoming' }, 3)
    expect(refused.body.errors.map((error: { overlap: string }) => error.overlap)).toEqual([ids['/a']])
    expectStatus(await choose(scene, rest, 3), 200)
    expect((await read(scene.rita, scene.id)).content).toEqual({ a: 3, b: { c: 3, d: 3 }, e: 'old', f: 9 })
  })

  it('[RES-2] that change nothing write no version', async () => {
    const scene = await stage(server, { base: { a: 1 }, current: { a: 2 }, incoming: { a: 3 } })
    const { body } = expectStatus(await choose(scene, { [scene.conflict.overlaps[0].id]: { value: 2 } }), 200)
    expect(body.conflict.resolution.version).toBe(2)
    expect((await read(scene.rita, scene.id)).version).toBe(2)
  })
})

describe('content that cannot stand', () => {
  const schema = { type: 'object', properties: { a: { type: 'integer', maximum: 5 } }, required: ['a'] }

  it('[RES-5] [WRITE-9] breaking the schema is 422 with every violation, and nothing is written', async () => {
    const incoming = { a: 'no', b: 1 }
    const scene = await stage(server, { base: { a: 1 }, current: { a: 2 }, incoming }, { schema })
    const { id, conflict, rita, will } = scene
    const overlap = conflict.overlaps[0].id
    const ways = [
      { use: 'incoming' },
      { use: 'content', content: { a: 9 } },
      { use: 'content', content: {} },
      { use: 'choices', choices: { [overlap]: 'incoming' } },
      { use: 'choices', choices: { [overlap]: { value: 6 } } },
    ]
    for (const way of ways) {
      for (const caller of [rita, will]) {
        const refused = await caller.post('/resolve-conflict', { conflictId: conflict.id, baseVersion: 2, ...way })
        expect([refused.status, refused.body.code]).toEqual([422, 'schema-violation'])
        expect(refused.body.violations).toEqual([{ pointer: expect.any(String), message: expect.any(String) }])
      }
    }
    expect((await rita.get(`/conflicts/${conflict.id}`)).body).toEqual(conflict)
    expect((await read(rita, id)).version).toBe(2)
    const fine = { conflictId: conflict.id, baseVersion: 2, use: 'choices', choices: { [overlap]: { value: 5 } } }
    expectStatus(await rita.post('/resolve-conflict', fine), 200)
    expect((await read(rita, id)).content).toEqual({ a: 5, b: 1 })
  })

  it('[RES-5] breaking it only together with what came since is 422 too', async () => {
    const either = { type: 'object', not: { required: ['x', 'y'] } }
    const scene = await stage(server, { base: { a: 1 }, current: { a: 2 }, incoming: { a: 3 } }, { schema: either })
    expectStatus(await scene.bob.put(`/documents/${scene.id}`, { content: { a: 2, x: 1 }, baseVersion: 2 }), 200)
    const body = { conflictId: scene.conflict.id, baseVersion: 2, use: 'content', content: { a: 4, y: 1 } }
    for (const caller of [scene.rita, scene.will]) {
      expect((await caller.post('/resolve-conflict', body)).body.code).toBe('schema-violation')
    }
    expect((await read(scene.rita, scene.id)).version).toBe(3)
  })

  it('[RES-5] of the other kind is 422 kind-mismatch', async () => {
    for (const [sides, content] of [
      [TEXT, { a: 1 }],
      [JSON_SIDES, 'text'],
    ] as const) {
      const { conflict, rita, will } = await stage(server, sides)
      const body = { conflictId: conflict.id, baseVersion: 2, use: 'content', content }
      for (const caller of [rita, will]) {
        const refused = await caller.post('/resolve-conflict', body)
        expect([refused.status, refused.body.code]).toEqual([422, 'kind-mismatch'])
      }
    }
  })
})
