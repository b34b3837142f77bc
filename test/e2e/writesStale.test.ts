import { describe, expect, it } from 'vitest'
import { expectStatus, read } from '../support/conflicts.ts'
import { tagAt, conflictsOf, newsOf, etagOf, startDocumentServer, verdict } from '../support/documents.ts'
import type { Caller } from '../support/server.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(startDocumentServer)
const alice = server.caller('alice')
const bob = server.caller('bob')
const root = server.caller('root', { '*': ['read', 'write', 'overwrite'] })

describe('[WRITE-3] the check and the write are one step', () => {
  it.each([
    ['If-Match', 64],
    ['baseVersion', 64],
  ] as const)('[WRITE-3] of concurrent writers on one base by %s exactly one wins', async (how, count) => {
    const id = await server.create('base')
    const etag = await etagOf(alice, id)
    const writers = await Promise.all(Array.from({ length: count }, (_, n) => server.as(`writer${n}`)))
    const answers = await Promise.all(
      writers.map((writer, n) =>
        how === 'If-Match'
          ? writer.put(`/documents/${id}`, { content: `by ${n}` }, { 'if-match': etag })
          : writer.put(`/documents/${id}`, { content: `by ${n}`, baseVersion: 1 }),
      ),
    )
    const won = answers.flatMap((answer, n) => (answer.status === 200 ? [n] : []))
    expect(won).toHaveLength(1)
    expect(await read(alice, id)).toEqual({ content: `by ${won[0]}`, version: 2 })
    const refused = answers.filter((answer) => verdict(answer) === '409 version-conflict')
    expect(refused).toHaveLength(count - 1)
    // Nothing anybody wrote is lost: each has its own conflict, told once.
    const kept = new Map(refused.map((answer) => [answer.body.conflict.id, answer.body.conflict.incoming.content]))
    expect(kept.size).toBe(count - 1)
    expect(new Set([...kept.values(), `by ${won[0]}`]).size).toBe(count)
    expect((await newsOf(server, id)).filter((type) => type === 'conflict.detected')).toHaveLength(count - 1)
  })

  it('[WRITE-7] of one stale write sent many times at once there is one conflict, told once', async () => {
    const id = await server.create('one\n')
    expectStatus(await bob.put(`/documents/${id}`, { content: 'two\n', baseVersion: 1 }), 200)
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => alice.put(`/documents/${id}`, { content: 'three\n', baseVersion: 1 })),
    )
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 409))
    expect(new Set(answers.map((answer) => answer.body.conflict.id)).size).toBe(1)
    expect(await newsOf(server, id)).toEqual(['conflict.detected'])
  })

  it('[WRITE-3] a chain of writers that read and try again loses no increment', async () => {
    const id = await server.create({ n: 0 })
    const increment = async (by: Caller): Promise<void> => {
      for (let attempt = 0; attempt < 200; attempt++) {
        const { body } = await by.get(`/documents/${id}`)
        const sent = { content: { n: body.content.n + 1 } }
        const answer = await by.put(`/documents/${id}`, sent, { 'if-match': `"${body.etag}"` })
        if (answer.status === 200 && answer.body.outcome === 'written') return
        expect([200, 409]).toContain(answer.status)
      }
      throw new Error('never got through')
    }
    const counters = await Promise.all(Array.from({ length: 6 }, (_, n) => server.as(`counter${n}`)))
    await Promise.all(
      counters.map(async (by) => {
        for (let n = 0; n < 5; n++) await increment(by)
      }),
    )
    expect(await read(alice, id)).toEqual({ content: { n: 30 }, version: 31 })
  })

  it('[WRITE-6] concurrent writers that merge all get in, each change once', async () => {
    const id = await server.create(Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`k${n}`, 0])), {
      conflictPolicy: 'merge',
    })
    const base = (await alice.get(`/documents/${id}`)).body.content
    const writers = await Promise.all(Array.from({ length: 40 }, (_, n) => server.as(`merger${n}`)))
    const answers = await Promise.all(
      writers.map((writer, n) =>
        writer.put(`/documents/${id}`, { content: { ...base, [`k${n}`]: n + 1 }, baseVersion: 1 }),
      ),
    )
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 200))
    expect(answers.filter((answer) => answer.body.outcome === 'written')).toHaveLength(1)
    expect(await read(alice, id)).toEqual({
      content: Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`k${n}`, n + 1])),
      version: 41,
    })
    expect(new Set(answers.map((answer) => answer.body.version)).size).toBe(40)
  })
})

