import { describe, expect, it } from 'vitest'
import { expectStatus, read, stage, startConflictServer, type Scene } from '../support/conflicts.ts'
import type { Caller } from '../support/server.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(startConflictServer)

/** Bob changed b, alice wanted b and e changed. */
const TEXT = { base: 'a\nb\nc\nd\ne', current: 'a\nB\nc\nd\ne', incoming: 'a\nbb\nc\nd\nee' }

const put = async (by: Caller, scene: Scene, content: unknown, more: object = {}) => {
  const { version } = await read(by, scene.id)
  return by.put(`/documents/${scene.id}`, { content, baseVersion: version, ...more })
}
const statusOf = async (scene: Scene): Promise<string> =>
  (await scene.rita.get(`/conflicts/${scene.conflict.id}`)).body.status
const typesOf = async (scene: Scene): Promise<string[]> => (await server.eventsOf(scene.id)).map(([type]) => type)

describe('the same write again', () => {
  it('[WRITE-7] is the same conflict, seen from the newer current, and nobody is told twice', async () => {
    const scene = await stage(server, TEXT)
    const { id, alice, bob, conflict } = scene
    expectStatus(await put(bob, scene, 'a\nB\nc\nd\nE'), 200)
    for (const onConflict of [undefined, 'manual', 'merge']) {
      const write = { content: TEXT.incoming, baseVersion: 1, ...(onConflict ? { onConflict } : {}) }
      const again = expectStatus(await alice.put(`/documents/${id}`, write), 409).body.conflict
      expect(again).toMatchObject({ id: conflict.id, detectedAt: conflict.detectedAt, status: 'open' })
      expect(again.current).toMatchObject({ version: 3, content: 'a\nB\nc\nd\nE' })
      expect(again.overlaps).toHaveLength(2)
      expect((await alice.get(`/conflicts/${conflict.id}`)).body).toEqual(again)
    }
    expect(await typesOf(scene)).toEqual(['document.created', 'conflict.detected'])
  })

  it('[WRITE-7] under If-Match or as a patch is the same conflict too; json equality ignores member order', async () => {
    const scene = await stage(server, { base: { a: 1, b: 1 }, current: { a: 2, b: 1 }, incoming: { a: 3, b: 1 } })
    const { id, alice, conflict } = scene
    const tag = `"${conflict.base.etag}"`
    const answers = [
      await alice.put(`/documents/${id}`, { content: { b: 1, a: 3 } }, { 'if-match': tag }),
      await alice.put(`/documents/${id}/content`, { b: 1, a: 3 }, { 'if-match': tag }),
      await alice.put(`/documents/${id}/content?baseVersion=1`, { b: 1, a: 3 }),
    ]
    for (const answer of answers) expect(expectStatus(answer, 409).body.conflict.id).toBe(conflict.id)
  })

  it('[WRITE-7] other content, another base or another principal is another conflict', async () => {
    const scene = await stage(server, TEXT)
    const { id, alice, bob, conflict } = scene
    expectStatus(await put(bob, scene, 'a\nBB\nc\nd\ne'), 200)
    const answers = [
      await alice.put(`/documents/${id}`, { content: `${TEXT.incoming}!`, baseVersion: 1 }),
      await alice.put(`/documents/${id}`, { content: TEXT.incoming, baseVersion: 2 }),
      await bob.put(`/documents/${id}`, { content: TEXT.incoming, baseVersion: 1 }),
    ]
    const ids = answers.map((answer) => expectStatus(answer, 409).body.conflict.id)
    expect(new Set([conflict.id, ...ids]).size).toBe(4)
  })

  it('[WRITE-7] [WRITE-6] with another onConflict decides the open conflict', async () => {
    for (const [onConflict, status, use, version] of [
      ['incoming-wins', 200, 'incoming', 3],
      ['current-wins', 409, 'current', 2],
    ] as const) {
      const scene = await stage(server, TEXT)
      const write = { content: TEXT.incoming, baseVersion: 1, onConflict }
      const { body } = expectStatus(await scene.alice.put(`/documents/${scene.id}`, write), status)
      expect(body.conflictId ?? body.conflict.id).toBe(scene.conflict.id)
      const shown = (await scene.rita.get(`/conflicts/${scene.conflict.id}`)).body
      expect(shown).toMatchObject({ status: 'resolved', resolution: { use, by: 'alice', version } })
      expect(await typesOf(scene)).toEqual(['document.created', 'conflict.detected', 'conflict.resolved'])
    }
  })

  it('[WRITE-7] after the conflict was closed opens a new one', async () => {
    const scene = await stage(server, TEXT)
    expectStatus(
      await scene.rita.post('/resolve-conflict', { conflictId: scene.conflict.id, baseVersion: 2, use: 'current' }),
      200,
    )
    const again = await scene.alice.put(`/documents/${scene.id}`, { content: TEXT.incoming, baseVersion: 1 })
    expect(expectStatus(again, 409).body.conflict.id).not.toBe(scene.conflict.id)
  })
})

