import { describe, expect, it } from 'vitest'
import { expectStatus } from '../support/conflicts.ts'
import { etagOf, startDocumentServer, verdict } from '../support/documents.ts'
import { ManualEnvironment } from '../support/manualEnvironment.ts'
import { startTestServer, type Answer, type Caller } from '../support/server.ts'
import { waitUntil } from '../support/waitFor.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(() =>
  startDocumentServer({
    PARLEY_WEBHOOK_PRIVATE: 'true',
    PARLEY_PUBLIC_URL: 'https://parley.test',
    PARLEY_LOG_LEVEL: 'silent',
  }),
)
const alice = server.caller('alice')
const bob = server.caller('bob')
const root = server.caller('root', { '*': ['admin'] })

let keys = 0
const newKey = (): string => `key-${++keys}`
const withKey = (key: string, more: Record<string, string> = {}) => ({ 'idempotency-key': key, ...more })

/** What a repeat must give again: status, body, and the headers that belong to the answer. */
function essence({ status, headers, body }: Answer): unknown {
  const names = ['etag', 'location', 'link', 'content-type', 'cache-control', 'content-length']
  return { status, body, headers: Object.fromEntries(names.map((name) => [name, headers.get(name)])) }
}

const isReplayed = (answer: Answer): boolean => answer.headers.get('idempotency-replayed') === 'true'

interface Case {
  readonly name: string
  readonly status: number
  readonly by?: () => Caller
  /** Sets the scene; answers how to send the request. */
  readonly prepare: () => Promise<(headers: Record<string, string>) => Promise<Answer>>
}