/** What a stale write meets, over HTTP. */
const POLICIES = ['manual', 'merge', 'incoming-wins', 'current-wins'] as const
const SITUATIONS = {
  equal: { current: 'one\n2\n', incoming: 'one\n2\n' },
  disjoint: { current: 'ONE\ntwo\n', incoming: 'one\nTWO\n' },
  overlapping: { current: 'one\n2\n', incoming: 'one\nII\n' },
} as const
const BASE = 'one\ntwo\n'

type Cell = {
  readonly answer: string
  readonly content: string
  readonly versions: number
  readonly events: readonly string[]
}
const kept = (situation: keyof typeof SITUATIONS, answer: string, events: readonly string[] = []): Cell => ({
  answer,
  content: SITUATIONS[situation].current,
  versions: 2,
  events,
})
const stored = (answer: string, content: string, events: readonly string[] = []): Cell => ({
  answer,
  content,
  versions: 3,
  events,
})
const OPENED = ['conflict.detected']
const RECORDED = ['conflict.detected', 'conflict.resolved']
const CONFLICT = '409 version-conflict'

const TABLE: Record<keyof typeof SITUATIONS, Record<(typeof POLICIES)[number] | 'strict', Cell>> = {
  equal: {
    strict: kept('equal', '200 unchanged'),
    manual: kept('equal', '200 unchanged'),
    merge: kept('equal', '200 unchanged'),
    'incoming-wins': kept('equal', '200 unchanged'),
    'current-wins': kept('equal', '200 unchanged'),
  },
  disjoint: {
    strict: kept('disjoint', CONFLICT, OPENED),
    manual: kept('disjoint', CONFLICT, OPENED),
    merge: stored('200 merged', 'ONE\nTWO\n'),
    'incoming-wins': stored('200 overwrote', 'one\nTWO\n', RECORDED),
    'current-wins': kept('disjoint', CONFLICT, RECORDED),
  },
  overlapping: {
    strict: kept('overlapping', CONFLICT, OPENED),
    manual: kept('overlapping', CONFLICT, OPENED),
    merge: kept('overlapping', CONFLICT, OPENED),
    'incoming-wins': stored('200 overwrote', 'one\nII\n', RECORDED),
    'current-wins': kept('overlapping', CONFLICT, RECORDED),
  },
}
const CELLS = (Object.keys(SITUATIONS) as (keyof typeof SITUATIONS)[]).flatMap((situation) =>
  POLICIES.flatMap((policy) =>
    (['by the document', 'by onConflict', 'by If-Match'] as const).map((how) => ({ situation, policy, how })),
  ),
)