describe('a later write of the same principal', () => {
  it('[WRITE-7] that touches an overlap supersedes the conflict', async () => {
    const scene = await stage(server, TEXT)
    expectStatus(await put(scene.alice, scene, 'a\nalice again\nc\nd\ne'), 200)
    const { body } = await scene.rita.get(`/conflicts/${scene.conflict.id}`)
    expect(body).toMatchObject({ status: 'superseded', closedBy: 'alice', closedComment: null, resolution: null })
    expect(body.incoming.content).toBe(TEXT.incoming)
    expect(await typesOf(scene)).toEqual(['document.created', 'conflict.detected', 'conflict.superseded'])
  })

  it('[WRITE-7] that holds all of the incoming change supersedes it, though it touches no overlap', async () => {
    const scene = await stage(server, { base: 'a\nb\nc', current: 'A\nb\nc', incoming: 'a\nb\nC' })
    expect(scene.conflict.overlaps).toEqual([])
    expectStatus(await put(scene.alice, scene, 'A\nb\nC'), 200)
    expect(await statusOf(scene)).toBe('superseded')
  })

  it('[WRITE-7] elsewhere leaves it open, and so does any write of others', async () => {
    const scene = await stage(server, TEXT)
    expectStatus(await put(scene.alice, scene, 'a\nB\nc\nD\ne'), 200)
    expectStatus(await put(scene.bob, scene, 'a\nBBB\nc\nD\nee'), 200)
    expectStatus(await put(scene.bob, scene, TEXT.incoming), 200)
    expect(await statusOf(scene)).toBe('open')
    expect(await typesOf(scene)).toEqual(['document.created', 'conflict.detected'])
  })

  it('[WRITE-7] that changes nothing or is refused leaves it open', async () => {
    const scene = await stage(server, TEXT)
    expectStatus(await put(scene.alice, scene, TEXT.current), 200)
    expectStatus(await scene.alice.put(`/documents/${scene.id}`, { content: 'a\nother\nc\nd\ne', baseVersion: 1 }), 409)
    expect(await statusOf(scene)).toBe('open')
  })

  it('[WRITE-7] settles each of several conflicts by itself, also after a restart', async () => {
    const scene = await stage(server, TEXT)
    const send = (content: string) => scene.alice.put(`/documents/${scene.id}`, { content, baseVersion: 1 })
    expectStatus(await scene.bob.put(`/documents/${scene.id}`, { content: 'a\nB\nc\nd\nE', baseVersion: 2 }), 200)
    const atE = expectStatus(await send('a\nb\nc\nd\nee'), 409).body.conflict.id
    const atB = expectStatus(await send('a\nbb\nc\nd\ne'), 409).body.conflict.id
    await server.restart()
    expectStatus(await put(scene.alice, scene, 'a\nB\nc\nd\nalice'), 200)
    const statuses = new Map<string, string>()
    for (const item of (await scene.rita.get(`/conflicts?document=${scene.id}`)).body.items)
      statuses.set(item.id, item.status)
    expect(statuses.get(atE)).toBe('superseded')
    expect(statuses.get(atB)).toBe('open')
    // The first conflict wanted both places; at version 3 both overlap.
    expect(statuses.get(scene.conflict.id)).toBe('superseded')
  })

  it('[WRITE-7] a merge, an overwriting write and a resolution settle them as well', async () => {
    const acts: readonly ((scene: Scene) => Promise<unknown>)[] = [
      async ({ alice, id }) =>
        expectStatus(
          await alice.put(`/documents/${id}`, { content: 'a\nB2\nc\nd\ne', baseVersion: 2, onConflict: 'merge' }),
          200,
        ),
      async ({ alice, id }) =>
        expectStatus(
          await alice.put(`/documents/${id}`, {
            content: 'a\nmine\nc\nd\ne',
            baseVersion: 1,
            onConflict: 'incoming-wins',
          }),
          200,
        ),
      async (scene) => {
        const { id, bob, alice } = scene
        const other = expectStatus(
          await bob.put(`/documents/${id}`, { content: 'a\nbob\nc\nd\ne', baseVersion: 1 }),
          409,
        )
        const { version } = await read(alice, id)
        const body = { conflictId: other.body.conflict.id, baseVersion: version, use: 'incoming' }
        expectStatus(await alice.post('/resolve-conflict', body), 200)
      },
    ]
    for (const act of acts) {
      const scene = await stage(server, TEXT)
      expectStatus(await put(scene.bob, scene, 'a\nB\nc\nD\ne'), 200)
      await act(scene)
      const { body } = await scene.rita.get(`/conflicts/${scene.conflict.id}`)
      expect(body).toMatchObject({ status: 'superseded', closedBy: 'alice' })
    }
  })

  it('[WRITE-7] a resolution that changes nothing settles no other conflict', async () => {
    // What alice wanted is what base was: merging it would change nothing, whatever is written.
    const scene = await stage(server, { base: 'a\nb', current: 'a\nB', incoming: 'a\nb' })
    const { id, alice, bob } = scene
    const bobs = expectStatus(await bob.put(`/documents/${id}`, { content: 'a\nbob', baseVersion: 1 }), 409).body
      .conflict
    expectStatus(await alice.post('/resolve-conflict', { conflictId: bobs.id, baseVersion: 2, use: 'current' }), 200)
    expect(await statusOf(scene)).toBe('open')
    expectStatus(await put(alice, scene, 'A\nB'), 200)
    expect(await statusOf(scene)).toBe('superseded')
  })

  it('[WRITE-7] resolving a conflict closes that one only once, and leaves those of others open', async () => {
    const scene = await stage(server, TEXT)
    const { id, alice, bob, conflict } = scene
    const bobs = expectStatus(await bob.put(`/documents/${id}`, { content: 'a\nbob\nc\nd\ne', baseVersion: 1 }), 409)
      .body.conflict
    const body = { conflictId: conflict.id, baseVersion: 2, use: 'incoming' }
    expectStatus(await alice.post('/resolve-conflict', body), 200)
    expect(await statusOf(scene)).toBe('resolved')
    expect((await bob.get(`/conflicts/${bobs.id}`)).body.status).toBe('open')
    expect((await typesOf(scene)).slice(3)).toEqual(['conflict.resolved'])
  })
})
