import { describe, expect, it } from 'vitest'
import { expectStatus, read, stage, startConflictServer } from '../support/conflicts.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(startConflictServer)

const TEXT = { base: 'one\ntwo', current: 'one\nTWO', incoming: 'one\n2' }
const PATHS = ['', '/base', '/current', '/incoming', '/proposals/prp_00000000000000000000000000']
const SECRET = /TWO|bob|doc-/

describe('who may see a conflict', () => {
  it('[CONF-5] whoever cannot read the document learns nothing, not even that there is a conflict', async () => {
    const { id, conflict } = await stage(server, TEXT)
    const unknown = 'cfl_00000000000000000000000000'
    for (const access of [{}, { 'other*': ['read'] }, { [id]: ['write', 'resolve', 'overwrite'] }]) {
      const eve = await server.as('eve', access)
      for (const path of PATHS) {
        const [real, none] = [
          await eve.get(`/conflicts/${conflict.id}${path}`),
          await eve.get(`/conflicts/${unknown}${path}`),
        ]
        expect(real.status).toBe(404)
        expect({ ...real.body, instance: '' }).toEqual({ ...none.body, instance: '' })
        expect(JSON.stringify(real.body)).not.toMatch(SECRET)
      }
      for (const ask of [{ use: 'current', baseVersion: 2 }, { dismiss: true }]) {
        const real = await eve.post('/resolve-conflict', { conflictId: conflict.id, ...ask })
        const none = await eve.post('/resolve-conflict', { conflictId: unknown, ...ask })
        expect([real.status, real.body]).toEqual([404, none.body])
      }
      expect((await eve.get('/conflicts?limit=500')).body).toEqual({ items: [] })
      expect((await eve.get(`/conflicts?document=${id}`)).status).toBe(404)
    }
  })

  it('[CONF-5] lists only conflicts of documents that may be read, page by page', async () => {
    const [mine, theirs] = [await stage(server, TEXT), await stage(server, TEXT)]
    const eve = await server.as('eve', { [mine.id]: ['read'] })
    const { body } = await eve.get('/conflicts?limit=1')
    expect(body.items.map((item: { id: string }) => item.id)).toEqual([mine.conflict.id])
    expect(body).not.toHaveProperty('nextCursor')
    expect((await eve.get(`/conflicts?document=${theirs.id}`)).status).toBe(404)
  })

  it('[CONF-5] reading suffices to see all of it, contents included', async () => {
    const { id, conflict } = await stage(server, TEXT)
    const reader = await server.as('reader', { [id]: ['read'] })
    expect((await reader.get(`/conflicts/${conflict.id}`)).body).toEqual(conflict)
    expect((await reader.get(`/conflicts/${conflict.id}/incoming`)).body).toBe(TEXT.incoming)
  })

  it('[CONF-5] [AUTH-2] without a token there is nothing but 401', async () => {
    const { conflict } = await stage(server, TEXT)
    const paths = ['', `/${conflict.id}`, `/${conflict.id}/base`, '/nonsense'].map((path) => `/conflicts${path}`)
    for (const path of paths) expect((await fetch(server.url + path)).status).toBe(401)
    const body = JSON.stringify({ conflictId: conflict.id, dismiss: true })
    const headers = { 'content-type': 'application/json' }
    expect((await fetch(`${server.url}/resolve-conflict`, { method: 'POST', body, headers })).status).toBe(401)
  })

  it('[DOC-6] conflicts of a deleted document stay readable to admin only', async () => {
    const { id, conflict, alice } = await stage(server, TEXT)
    expectStatus(await alice.delete(`/documents/${id}?baseVersion=2`), 204)
    const root = await server.as('root', { '*': ['admin'] })
    for (const path of PATHS.slice(0, 4)) {
      const refused = await alice.get(`/conflicts/${conflict.id}${path}`)
      expect([refused.status, refused.body.code]).toEqual([410, 'conflict-expired'])
      expect(JSON.stringify(refused.body)).not.toMatch(/TWO|bob/)
      expectStatus(await root.get(`/conflicts/${conflict.id}${path}`), 200)
    }
    expect((await alice.get(`/conflicts?document=${id}`)).body.items).toEqual([])
    expect((await root.get(`/conflicts?document=${id}`)).body.items).toMatchObject([
      { id: conflict.id, status: 'expired' },
    ])
  })

  it('[DOC-6] nor do conflicts of an earlier incarnation show up under a document created again', async () => {
    const { id, conflict, alice, bob } = await stage(server, TEXT)
    expectStatus(await alice.delete(`/documents/${id}?baseVersion=2`), 204)
    expectStatus(await bob.post('/documents', { id, kind: 'json', content: {} }), 201)
    expect((await alice.get(`/conflicts/${conflict.id}`)).status).toBe(410)
    expect((await alice.get(`/conflicts?document=${id}`)).body.items).toEqual([])
    const refused = await alice.post('/resolve-conflict', { conflictId: conflict.id, use: 'incoming', baseVersion: 4 })
    expect([refused.status, refused.body.code]).toEqual([410, 'conflict-expired'])
    expect(await read(bob, id)).toEqual({ content: {}, version: 4 })
  })
})

