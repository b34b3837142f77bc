import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TokenIssuer } from '../../server/access/tokens.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { expectStatus } from '../support/conflicts.ts'
import { startProcess, type Running } from '../support/process.ts'
import { caller, TEST_SECRET, type Caller } from '../support/server.ts'

/** The built server, which answers beside its event loop; the servers of other tests answer on it. */
let server: Running
let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'parley-questions-'))
  server = await startProcess('dist/server/main.js', ['serve'], {
    PARLEY_PORT: '0',
    PARLEY_DATABASE: join(folder, 'test.db'),
    PARLEY_SECRET: TEST_SECRET,
    PARLEY_LOG_LEVEL: 'info',
  })
})
afterAll(async () => {
  expect(await server.stop()).toBe(0)
  rmSync(folder, { recursive: true, force: true })
})

async function as(sub: string, rights = ['read', 'write', 'resolve']): Promise<Caller> {
  const secret = Buffer.from(TEST_SECRET)
  const issuer = new TokenIssuer({ secret, audience: null, environment: systemEnvironment })
  const asked = { sub, access: { '*': rights }, ttlSeconds: 600 } as Parameters<TokenIssuer['issue']>[0]
  return caller(() => server.url, (await issuer.issue(asked)).token)
}

const keys = (size: number, by: string): Record<string, string> =>
  Object.fromEntries(Array.from({ length: size }, (_, n) => [`key ${n}`, by]))

/** A json document of two versions, alice's and bob's, of as many keys, and what alice's stale write is answered. */
async function refused(id: string, size: number, headers: Record<string, string> = {}) {
  const [alice, bob] = [await as('alice'), await as('bob')]
  expectStatus(await alice.post('/documents', { id, kind: 'json', content: keys(size, 'first') }), 201)
  expectStatus(await bob.put(`/documents/${id}`, { content: keys(size, 'bob'), baseVersion: 1 }), 200)
  return alice.put(`/documents/${id}`, { content: keys(size, 'alice'), baseVersion: 1 }, headers)
}

