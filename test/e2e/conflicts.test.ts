import { describe, expect, it } from 'vitest'
import { expectStatus, read, stage, startConflictServer, type ConflictServer } from '../support/conflicts.ts'
import type { Caller } from '../support/server.ts'
import { suiteServer } from '../support/suite.ts'
import { watchedView } from '../support/watchedView.ts'

const server = suiteServer(startConflictServer)

const TEXT = { base: 'one\ntwo\nthree\nfour', current: 'one\nTWO\nthree\nfour', incoming: 'one\n2\nthree\n4' }
const JSON_SIDES = {
  base: { title: 'a', list: ['x', 'y'], deep: { n: 1 }, gone: true },
  current: { title: 'b', list: ['x', 'y'], deep: { n: 1 } },
  incoming: { title: 'c', list: ['x', 'y'], deep: { n: 2 }, gone: false },
}
const fourPeople = () => Promise.all([server.as('ann'), server.as('ben'), server.as('cy'), server.as('dee')])
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/

describe('the 409 of a refused write', () => {
  it('[CONF-1] is a problem document with the conflict, the current ETag and a Link to the conflict', async () => {
    const { refused, conflict, alice, id } = await stage(server, TEXT)
    expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(refused.body).toMatchObject({
      status: 409,
      code: 'version-conflict',
      retryable: false,
      instance: `/documents/${id}`,
    })
    const current = await alice.get(`/documents/${id}`)
    expect(refused.headers.get('etag')).toBe(current.headers.get('etag'))
    expect(refused.headers.get('link')).toBe(`</conflicts/${conflict.id}>; rel="conflict"`)
    const followed = await alice.get(`/conflicts/${conflict.id}`)
    expect(followed.status).toBe(200)
    expect(followed.body).toEqual(conflict)
  })

  it('[CONF-1] holds every member of a conflict of a text', async () => {
    const { conflict, alice, id } = await stage(server, TEXT)
    const tag = (await alice.get(`/documents/${id}`)).body.etag
    const base = (await alice.get(`/documents/${id}/versions/1`)).body.etag
    const href = `/conflicts/${conflict.id}`
    expect(conflict).toEqual({
      id: expect.stringMatching(/^cfl_[0-9A-HJKMNP-TV-Z]{26}$/),
      kind: 'stale-write',
      status: 'open',
      document: { id, href: `/documents/${id}`, kind: 'text' },
      detectedAt: expect.stringMatching(TIME),
      closedAt: null,
      closedBy: null,
      closedComment: null,
      base: { version: 1, etag: base, authors: ['olga'], content: TEXT.base, href: `${href}/base` },
      current: { version: 2, etag: tag, authors: ['bob'], content: TEXT.current, href: `${href}/current` },
      incoming: { version: null, etag: null, authors: ['alice'], content: TEXT.incoming, href: `${href}/incoming` },
      merged: { clean: false, content: 'one\nTWO\nthree\n4' },
      overlaps: [
        {
          id: expect.any(String),
          lines: { base: { start: 2, end: 3 }, current: { start: 2, end: 3 }, incoming: { start: 2, end: 3 } },
          base: 'two',
          current: 'TWO',
          incoming: '2',
          authors: ['bob'],
        },
      ],
      intervening: [{ version: 2, author: 'bob', at: expect.stringMatching(TIME) }],
      proposals: [],
      resolution: null,
      truncated: false,
      whitespaceOnly: false,
    })
  })

  it('[CONF-1] holds every member of a conflict of a json document; absent is not null', async () => {
    const { conflict, alice, id } = await stage(server, JSON_SIDES)
    const { updatedAt } = (await alice.get(`/documents/${id}`)).body
    const blame = { version: 2, author: 'bob', at: updatedAt }
    expect(conflict.document).toEqual({ id, href: `/documents/${id}`, kind: 'json' })
    expect(conflict.merged).toEqual({ clean: false, content: { title: 'b', list: ['x', 'y'], deep: { n: 2 } } })
    expect(conflict.overlaps).toMatchObject([
      { pointer: '/gone', base: { present: true, value: true }, incoming: { present: true, value: false } },
      { pointer: '/title', base: { present: true, value: 'a' }, incoming: { present: true, value: 'c' } },
    ])
    expect(conflict.overlaps[0].current).toEqual({ present: false, ...blame })
    expect(conflict.overlaps[1].current).toEqual({ present: true, value: 'b', ...blame })
    expect(conflict.intervening).toEqual([{ ...blame, pointers: ['/gone', '/title'] }])
  })

  it('[CONF-1] `Prefer: return=minimal` leaves contents out and nothing else', async () => {
    const scene = await stage(server, TEXT)
    const again = await scene.alice.put(
      `/documents/${scene.id}`,
      { content: TEXT.incoming, baseVersion: 1 },
      { prefer: 'return=minimal' },
    )
    expectStatus(again, 409)
    const { base, current, incoming, merged, ...rest } = scene.conflict
    for (const side of [base, current, incoming, merged]) delete side.content
    expect(again.body.conflict).toEqual({ ...rest, base, current, incoming, merged })
    const shown = await scene.alice.get(`/conflicts/${scene.conflict.id}`, { prefer: 'return=minimal' })
    expect(shown.body).toEqual(again.body.conflict)
  })

  it('[CONF-1] a write on nothing (base 0) has the empty content as its base', async () => {
    const id = server.newId()
    const alice = await server.as('alice')
    expectStatus(await alice.post('/documents', { id, kind: 'text', content: 'there' }), 201)
    const { body } = expectStatus(await alice.put(`/documents/${id}`, { content: 'mine', baseVersion: 0 }), 409)
    expect(body.conflict.base).toEqual({ version: 0, etag: null, authors: [], content: '', href: expect.any(String) })
    expect(body.conflict.intervening).toHaveLength(1)
    expect(body.conflict.overlaps).toMatchObject([{ base: '', current: 'there', incoming: 'mine', authors: ['alice'] }])
  })

  it('[CONF-1] base 0 of an id that was deleted and created again sees nothing of the earlier document', async () => {
    for (const [kind, old, content] of [
      ['text', 'secret\nold', 'new'],
      ['json', { secret: [1, 2, 3] }, { now: 1 }],
    ] as const) {
      const id = server.newId()
      const [alice, root] = [await server.as('alice'), await server.as('root', { '*': ['admin'] })]
      expectStatus(await alice.post('/documents', { id, kind, content: old }), 201)
      expectStatus(await alice.delete(`/documents/${id}?baseVersion=1`), 204)
      expectStatus(await alice.post('/documents', { id, kind, content }), 201)
      const wanted = kind === 'text' ? 'else' : { now: 2 }
      const { conflict } = expectStatus(
        await alice.put(`/documents/${id}`, { content: wanted, baseVersion: 0 }),
        409,
      ).body
      expect(conflict.intervening.map((entry: { version: number }) => entry.version)).toEqual([3])
      expect(JSON.stringify(conflict)).not.toContain('secret')
      // The same record, looked at by an admin from a later incarnation still.
      expectStatus(await alice.delete(`/documents/${id}?baseVersion=3`), 204)
      expectStatus(await alice.post('/documents', { id, kind, content: old }), 201)
      const { body } = expectStatus(await root.get(`/conflicts/${conflict.id}`), 200)
      expect(body).toMatchObject({ status: 'expired', intervening: conflict.intervening, overlaps: conflict.overlaps })
    }
  })

  it('[CONF-2] an overlap of elements names the newest of those who changed them', async () => {
    const [ann, ben, cy] = await fourPeople()
    const overlapOf = async (base: number[], steps: [Caller, number[]][], mine: number[]) => {
      const id = server.newId()
      expectStatus(await ann.post('/documents', { id, kind: 'json', content: { l: base } }), 201)
      for (const [index, [by, l]] of steps.entries()) {
        expectStatus(await by.put(`/documents/${id}`, { content: { l }, baseVersion: index + 1 }), 200)
      }
      const refused = await ben.put(`/documents/${id}`, { content: { l: mine }, baseVersion: 1 })
      return expectStatus(refused, 409).body.conflict.overlaps.map((one: { current: object }) => one.current)
    }
    expect(await overlapOf([1, 2, 3], [[ann, [1, 2]]], [1, 9])).toMatchObject([{ version: 2, author: 'ann' }])
    const steps: [Caller, number[]][] = [
      [ann, [1, 20, 3, 4]],
      [cy, [1, 20, 4]],
    ]
    expect(await overlapOf([1, 2, 3, 4], steps, [1, 9, 4])).toMatchObject([{ version: 3, author: 'cy' }])
  })

  it('[CONF-2] an overlap with lines that begin like those beside them has authors', async () => {
    const [ann, ben, cy] = await fourPeople()
    const id = server.newId()
    expectStatus(await ann.post('/documents', { id, kind: 'text', content: 'l0\nl1' }), 201)
    expectStatus(await cy.put(`/documents/${id}`, { content: 'l0\nl1\nend', baseVersion: 1 }), 200)
    expectStatus(await ann.put(`/documents/${id}`, { content: 'l1', baseVersion: 2 }), 200)
    const refused = await ben.put(`/documents/${id}`, { content: 'ben\nl1', baseVersion: 1 })
    expect(expectStatus(refused, 409).body.conflict.overlaps).toMatchObject([{ authors: ['ann'] }])
  })

  it('[CONF-1] says what came between, by whom, and who wrote the lines at stake', async () => {
    const base = Array.from({ length: 10 }, (_, i) => `line ${i}`)
    const with_ = (changes: Record<number, string>) => base.map((line, i) => changes[i] ?? line).join('\n')
    const id = server.newId()
    const [ann, ben, cy, dee] = await fourPeople()
    expectStatus(await ann.post('/documents', { id, kind: 'text', content: base.join('\n') }), 201)
    expectStatus(await ben.put(`/documents/${id}`, { content: with_({ 1: 'ben' }), baseVersion: 1 }), 200)
    expectStatus(await cy.put(`/documents/${id}`, { content: with_({ 1: 'ben', 8: 'cy' }), baseVersion: 2 }), 200)
    expectStatus(await ben.patch(`/documents/${id}`, { conflictPolicy: 'manual', baseVersion: 3 }), 200)
    expectStatus(
      await ben.put(`/documents/${id}`, { content: with_({ 1: 'ben', 8: 'cy', 5: 'ben' }), baseVersion: 3 }),
      200,
    )
    const stale = { content: with_({ 1: 'dee', 8: 'dee' }), baseVersion: 1 }
    const { conflict } = expectStatus(await dee.put(`/documents/${id}`, stale), 409).body
    expect(conflict.current.authors).toEqual(['ben', 'cy'])
    expect(conflict.intervening).toMatchObject([
      { version: 2, author: 'ben' },
      { version: 3, author: 'cy' },
      { version: 4, author: 'ben' },
    ])
    expect(conflict.overlaps.map((overlap: { authors: string[] }) => overlap.authors)).toEqual([['ben'], ['cy']])
  })

  it('[CONF-2] blames a json place on whoever changed it last, also where an array grew before it', async () => {
    const id = server.newId()
    const [ann, ben, cy, dee] = await fourPeople()
    const put = (by: typeof ann, content: object, baseVersion: number) =>
      by.put(`/documents/${id}`, { content, baseVersion })
    expectStatus(
      await ann.post('/documents', { id, kind: 'json', content: { list: ['a', 'b', 'c'], o: { k: 1 } } }),
      201,
    )
    expectStatus(await put(ben, { list: ['a', 'b', 'BEN'], o: { k: 1 } }, 1), 200)
    expectStatus(await put(cy, { list: ['CY', 'a', 'b', 'BEN'], o: { k: 2 } }, 2), 200)
    expectStatus(await put(ben, { list: ['CY', 'a', 'b', 'BEN'], o: { k: 3 } }, 3), 200)
    const { conflict } = expectStatus(await put(dee, { list: ['a', 'b', 'DEE'], o: { k: 9 } }, 1), 409).body
    expect(conflict.overlaps).toMatchObject([
      { pointer: '/list/2', current: { present: true, value: 'BEN', version: 2, author: 'ben' } },
      { pointer: '/o/k', current: { present: true, value: 3, version: 4, author: 'ben' } },
    ])
    expect(conflict.merged.content).toEqual({ list: ['CY', 'a', 'b', 'BEN'], o: { k: 3 } })
  })

  it('[CONF-1] a 409 on a recent version of a document reads nothing of storage', async () => {
    const scene = await stage(server, TEXT)
    const reads = countReads(server)
    expectStatus(await scene.bob.put(`/documents/${scene.id}`, { content: 'bob again', baseVersion: 1 }), 409)
    expect(reads.stop()).toBe(0)
  })

  it('[CONF-1] the same conflict shown again costs few reads of storage', async () => {
    const scene = await stage(server, TEXT)
    const refused = await scene.bob.put(`/documents/${scene.id}`, { content: 'bob again', baseVersion: 1 })
    const reads = countReads(server)
    expectStatus(await scene.bob.get(`/conflicts/${refused.body.conflict.id}`), 200)
    const count = reads.stop()
    expect(count).toBeGreaterThan(0)
    expect(count).toBeLessThanOrEqual(8)
  })
})