describe('[WRITE-4] [WRITE-5] [WRITE-6] on a stale version', () => {
  it.each(CELLS)('$situation, $policy $how', async ({ situation, policy, how }) => {
    const { current, incoming } = SITUATIONS[situation]
    // Where onConflict decides, the document's own policy is another one.
    const other = policy === 'manual' ? 'incoming-wins' : 'manual'
    const id = await server.create(BASE, { conflictPolicy: how === 'by onConflict' ? other : policy })
    const etag = await etagOf(alice, id)
    expectStatus(await bob.put(`/documents/${id}`, { content: current, baseVersion: 1 }), 200)
    const answer =
      how === 'by If-Match'
        ? await alice.put(`/documents/${id}`, { content: incoming, onConflict: policy }, { 'if-match': etag })
        : await alice.put(`/documents/${id}`, {
            content: incoming,
            baseVersion: 1,
            ...(how === 'by onConflict' ? { onConflict: policy } : {}),
          })
    const wanted = TABLE[situation][how === 'by If-Match' ? 'strict' : policy]
    expect(verdict(answer)).toBe(wanted.answer)
    expect(await read(alice, id)).toEqual({ content: wanted.content, version: wanted.versions })
    expect(await newsOf(server, id)).toEqual(wanted.events)
    if (answer.status === 409) expect(answer.headers.get('etag')).toBe(await tagAt(alice, id, 2))
    if (answer.status === 200)
      expect(answer.headers.get('etag')).toBe(
        answer.body.outcome === 'merged' ? null : await tagAt(alice, id, answer.body.version),
      )
  })

  it('[WRITE-6] a merge answers with the merged content, and no ETag', async () => {
    const id = await server.create({ a: 1, b: 1 }, { conflictPolicy: 'merge' })
    expectStatus(await bob.put(`/documents/${id}`, { content: { a: 2, b: 1 }, baseVersion: 1 }), 200)
    const answer = expectStatus(await alice.put(`/documents/${id}`, { content: { a: 1, b: 2 }, baseVersion: 1 }), 200)
    const found = (await alice.get(`/documents/${id}`)).body
    expect(answer.body).toEqual({
      id,
      version: 3,
      etag: found.etag,
      outcome: 'merged',
      updatedAt: found.updatedAt,
      content: { a: 2, b: 2 },
    })
    expect(answer.headers.get('etag')).toBeNull()
    expect(found).toMatchObject({ content: { a: 2, b: 2 }, updatedBy: 'alice' })
    expect(await conflictsOf(alice, id)).toEqual([])
  })

  it('[WRITE-6] a merge in which the writer brings nothing new is no version', async () => {
    const id = await server.create('a\nb\nc\n', { conflictPolicy: 'merge' })
    expectStatus(await bob.put(`/documents/${id}`, { content: 'A\nb\nC\n', baseVersion: 1 }), 200)
    const answer = expectStatus(await alice.put(`/documents/${id}`, { content: 'A\nb\nc\n', baseVersion: 1 }), 200)
    expect(answer.body).toMatchObject({ outcome: 'merged', version: 2, content: 'A\nb\nC\n' })
    expect(await read(alice, id)).toEqual({ content: 'A\nb\nC\n', version: 2 })
  })

  it('[WRITE-6] incoming-wins keeps what it overwrote', async () => {
    const id = await server.create(BASE, { conflictPolicy: 'incoming-wins' })
    expectStatus(await bob.put(`/documents/${id}`, { content: 'bob was here', baseVersion: 1 }), 200)
    const answer = expectStatus(await alice.put(`/documents/${id}`, { content: 'alice', baseVersion: 1 }), 200)
    const conflict = expectStatus(await alice.get(`/conflicts/${answer.body.conflictId}`), 200).body
    expect(conflict).toMatchObject({
      status: 'resolved',
      kind: 'stale-write',
      base: { version: 1, content: BASE },
      current: { version: 2, content: 'bob was here', authors: ['bob'] },
      incoming: { content: 'alice', authors: ['alice'] },
      resolution: { use: 'incoming', by: 'alice', version: 3, comment: null },
      closedBy: 'alice',
    })
    expect((await server.eventsOf(id)).slice(1)).toMatchObject([
      ['conflict.detected', { conflict: conflict.id }],
      ['conflict.resolved', { conflict: conflict.id, use: 'incoming', by: 'alice', version: 3 }],
    ])
    expect((await alice.get(`/documents?pattern=${id}`)).body.items[0].openConflicts).toBe(0)
  })

  it('[WRITE-6] current-wins keeps what it refused', async () => {
    const id = await server.create(BASE, { conflictPolicy: 'current-wins' })
    expectStatus(await bob.put(`/documents/${id}`, { content: 'bob was here', baseVersion: 1 }), 200)
    const refused = await alice.put(`/documents/${id}`, { content: 'alice', baseVersion: 1 })
    expect(verdict(refused)).toBe(CONFLICT)
    expect(refused.body.conflict).toMatchObject({
      status: 'resolved',
      incoming: { content: 'alice' },
      resolution: { use: 'current', by: 'alice', version: 2 },
    })
    expect((await alice.get(`/conflicts/${refused.body.conflict.id}`)).body).toEqual(refused.body.conflict)
  })

  it('[WRITE-6] where the content is back to what it was, it is written as if current', async () => {
    for (const policy of POLICIES) {
      const id = await server.create(BASE, { conflictPolicy: policy })
      const etag = await etagOf(alice, id)
      expectStatus(await bob.put(`/documents/${id}`, { content: 'typed', baseVersion: 1 }), 200)
      expectStatus(await bob.put(`/documents/${id}`, { content: BASE, baseVersion: 2 }), 200)
      const strict = await alice.put(`/documents/${id}`, { content: 'mine' }, { 'if-match': etag })
      expect([verdict(strict), strict.body.contentUnchanged, strict.body.conflict]).toEqual([CONFLICT, true, undefined])
      expect([strict.headers.get('etag'), strict.headers.get('link')]).toEqual([await tagAt(alice, id, 3), null])
      expect(verdict(await alice.put(`/documents/${id}`, { content: 'mine', baseVersion: 1 }))).toBe('200 written')
      expect([await conflictsOf(alice, id), await newsOf(server, id)]).toEqual([[], []])
    }
  })

  it('[WRITE-6] after a change of settings only, too', async () => {
    const id = await server.create({ a: 1 })
    expectStatus(await bob.patch(`/documents/${id}`, { schema: { type: 'object' }, baseVersion: 1 }), 200)
    expect(verdict(await alice.put(`/documents/${id}`, { content: { a: 2 }, baseVersion: 1 }))).toBe('200 written')
    expect(await read(alice, id)).toEqual({ content: { a: 2 }, version: 3 })
  })

  it('[WRITE-6] an unknown policy in the request is 400', async () => {
    const id = await server.create('x')
    const text = { 'content-type': 'text/plain' }
    expect((await alice.put(`/documents/${id}`, { content: 'y', baseVersion: 1, onConflict: 'mine' })).status).toBe(400)
    expect((await alice.put(`/documents/${id}/content?baseVersion=1&onConflict=mine`, 'y', text)).status).toBe(400)
    expect((await alice.put(`/documents/${id}`, { content: 'y', baseVersion: 1, onConflict: null })).status).toBe(400)
  })

  it('[WRITE-6] onConflict stands in the query where the body is the content', async () => {
    const id = await server.create(BASE)
    expectStatus(await bob.put(`/documents/${id}`, { content: 'ONE\ntwo\n', baseVersion: 1 }), 200)
    const merged = await alice.put(`/documents/${id}/content?baseVersion=1&onConflict=merge`, 'one\nTWO\n', {
      'content-type': 'text/plain',
    })
    expect([verdict(merged), merged.body.content]).toEqual(['200 merged', 'ONE\nTWO\n'])
  })
})

