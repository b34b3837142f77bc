import { describe, expect, it } from 'vitest'
import { expectStatus } from '../support/conflicts.ts'
import { verdict } from '../support/documents.ts'
import { idempotencyServer, isReplayed, newKey, withKey } from '../support/idempotency.ts'
import { ManualEnvironment } from '../support/manualEnvironment.ts'
import { startTestServer, type Answer, type Caller } from '../support/server.ts'

const { server, alice, bob, root, written, inConflict } = idempotencyServer()

/** What a repeat must give again: status, body, and the headers that belong to the answer. */
function essence({ status, headers, body }: Answer): unknown {
  const names = ['etag', 'location', 'link', 'content-type', 'cache-control', 'content-length']
  return { status, body, headers: Object.fromEntries(names.map((name) => [name, headers.get(name)])) }
}

interface Case {
  readonly name: string
  readonly status: number
  readonly by?: () => Caller
  /** Sets the scene; answers how to send the request. */
  readonly prepare: () => Promise<(headers: Record<string, string>) => Promise<Answer>>
}

/** Every route that changes something, with every kind of answer that is kept. */
const CASES: readonly Case[] = [
  {
    name: 'POST /documents',
    status: 201,
    prepare: async () => (headers) => root.post('/documents', { kind: 'text', content: 'x' }, headers),
  },
  {
    name: 'POST /documents with a taken id',
    status: 409,
    prepare: async () => {
      const id = await server.create('x')
      return (headers) => alice.post('/documents', { id, kind: 'text' }, headers)
    },
  },
  {
    name: 'PUT /documents/:id, written',
    status: 200,
    prepare: async () => {
      const id = await server.create('x')
      return (headers) => alice.put(`/documents/${id}`, { content: 'y', baseVersion: 1 }, headers)
    },
  },
  {
    name: 'PUT /documents/:id, created',
    status: 201,
    prepare: async () => {
      const id = server.newId()
      return (headers) => alice.put(`/documents/${id}`, { content: 'y', baseVersion: 0 }, headers)
    },
  },
  {
    name: 'PUT /documents/:id, unchanged',
    status: 200,
    prepare: async () => {
      const id = await server.create('x')
      return (headers) => alice.put(`/documents/${id}`, { content: 'x', baseVersion: 1 }, headers)
    },
  },
  {
    name: 'PUT /documents/:id, refused with a conflict',
    status: 409,
    prepare: async () => {
      const id = await written()
      return (headers) => alice.put(`/documents/${id}`, { content: 'one\n2\n', baseVersion: 1 }, headers)
    },
  },
  {
    name: 'PUT /documents/:id, overwritten',
    status: 200,
    prepare: async () => {
      const id = await written()
      const body = { content: 'one\n2\n', baseVersion: 1, onConflict: 'incoming-wins' }
      return (headers) => alice.put(`/documents/${id}`, body, { prefer: 'return=representation', ...headers })
    },
  },
  {
    name: 'PUT /documents/:id on an unknown base',
    status: 409,
    prepare: async () => {
      const id = await server.create('x')
      return (headers) => alice.put(`/documents/${id}`, { content: 'y', baseVersion: 7 }, headers)
    },
  },
  {
    name: 'PUT /documents/:id/content, merged',
    status: 200,
    prepare: async () => {
      const id = await written()
      const path = `/documents/${id}/content?baseVersion=1&onConflict=merge`
      return (headers) => alice.put(path, 'ONE\ntwo\n', { 'content-type': 'text/plain', ...headers })
    },
  },
  {
    name: 'PATCH /documents/:id/content',
    status: 200,
    prepare: async () => {
      const id = await server.create({ a: 1 })
      const type = { 'content-type': 'application/merge-patch+json' }
      return (headers) => alice.patch(`/documents/${id}/content?baseVersion=1`, { b: 2 }, { ...type, ...headers })
    },
  },
  {
    name: 'PATCH /documents/:id',
    status: 200,
    prepare: async () => {
      const id = await server.create('x')
      return (headers) => alice.patch(`/documents/${id}`, { conflictPolicy: 'merge', baseVersion: 1 }, headers)
    },
  },
  {
    name: 'DELETE /documents/:id',
    status: 204,
    prepare: async () => {
      const id = await server.create('x')
      return (headers) => alice.delete(`/documents/${id}?baseVersion=1`, headers)
    },
  },
  {
    name: 'DELETE /documents/:id?purge=true',
    status: 204,
    prepare: async () => {
      const id = await server.create('x')
      return (headers) => root.delete(`/documents/${id}?baseVersion=1&purge=true`, headers)
    },
  },
  {
    name: 'POST /resolve-conflict, resolved',
    status: 200,
    prepare: async () => {
      const { conflictId } = await inConflict()
      return (headers) => bob.post('/resolve-conflict', { conflictId, use: 'incoming', baseVersion: 2 }, headers)
    },
  },
  {
    name: 'POST /resolve-conflict, moved on',
    status: 409,
    prepare: async () => {
      const { id, conflictId } = await inConflict()
      expectStatus(await bob.put(`/documents/${id}`, { content: 'one\n3\n', baseVersion: 2 }), 200)
      return (headers) => bob.post('/resolve-conflict', { conflictId, use: 'incoming', baseVersion: 2 }, headers)
    },
  },
  {
    name: 'POST /resolve-conflict, proposed',
    status: 202,
    prepare: async () => {
      const { conflictId } = await inConflict()
      const carol = await server.as('carol', { '*': ['read', 'write'] })
      const body = { conflictId, use: 'content', content: 'one\nzwei\n', baseVersion: 2 }
      return (headers) => carol.post('/resolve-conflict', body, headers)
    },
  },
  {
    name: 'POST /resolve-conflict, dismissed',
    status: 200,
    prepare: async () => {
      const { conflictId } = await inConflict()
      return (headers) => bob.post('/resolve-conflict', { conflictId, dismiss: true }, headers)
    },
  },
  {
    name: 'PUT /documents/:id/versions/:version/label',
    status: 200,
    prepare: async () => {
      const id = await server.create('x')
      return (headers) => alice.put(`/documents/${id}/versions/1/label`, { label: 'first' }, headers)
    },
  },
  {
    name: 'POST /documents/:id/lock',
    status: 201,
    prepare: async () => {
      const id = await server.create('x')
      return (headers) => alice.post(`/documents/${id}/lock`, { ttlSeconds: 60 }, headers)
    },
  },
  {
    name: 'PUT /documents/:id/lock',
    status: 200,
    prepare: async () => {
      const id = await server.create('x')
      const { token } = expectStatus(await alice.post(`/documents/${id}/lock`, { ttlSeconds: 60 }), 201).body
      return (headers) => alice.put(`/documents/${id}/lock`, {}, { 'lock-token': token, ...headers })
    },
  },
  {
    name: 'DELETE /documents/:id/lock',
    status: 204,
    prepare: async () => {
      const id = await server.create('x')
      const { token } = expectStatus(await alice.post(`/documents/${id}/lock`, { ttlSeconds: 60 }), 201).body
      return (headers) => alice.delete(`/documents/${id}/lock`, { 'lock-token': token, ...headers })
    },
  },
  {
    name: 'POST /documents/:id/restore',
    status: 200,
    prepare: async () => {
      const id = await written()
      return (headers) => alice.post(`/documents/${id}/restore`, { version: 1, baseVersion: 2 }, headers)
    },
  },
  {
    name: 'POST /documents/:id/revert',
    status: 200,
    prepare: async () => {
      const id = await written()
      return (headers) => alice.post(`/documents/${id}/revert`, { author: 'bob', since: 0, baseVersion: 2 }, headers)
    },
  },
  {
    name: 'POST /revocations',
    status: 201,
    prepare: async () => (headers) => root.post('/revocations', { sub: 'nobody' }, headers),
  },
  {
    name: 'POST /conflict-notifications',
    status: 201,
    prepare: async () => (headers) =>
      alice.post('/conflict-notifications', { url: 'http://127.0.0.1:9/', documents: ['*'] }, headers),
  },
  {
    name: 'DELETE /conflict-notifications/:webhook',
    status: 204,
    prepare: async () => {
      const body = { url: 'http://127.0.0.1:9/', documents: ['*'] }
      const { id } = expectStatus(await alice.post('/conflict-notifications', body), 201).body
      return (headers) => alice.delete(`/conflict-notifications/${id}`, headers)
    },
  },
]