describe('conflicts as resources', () => {
  it('[CONF-4] each side is there as bare content', async () => {
    for (const [sides, type] of [
      [TEXT, 'text/plain; charset=utf-8'],
      [JSON_SIDES, 'application/json; charset=utf-8'],
    ] as const) {
      const { conflict, bob } = await stage(server, sides)
      for (const name of ['base', 'current', 'incoming'] as const) {
        const side = await bob.get(conflict[name].href)
        expect(side.status).toBe(200)
        expect(side.headers.get('content-type')).toBe(type)
        expect(side.body).toEqual(sides[name])
      }
    }
  })

  it('[CONF-4] an unknown conflict is 404, a malformed id 400, each under /v1 too', async () => {
    const alice = await server.as('alice')
    for (const path of ['', '/base', '/current', '/incoming']) {
      for (const prefix of ['', '/v1']) {
        const unknown = await alice.get(`${prefix}/conflicts/cfl_00000000000000000000000000${path}`)
        expect([unknown.status, unknown.body.code]).toEqual([404, 'not-found'])
        for (const bad of ['nonsense', 'cfl_0', 'cfl_OOOOOOOOOOOOOOOOOOOOOOOOOO', '..%2f..']) {
          expect((await alice.get(`${prefix}/conflicts/${bad}${path}`)).status).toBe(400)
        }
      }
    }
  })

  it('[CONF-4] lists conflicts newest first, without contents and without what stands at overlaps', async () => {
    const scene = await stage(server, TEXT)
    const second = await scene.bob.put(`/documents/${scene.id}`, { content: 'bob', baseVersion: 1 })
    expectStatus(second, 409)
    const { body } = await scene.alice.get(`/conflicts?document=${scene.id}`)
    expect(body).not.toHaveProperty('nextCursor')
    expect(body.items.map((item: { id: string }) => item.id)).toEqual(
      [second.body.conflict.id, scene.conflict.id].sort().reverse(),
    )
    const item = body.items.find((one: { id: string }) => one.id === scene.conflict.id)
    const { id, lines } = scene.conflict.overlaps[0]
    expect(item.overlaps).toEqual([{ id, lines }])
    expect(item).toMatchObject({ status: 'open', merged: { clean: false }, truncated: false })
    for (const side of [item.base, item.current, item.incoming, item.merged]) expect(side).not.toHaveProperty('content')
  })

  it('[CONF-4] a list does not say that nobody wrote: what only the log tells is left out', async () => {
    const { alice, id, conflict } = await stage(server, TEXT)
    const [item] = (await alice.get(`/conflicts?document=${id}`)).body.items
    expect(item).not.toHaveProperty('intervening')
    for (const side of [item.base, item.current]) expect(side).not.toHaveProperty('authors')
    expect(item.incoming.authors).toEqual(conflict.incoming.authors)
  })

  it('[CONF-4] filters by document, status and kind, and refuses what it does not know', async () => {
    const [open, dismissed] = [await stage(server, TEXT), await stage(server, JSON_SIDES)]
    expectStatus(
      await dismissed.alice.post('/resolve-conflict', { conflictId: dismissed.conflict.id, dismiss: true }),
      200,
    )
    const ids = async (query: string): Promise<string[]> => {
      const found = await open.alice.get(`/conflicts?limit=500&${query}`)
      return found.body.items.map((item: { id: string }) => item.id)
    }
    expect(await ids(`document=${open.id}`)).toEqual([open.conflict.id])
    expect(await ids(`document=${open.id}&status=open`)).toEqual([open.conflict.id])
    expect(await ids(`document=${open.id}&status=dismissed`)).toEqual([])
    expect(await ids(`document=${dismissed.id}&status=dismissed&kind=stale-write`)).toEqual([dismissed.conflict.id])
    expect(await ids(`document=${open.id}&kind=concurrent-edit`)).toEqual([])
    expect(await ids('status=open')).toContain(open.conflict.id)
    expect(await ids('status=open')).not.toContain(dismissed.conflict.id)
    expect(await ids('document=never-was')).toEqual([])
    for (const query of ['status=closed', 'kind=x', 'document=%20', 'colour=red', 'limit=0', 'limit=501', 'cursor=x']) {
      expect((await open.alice.get(`/conflicts?${query}`)).status, query).toBe(400)
    }
  })

  it('[API-5] pages through all conflicts, each once', async () => {
    const scene = await stage(server, TEXT)
    const ids = new Set([scene.conflict.id])
    for (let n = 0; n < 6; n++) {
      const refused = await scene.bob.put(`/documents/${scene.id}`, { content: `attempt ${n}`, baseVersion: 1 })
      ids.add(expectStatus(refused, 409).body.conflict.id)
    }
    expect(ids.size).toBe(7)
    const seen: string[] = []
    let cursor = ''
    for (let page = 0; page < 4; page++) {
      const { body } = await scene.alice.get(`/conflicts?document=${scene.id}&limit=3${cursor && `&cursor=${cursor}`}`)
      seen.push(...body.items.map((item: { id: string }) => item.id))
      cursor = body.nextCursor ?? ''
      if (cursor === '') break
    }
    expect(seen).toHaveLength(7)
    expect(new Set(seen)).toEqual(ids)
    expect(seen).toEqual(seen.toSorted().toReversed())
  })

  it('[CONF-4] an open conflict expires when its document is deleted, with its proposals; it cannot be resolved', async () => {
    const scene = await stage(server, TEXT)
    const { id, conflict } = scene
    const proposal = { conflictId: conflict.id, baseVersion: 2, use: 'incoming' }
    const proposed = expectStatus(await scene.will.post('/resolve-conflict', proposal), 202).body.proposal.id
    expectStatus(await scene.bob.delete(`/documents/${id}?baseVersion=2`), 204)
    const root = await server.as('root', { '*': ['admin'] })
    const { body } = expectStatus(await root.get(`/conflicts/${conflict.id}`), 200)
    expect(body).toMatchObject({ status: 'expired', closedBy: 'bob', closedAt: expect.stringMatching(TIME) })
    expect(body.proposals).toMatchObject([{ id: proposed, status: 'rejected', decidedBy: 'bob' }])
    expect(body.base.content).toBe(TEXT.base)
    for (const ask of [
      { baseVersion: 2, use: 'current' },
      { dismiss: true },
      { accept: proposed },
      { reject: proposed },
    ]) {
      const answer = await root.post('/resolve-conflict', { conflictId: conflict.id, ...ask })
      expect([answer.status, answer.body.code]).toEqual([410, 'conflict-expired'])
    }
    expect((await server.eventsOf(id)).map(([type]) => type)).toEqual([
      'document.created',
      'conflict.detected',
      'conflict.proposed',
      'conflict.expired',
      'document.deleted',
    ])
  })

  it('[CONF-4] a conflict stays as it was through a restart', async () => {
    const scene = await stage(server, JSON_SIDES)
    await server.restart()
    expect((await scene.alice.get(`/conflicts/${scene.conflict.id}`)).body).toEqual(scene.conflict)
    const again = { content: JSON_SIDES.incoming, baseVersion: 1 }
    const repeated = expectStatus(await scene.alice.put(`/documents/${scene.id}`, again), 409)
    expect(repeated.body.conflict.id).toBe(scene.conflict.id)
    expect(await read(scene.alice, scene.id)).toEqual({ content: JSON_SIDES.current, version: 2 })
  })
})

/** Counts what is read from storage from now on. */
function countReads({ storage }: ConflictServer): { stop(): number } {
  const methods = [
    'head',
    'heads',
    'snapshot',
    'entries',
    'effects',
    'checkpoint',
    'conflict',
    'conflicts',
    'content',
  ] as const
  let count = 0
  const watched = watchedView(storage, (name) => {
    if (methods.some((method) => method === name)) count += 1
  })
  for (const name of [...methods, 'read'] as const) {
    Object.defineProperty(storage, name, { configurable: true, value: Reflect.get(watched, name) })
  }
  return {
    stop() {
      for (const name of [...methods, 'read']) Reflect.deleteProperty(storage, name)
      return count
    },
  }
}