describe('[WRITE-9] schemas', () => {
  const schema = {
    type: 'object',
    properties: { a: { type: 'number' }, b: { type: 'string' } },
    required: ['a'],
    additionalProperties: false,
  }

  it('[WRITE-9] a content that breaks the schema is 422 with all violations, and nothing is written', async () => {
    const id = await server.create({ a: 1 }, { schema })
    for (const answer of [
      await alice.put(`/documents/${id}`, { content: { a: 'x', b: 2, c: 3 }, baseVersion: 1 }),
      await alice.put(`/documents/${id}/content?baseVersion=1`, { a: 'x', b: 2, c: 3 }),
      await alice.patch(
        `/documents/${id}/content?baseVersion=1`,
        { a: 'x', b: 2, c: 3 },
        { 'content-type': 'application/merge-patch+json' },
      ),
      await root.put(`/documents/${id}`, { content: { a: 'x', b: 2, c: 3 } }, { 'if-match': '*' }),
    ]) {
      expect(verdict(answer)).toBe('422 schema-violation')
      expect(answer.body.violations.map((violation: { pointer: string }) => violation.pointer).toSorted()).toEqual([
        '',
        '/a',
        '/b',
      ])
      for (const violation of answer.body.violations) expect(violation.message).toEqual(expect.any(String))
    }
    expect(await read(alice, id)).toEqual({ content: { a: 1 }, version: 1 })
    expect(await newsOf(server, id)).toEqual([])
  })

  it('[API-4] a stale write that breaks the schema is a conflict first', async () => {
    const id = await server.create({ a: 1 }, { schema })
    expectStatus(await bob.put(`/documents/${id}`, { content: { a: 2 }, baseVersion: 1 }), 200)
    expect(verdict(await alice.put(`/documents/${id}`, { content: { a: 'x' }, baseVersion: 1 }))).toBe(CONFLICT)
    const overwrite = { content: { a: 'x' }, baseVersion: 1, onConflict: 'incoming-wins' }
    expect(verdict(await alice.put(`/documents/${id}`, overwrite))).toBe('422 schema-violation')
    expect(await read(alice, id)).toEqual({ content: { a: 2 }, version: 2 })
  })

  it('[WRITE-9] two valid sides whose merge is invalid are a conflict', async () => {
    const exclusive = { not: { required: ['x', 'y'] } }
    const id = await server.create({ z: 0 }, { schema: exclusive, conflictPolicy: 'merge' })
    expectStatus(await bob.put(`/documents/${id}`, { content: { z: 0, x: 1 }, baseVersion: 1 }), 200)
    const refused = await alice.put(`/documents/${id}`, { content: { z: 0, y: 1 }, baseVersion: 1 })
    expect(verdict(refused)).toBe(CONFLICT)
    expect(refused.body.conflict).toMatchObject({ status: 'open', merged: { clean: true } })
    expect(await read(alice, id)).toEqual({ content: { z: 0, x: 1 }, version: 2 })
  })

  it('[WRITE-9] creating is held to the schema as well', async () => {
    const refused = await alice.post('/documents', { id: server.newId(), kind: 'json', schema, content: { b: 1 } })
    expect(verdict(refused)).toBe('422 schema-violation')
    expect(refused.body.violations).toHaveLength(2)
  })
})