describe('[WRITE-8] a repeat', () => {
  for (const { name, status, prepare } of CASES) {
    it(`[WRITE-8] gets the first answer, and nothing happens again: ${name}`, async () => {
      const send = await prepare()
      const key = newKey()
      const first = expectStatus(await send(withKey(key)), status)
      expect(isReplayed(first)).toBe(false)
      const acts = server.storage.acts.length
      const second = await send(withKey(key))
      expect(essence(second)).toEqual(essence(first))
      expect(isReplayed(second)).toBe(true)
      expect(server.storage.acts.length).toBe(acts)
      await server.restart()
      const third = await send(withKey(key))
      expect([essence(third), isReplayed(third)]).toEqual([essence(first), true])
    })
  }

  it('[WRITE-8] stores the answer with the act it tells of, in one and the same', async () => {
    const id = await written()
    const answers: unknown[] = []
    for (const [content, baseVersion] of [
      ['one\n3\n', 2],
      ['one\n4\n', 1],
    ] as const) {
      answers.push(essence(await alice.put(`/documents/${id}`, { content, baseVersion }, withKey(newKey()))))
    }
    const acts = server.storage.acts.slice(-2)
    expect(acts.map((act) => [act.appends.length, act.conflicts.length, act.answer?.status])).toEqual([
      [1, 0, 200],
      [0, 1, 409],
    ])
    expect(acts.map((act) => act.answer?.documents)).toEqual([[id], [id]])
    // Contents stand elsewhere already, and are put in their places for a repeat.
    const withoutContents = (body: unknown): unknown =>
      JSON.parse(JSON.stringify(body), (key, value: unknown) => (key === 'content' ? null : value))
    expect(acts.map((act) => JSON.parse(act.answer?.body ?? ''))).toEqual(
      answers.map((answer) => withoutContents((answer as { body: unknown }).body)),
    )
  })

  it('[WRITE-8] the alias and /v1 are one route; a quoted key is the bare one', async () => {
    const id = await server.create('x')
    const key = newKey()
    const body = { content: 'y', baseVersion: 1 }
    expectStatus(await alice.put(`/documents/${id}`, body, withKey(key)), 200)
    const repeat = await alice.put(`/v1/documents/${id}`, body, withKey(`"${key}"`))
    expect([repeat.status, isReplayed(repeat)]).toEqual([200, true])
  })

  it('[WRITE-8] after a day the key is free', async () => {
    const environment = new ManualEnvironment()
    const other = await startTestServer({ environment })
    try {
      const by = await other.as('alice')
      const send = async (caller: Caller) =>
        caller.put('/documents/a', { content: 'x', baseVersion: 0 }, withKey('the key'))
      expectStatus(await send(by), 201)
      await environment.advance(24 * 3600 * 1000 - 1)
      expect(isReplayed(await send(await other.as('alice')))).toBe(true)
      await environment.advance(1)
      const anew = await send(await other.as('alice'))
      expect([verdict(anew), isReplayed(anew)]).toEqual(['200 unchanged', false])
    } finally {
      await other.stop()
    }
  })
})