describe('[OPS-8] what is worked out beside the event loop', () => {
  it.each([5, 3_000])('[CONF-1] a refusal of %d keys shows the conflict that GET shows', async (size) => {
    const answer = await refused(`conflict-${size}`, size)
    expect(answer).toMatchObject({ status: 409, body: { code: 'version-conflict', conflict: { status: 'open' } } })
    const { conflict } = answer.body
    expect(conflict.overlaps).toHaveLength(size)
    expect(conflict.overlaps[0].current).toMatchObject({ present: true, value: 'bob', version: 2, author: 'bob' })
    expect(answer.headers.get('content-type')).toContain('application/problem+json')
    const alice = await as('alice')
    const shown = await alice.get(`/conflicts/${conflict.id}`)
    expectStatus(shown, 200)
    expect(shown.headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(shown.body).toEqual(conflict)
  })

  it('[CONF-2] a refusal of long texts names the places that GET shows', async () => {
    const [alice, bob] = [await as('alice'), await as('bob')]
    const text = (by: string) =>
      Array.from({ length: 20_000 }, (_, n) => `${n % 4_000 === 0 ? by : 'line'} ${n} of a long text`).join('\n')
    expectStatus(await alice.post('/documents', { id: 'long', kind: 'text', content: text('first') }), 201)
    expectStatus(await bob.put('/documents/long', { content: text('bob'), baseVersion: 1 }), 200)
    const { conflict } = expectStatus(
      await alice.put('/documents/long', { content: text('alice'), baseVersion: 1 }),
      409,
    ).body
    expect(conflict.overlaps.map(({ id }: { id: string }) => id)).toEqual(['L1', 'L4001', 'L8001', 'L12001', 'L16001'])
    const { items } = (await alice.get('/conflicts?document=long')).body
    expect(items[0].overlaps.map(({ id }: { id: string }) => id)).toEqual(
      conflict.overlaps.map(({ id }: { id: string }) => id),
    )
    expect((await alice.get(`/conflicts/${conflict.id}`)).body).toEqual(conflict)
  })

  it('[WRITE-8] a large refusal is the same, byte for byte, when its key is used again', async () => {
    const headers = { 'idempotency-key': 'large' }
    const first = await refused('keyed', 3_000, headers)
    const again = await (
      await as('alice')
    ).put(`/documents/keyed`, { content: keys(3_000, 'alice'), baseVersion: 1 }, headers)
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(JSON.stringify(again.body)).toBe(JSON.stringify(first.body))
  })

  it('[TX-3] a large refusal stands in the answer to a transaction', async () => {
    await refused('within', 3_000)
    const put = { action: 'put', document: 'within', content: keys(3_000, 'alice'), baseVersion: 1 }
    const answer = await (await as('alice')).post('/transactions', { operations: [put], commit: true })
    expect(answer).toMatchObject({ status: 409, body: { operations: [{ code: 'version-conflict' }] } })
    expect(answer.body.operations[0].conflict.overlaps).toHaveLength(3_000)
  })

  it('[HIST-2] [HIST-6] differences and blame name authors, pages of overlaps have an end, and mistakes are refused', async () => {
    const { body } = await refused('history', 300)
    const alice = await as('alice')
    const diff = await alice.get('/documents/history/diff?from=1&to=2')
    expect(diff.body.changes).toHaveLength(300)
    expect(diff.body.changes[0]).toMatchObject({ authors: ['bob'], to: { present: true, value: 'bob' } })
    const blame = await alice.get('/documents/history/blame')
    expect(blame.body).toMatchObject({ version: 2, truncated: false })
    expect(blame.body.blame).toHaveLength(300)
    expect(blame.body.blame[0]).toMatchObject({ pointer: '/key 0', author: 'bob', version: 2 })
    const first = await alice.get(`/conflicts/${body.conflict.id}/overlaps?limit=200`)
    expect(first.body.items).toHaveLength(200)
    const rest = await alice.get(`/conflicts/${body.conflict.id}/overlaps?limit=200&cursor=${first.body.nextCursor}`)
    expect(rest.body.items).toHaveLength(100)
    expect(rest.body).not.toHaveProperty('nextCursor')
    expect(await alice.get('/documents/history/diff?from=1&to=9')).toMatchObject({ status: 404 })
    expect(await alice.get('/documents/nothing/blame')).toMatchObject({ status: 404, body: { code: 'not-found' } })
  })

  it('[HIST-5] holds nothing of a document that is purged, and shows nothing of it', async () => {
    const secret = 'known to nobody afterwards'
    const admin = await as('admin', ['admin'])
    expectStatus(await admin.post('/documents', { id: 'gone', kind: 'json', content: keys(20_000, secret) }), 201)
    const other = await as('other', ['admin'])
    const asked = Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? admin : other).get('/documents/gone/blame'))
    const purged = await admin.call('DELETE', '/documents/gone?purge=true', undefined, { 'if-match': '*' })
    expectStatus(purged, 204)
    for (const { status } of await Promise.all(asked)) expect([200, 410]).toContain(status)
    expectStatus(await admin.get('/documents/gone/blame'), 410)
    for (const name of readdirSync(folder)) expect(readFileSync(join(folder, name)).includes(secret)).toBe(false)
  })

  it('[HIST-5] [WRITE-5] who is refused while the document is purged is told of its end, not of damage', async () => {
    const admin = await as('admin', ['admin'])
    for (let life = 0; life < 3; life += 1) {
      const made = await admin.put('/documents/brief', { content: keys(1_000, `life ${life}`), baseVersion: 0 })
      expectStatus(made, 201)
      const late = Array.from({ length: 6 }, async (_, n) => {
        const writer = await as(`late ${n}`)
        return writer.put('/documents/brief', { content: keys(1_000, `late ${n}`), baseVersion: 0 })
      })
      const ended = await admin.call('DELETE', '/documents/brief?purge=true', undefined, { 'if-match': '*' })
      expectStatus(ended, 204)
      for (const { status, body } of await Promise.all(late)) {
        expect(['201 created', '409 version-conflict', '410 document-deleted']).toContain(
          `${status} ${body.code ?? body.outcome}`,
        )
      }
      const current = await admin.get('/documents/brief')
      if (current.status === 200)
        expectStatus(await admin.call('DELETE', '/documents/brief', undefined, { 'if-match': '*' }), 204)
    }
  })

  it('[OPS-8] [WRITE-9] judges by a schema while everybody else goes on', async () => {
    const [alice, bob] = [await as('alice'), await as('bob')]
    const anyOf = Array.from({ length: 400 }, (_, n) => ({ pattern: `x${n}y+$` }))
    const made = { id: 'judged', kind: 'json', schema: { additionalProperties: { anyOf } }, content: {} }
    expectStatus(await alice.post('/documents', made), 201)
    const much = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`key ${n}`, 'x'.repeat(1_000)]))
    const order: string[] = []
    const judging = alice.put('/documents/judged', { content: much, baseVersion: 1 }).then((answer) => {
      order.push('judged')
      return answer
    })
    const others = Array.from({ length: 20 }, () => bob.get('/documents/judged').then(() => order.push('read')))
    await Promise.all([...others, judging])
    expect(order.at(-1)).toBe('judged')
    expect(await judging).toMatchObject({ status: 422, body: { code: 'schema-violation' } })
    expect((await judging).body.violations).toEqual([
      { pointer: '', message: expect.stringContaining('too much work') },
    ])
    const refused = await alice.patch('/documents/judged', { schema: { type: 'nothing' }, baseVersion: 1 })
    expect(refused).toMatchObject({ status: 400, body: { code: 'invalid-schema' } })
    const valid = Object.fromEntries(Array.from({ length: 2_000 }, (_, n) => [`key ${n}`, `x${n % 400}yy`]))
    expectStatus(await alice.put('/documents/judged', { content: valid, baseVersion: 1 }), 200)
  })
})