describe('who may act on a conflict', () => {
  it('[RES-7] reading alone is not enough to resolve, propose, accept, reject or dismiss: 403', async () => {
    const { id, conflict, alice } = await stage(server, TEXT)
    const reader = await server.as('reader', { '*': ['read', 'overwrite'] })
    const prp = 'prp_00000000000000000000000000'
    for (const ask of [{ use: 'current', baseVersion: 2 }, { accept: prp }, { reject: prp }, { dismiss: true }]) {
      const answer = await reader.post('/resolve-conflict', { conflictId: conflict.id, ...ask })
      expect([answer.status, answer.body.code]).toEqual([403, 'forbidden'])
    }
    expect((await alice.get(`/conflicts/${conflict.id}`)).body.status).toBe('open')
    expect(await read(alice, id)).toEqual({ content: TEXT.current, version: 2 })
  })

  it('[RES-1] accept, reject and dismiss need `resolve`: `write` gets 403', async () => {
    const { conflict, will } = await stage(server, TEXT)
    const proposal = { conflictId: conflict.id, baseVersion: 2, use: 'incoming' }
    const { id } = expectStatus(await will.post('/resolve-conflict', proposal), 202).body.proposal
    for (const ask of [{ accept: id }, { reject: id }, { dismiss: true }]) {
      expect((await will.post('/resolve-conflict', { conflictId: conflict.id, ...ask })).status).toBe(403)
    }
    const shown = (await will.get(`/conflicts/${conflict.id}`)).body
    expect(shown).toMatchObject({ status: 'open', proposals: [{ id, status: 'pending' }] })
  })

  it('[RES-1] the author of the incoming change may dismiss it, even with `read` alone, and do nothing more', async () => {
    const { id, conflict } = await stage(server, TEXT)
    const alice = await server.as('alice', { [id]: ['read'] })
    const use = { conflictId: conflict.id, baseVersion: 2, use: 'incoming' }
    expect((await alice.post('/resolve-conflict', use)).status).toBe(403)
    const dismissed = await alice.post('/resolve-conflict', {
      conflictId: conflict.id,
      dismiss: true,
      comment: 'never mind',
    })
    expect(dismissed.body.conflict).toMatchObject({
      status: 'dismissed',
      closedBy: 'alice',
      closedComment: 'never mind',
      resolution: null,
    })
    expect(dismissed.body.document).toMatchObject({ id, version: 2 })
  })

  it('[AUTH-1] `resolve` suffices without `write`, and `admin` implies it', async () => {
    for (const access of [['read', 'resolve'], ['admin']]) {
      const { id, conflict } = await stage(server, TEXT)
      const judge = await server.as('judge', { [id]: access })
      const use = { conflictId: conflict.id, baseVersion: 2, use: 'incoming' }
      const { body } = expectStatus(await judge.post('/resolve-conflict', use), 200)
      expect(body.document).toMatchObject({ id, version: 3 })
      expect(await read(judge, id)).toEqual({ content: TEXT.incoming, version: 3 })
    }
  })

  it('[API-4] a malformed body is 400 before the conflict is looked for', async () => {
    const { conflict, alice } = await stage(server, TEXT)
    const base = { conflictId: conflict.id, baseVersion: 2 }
    const prp = 'prp_00000000000000000000000000'
    const bad: unknown[] = [
      {},
      { conflictId: conflict.id },
      { conflictId: 'cfl_1', dismiss: true },
      { conflictId: conflict.id, use: 'merged' },
      { ...base, use: 'theirs' },
      { ...base, use: 'content' },
      { ...base, use: 'choices' },
      { ...base, use: 'current', content: 'x' },
      { ...base, use: 'current', choices: {} },
      { ...base, use: 'content', content: 5 },
      { ...base, use: 'content', content: ['x'] },
      { ...base, use: 'choices', choices: { x: 'theirs' } },
      { ...base, use: 'choices', choices: { x: { value: 1, text: '' } } },
      { ...base, use: 'choices', choices: { x: {} } },
      { ...base, use: 'choices', choices: [] },
      { ...base, use: 'current', dismiss: true },
      { ...base, dismiss: true },
      { ...base, accept: prp },
      { conflictId: conflict.id, accept: prp, comment: 'x' },
      { conflictId: conflict.id, accept: prp, reject: prp },
      { conflictId: conflict.id, reject: 'cfl_x' },
      { conflictId: conflict.id, dismiss: false },
      { ...base, use: 'current', comment: 5 },
      { ...base, use: 'current', comment: 'x'.repeat(2_001) },
      { ...base, use: 'current', baseVersion: '2' },
      { ...base, use: 'current', baseVersion: -1 },
      { ...base, use: 'current', baseVersion: 1.5 },
      { ...base, use: 'current', colour: 'red' },
      '{"conflictId":"x","conflictId":"x"}',
      `{"conflictId":"${conflict.id}","baseVersion":2,"use":"choices","choices":{"__proto__":"base"}}`,
      `{"conflictId":"${conflict.id}","baseVersion":2,"use":"content","content":"\\ud800"}`,
    ]
    const eve = await server.as('eve', {})
    for (const body of bad) {
      expect((await alice.post('/resolve-conflict', body)).status, JSON.stringify(body)).toBe(400)
      expect((await eve.post('/resolve-conflict', body)).status, JSON.stringify(body)).toBe(400)
    }
    expect((await alice.get(`/conflicts/${conflict.id}`)).body).toEqual(conflict)
  })
})