const written = async (): Promise<string> => {
  const id = await server.create('one\ntwo\n')
  expectStatus(await bob.put(`/documents/${id}`, { content: 'one\nII\n', baseVersion: 1 }), 200)
  return id
}
const inConflict = async () => {
  const id = await written()
  const refused = await alice.put(`/documents/${id}`, { content: 'one\n2\n', baseVersion: 1 })
  return { id, conflictId: String(refused.body.conflict.id) }
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

describe('[WRITE-8] the same key', () => {
  it('[WRITE-8] with anything else in the request is 422, and what it stands for stays', async () => {
    const id = await server.create('x')
    const etag = await etagOf(alice, id)
    const key = newKey()
    const path = `/documents/${id}/content?baseVersion=1`
    const headers = withKey(key, { 'content-type': 'text/plain' })
    expectStatus(await alice.put(path, 'y', headers), 200)
    const others: readonly (() => Promise<Answer>)[] = [
      () => alice.put(path, 'z', headers),
      () => alice.put(`${path}&onConflict=merge`, 'y', headers),
      () => alice.put(`/documents/${id}/content`, 'y', { ...headers, 'if-match': etag }),
      () => alice.put(path, 'y', { ...headers, prefer: 'return=minimal' }),
      () => alice.put(path, 'y', { ...headers, 'lock-token': 'x' }),
      () => alice.delete(`/documents/${id}?baseVersion=1`, withKey(key)),
      () => alice.post('/documents', { id: server.newId(), kind: 'text' }, withKey(key)),
    ]
    for (const other of others) expect(verdict(await other())).toBe('422 idempotency-key-reused')
    expect(isReplayed(await alice.put(path, 'y', headers))).toBe(true)
  })

  it('[WRITE-8] of another principal is another key', async () => {
    const id = await server.create('x')
    const key = newKey()
    const body = { content: 'y', baseVersion: 1 }
    expectStatus(await alice.put(`/documents/${id}`, body, withKey(key)), 200)
    const other = await bob.put(`/documents/${id}`, body, withKey(key))
    expect([verdict(other), isReplayed(other)]).toEqual(['200 unchanged', false])
  })

  it('[WRITE-8] while the first is running is 409, and that is not stored', async () => {
    const id = await server.create('x')
    const key = newKey()
    const send = () => alice.put(`/documents/${id}`, { content: 'y', baseVersion: 1 }, withKey(key))
    const release = server.storage.hold()
    const acts = server.storage.acts.length
    const first = send()
    await waitUntil(() => server.storage.acts.length > acts)
    const second = await send()
    expect([verdict(second), second.headers.get('retry-after'), second.body.retryable]).toEqual([
      '409 request-in-progress',
      '1',
      true,
    ])
    const other = await alice.put(`/documents/${id}`, { content: 'z', baseVersion: 1 }, withKey(key))
    expect(verdict(other)).toBe('422 idempotency-key-reused')
    release()
    expect(verdict(await first)).toBe('200 written')
    const third = await send()
    expect([verdict(third), isReplayed(third), third.body.version]).toEqual(['200 written', true, 2])
  })

  it('[WRITE-8] sent many times at once makes one version', async () => {
    const id = await server.create('x')
    const key = newKey()
    const send = () => alice.put(`/documents/${id}`, { content: 'y', baseVersion: 1 }, withKey(key))
    const answers = await Promise.all(Array.from({ length: 20 }, send))
    const fresh = answers.filter((answer) => answer.status === 200 && !isReplayed(answer))
    expect(fresh.length).toBe(1)
    for (const answer of answers) expect(['200 written', '409 request-in-progress']).toContain(verdict(answer))
    expect((await alice.get(`/documents/${id}`)).body.version).toBe(2)
  })
})

describe('[WRITE-8] a key is not used up', () => {
  it('[WRITE-8] by other answers than 2xx and 409', async () => {
    const id = await server.create({ a: 1 }, { schema: { required: ['a'] } })
    const key = newKey()
    const put = (body: object) => alice.put(`/documents/${id}`, body, withKey(key))
    expect(verdict(await put({ content: { a: 2 } }))).toBe('428 precondition-required')
    expect(verdict(await put({ content: {}, baseVersion: 1 }))).toBe('422 schema-violation')
    expect(verdict(await put({ content: { a: 2 }, baseVersion: 1, x: 1 }))).toBe('400 invalid-request')
    expect(verdict(await alice.put('/documents/none', { content: 'x', baseVersion: 1 }, withKey(key)))).toBe(
      '404 not-found',
    )
    server.storage.failNext(1)
    expect(verdict(await put({ content: { a: 2 }, baseVersion: 1 }))).toBe('503 storage-unavailable')
    const done = await put({ content: { a: 2 }, baseVersion: 1 })
    expect([verdict(done), isReplayed(done)]).toEqual(['200 written', false])
  })
})

describe('[API-4] a replay comes', () => {
  it('[API-4] after 400 to 404 for what one may not, and before 404 and 410 for what is not there', async () => {
    const id = await server.create('x')
    const key = newKey()
    const send = (by: Caller) => by.delete(`/documents/${id}?baseVersion=1`, withKey(key))
    expectStatus(await send(alice), 204)
    const late = await send(alice)
    expect([late.status, isReplayed(late)]).toEqual([204, true])
    expect(verdict(await send(await server.as('alice', { '*': ['read'] })))).toBe('403 forbidden')
    expect(verdict(await send(await server.as('alice', { other: ['read', 'write'] })))).toBe('404 not-found')
    const created = server.newId()
    const create = (by: Caller) =>
      by.post('/documents', { id: created, kind: 'text', content: 'secret' }, withKey(key + 2))
    expectStatus(await create(alice), 201)
    expect(verdict(await create(await server.as('alice', { '*': ['read'] })))).toBe('403 forbidden')
    expect(verdict(await create(await server.as('alice', { '*': ['write'] })))).toBe('404 not-found')
    const { conflictId } = await inConflict()
    const dismiss = (by: Caller) => by.post('/resolve-conflict', { conflictId, dismiss: true }, withKey(key + 3))
    expectStatus(await dismiss(bob), 200)
    expect(verdict(await dismiss(await server.as('bob', { other: ['read'] })))).toBe('404 not-found')
    expect(verdict(await dismiss(await server.as('bob', { '*': ['read'] })))).toBe('403 forbidden')
  })
})

describe('[WRITE-8] the header', () => {
  it('[WRITE-8] holds 1 to 255 characters, else 400', async () => {
    const id = await server.create('x')
    const put = (key: string) => alice.put(`/documents/${id}`, { content: 'y', baseVersion: 1 }, withKey(key))
    for (const key of ['', '""', 'x'.repeat(256), `"${'x'.repeat(256)}"`]) {
      expect([key.length, verdict(await put(key))]).toEqual([key.length, '400 invalid-request'])
    }
    expect((await alice.get(`/documents/${id}`)).body.version).toBe(1)
    expect(verdict(await put('"a \\" b"'))).toBe('200 written')
    expect(isReplayed(await put('"a \\" b"'))).toBe(true)
    expectStatus(await put(`"${'x'.repeat(255)}"`), 200)
  })

  it('[WRITE-8] is refused where tokens are made', async () => {
    const body = { sub: 'x', access: { a: ['read'] }, ttlSeconds: 60 }
    expect(verdict(await root.post('/tokens', body, withKey(newKey())))).toBe('400 invalid-request')
  })

  it('[WRITE-8] changes nothing about a read', async () => {
    const id = await server.create('x')
    const acts = server.storage.acts.length
    expectStatus(await alice.get(`/documents/${id}`, withKey(newKey())), 200)
    expect(server.storage.acts.length).toBe(acts)
  })
})
