import { describe, expect, it } from 'vitest'
import { expectStatus } from '../support/conflicts.ts'
import { startDocumentServer } from '../support/documents.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(startDocumentServer)
const alice = server.caller('alice')
const root = server.caller('root', { '*': ['admin'] })

const ids = (answer: { body: { items: { id: string }[] } }): string[] => answer.body.items.map((item) => item.id)

describe('[DOC-7] listing', () => {
  it('[DOC-7] shows documents without content, with lock and open conflicts', async () => {
    const id = await server.create('one\n')
    expectStatus(await alice.put(`/documents/${id}`, { content: 'two\n', baseVersion: 1 }), 200)
    expectStatus(await alice.put(`/documents/${id}`, { content: 'three\n', baseVersion: 1 }), 409)
    const { content: _, ...summary } = (await alice.get(`/documents/${id}`)).body
    expect((await alice.get(`/documents?pattern=${id}`)).body).toEqual({
      items: [{ ...summary, lock: null, openConflicts: 1, updatedByName: null }],
    })
  })

  it('[DOC-7] takes an id or a prefix, and lists no deleted document', async () => {
    const names = ['list:a', 'list:b', 'list:bb', 'list:b:c', 'listing', 'LIST:a']
    for (const name of names) expectStatus(await root.post('/documents', { id: name, kind: 'text' }), 201)
    const listed = async (pattern: string): Promise<string[]> =>
      ids(await alice.get(`/documents?limit=500&pattern=${encodeURIComponent(pattern)}`))
    expect(await listed('list:*')).toEqual(['list:a', 'list:b', 'list:b:c', 'list:bb'])
    expect(await listed('list:b*')).toEqual(['list:b', 'list:b:c', 'list:bb'])
    expect(await listed('list:b')).toEqual(['list:b'])
    expect(await listed('list')).toEqual([])
    expect(await listed('nothing*')).toEqual([])
    expect(await listed('*')).toEqual(ids(await alice.get('/documents?limit=500')))
    expectStatus(await alice.delete('/documents/list:b?baseVersion=1'), 204)
    expect(await listed('list:b*')).toEqual(['list:b:c', 'list:bb'])
  })

  it('[AUTH-2] only what one may read, wherever the pattern points', async () => {
    for (const name of ['mine:1', 'mine:2', 'theirs:1', 'shared', 'shared2']) {
      expectStatus(await root.post('/documents', { id: name, kind: 'text' }), 201)
    }
    const mia = await server.as('mia', {
      'mine:*': ['read'],
      'mine:2': ['write'],
      shared: ['read'],
      'theirs:*': ['write'],
    })
    const listed = async (query: string): Promise<string[]> =>
      ids(expectStatus(await mia.get(`/documents${query}`), 200))
    expect(await listed('')).toEqual(['mine:1', 'mine:2', 'shared'])
    expect(await listed('?pattern=*')).toEqual(['mine:1', 'mine:2', 'shared'])
    expect(await listed('?pattern=m*')).toEqual(['mine:1', 'mine:2'])
    expect(await listed('?pattern=mine:2')).toEqual(['mine:2'])
    expect(await listed('?pattern=theirs:*')).toEqual([])
    expect(await listed('?pattern=shared2')).toEqual([])
    expect(ids(await (await server.as('nobody', {})).get('/documents'))).toEqual([])
  })

  it('[API-5] pages hold each document once, also while others come and go', async () => {
    const names = Array.from({ length: 12 }, (_, n) => `page:${String(n).padStart(2, '0')}`)
    for (const name of names) expectStatus(await root.post('/documents', { id: name, kind: 'text' }), 201)
    const seen: string[] = []
    let path = '/documents?pattern=page:*&limit=5'
    for (let page = 0; page < 4; page++) {
      const { body } = expectStatus(await alice.get(path), 200)
      seen.push(...body.items.map((item: { id: string }) => item.id))
      if (page === 0) {
        expectStatus(await root.post('/documents', { id: 'page:00a', kind: 'text' }), 201)
        expectStatus(await root.post('/documents', { id: 'page:09a', kind: 'text' }), 201)
        // The very document the cursor stands on.
        expectStatus(await root.delete('/documents/page:04?baseVersion=1'), 204)
        expectStatus(await root.delete('/documents/page:07?baseVersion=1'), 204)
      }
      if (body.nextCursor === undefined) break
      path = `/documents?pattern=page:*&limit=5&cursor=${encodeURIComponent(body.nextCursor)}`
    }
    expect(seen).toEqual([...names.filter((name) => name !== 'page:07'), 'page:09a'].toSorted())
  })

  it('[API-5] a last page that is just full has no next cursor', async () => {
    for (const name of ['full:1', 'full:2', 'full:3'])
      expectStatus(await root.post('/documents', { id: name, kind: 'text' }), 201)
    expect((await alice.get('/documents?pattern=full:*&limit=3')).body).not.toHaveProperty('nextCursor')
    const { body } = await alice.get('/documents?pattern=full:*&limit=2')
    expect(body.items).toHaveLength(2)
    expect(ids(await alice.get(`/documents?pattern=full:*&limit=2&cursor=${body.nextCursor}`))).toEqual(['full:3'])
  })

  it('[API-5] the default is 50 items, the most 500', async () => {
    await Promise.all(
      Array.from({ length: 55 }, async (_, n) =>
        expectStatus(await root.post('/documents', { id: `many:${n}`, kind: 'text' }), 201),
      ),
    )
    expect(ids(await alice.get('/documents?pattern=many:*'))).toHaveLength(50)
    expect(ids(await alice.get('/documents?pattern=many:*&limit=500'))).toHaveLength(55)
    expect(ids(await alice.get('/documents?pattern=many:*&limit=1'))).toHaveLength(1)
  })

  it.each([
    'limit=0',
    'limit=501',
    'limit=-1',
    'limit=5.0',
    'limit=',
    'limit=x',
    'limit=1e2',
    'limit=5&limit=6',
    'cursor=',
    'cursor=x',
    'cursor=WyJhIiwiYiJd',
    'cursor=WyIgIl0',
    'cursor=W10',
    'cursor=bnVsbA',
    'sort=id',
    'Limit=5',
    'pattern=a&pattern=b',
  ])('[API-5] %s is 400', async (query) => {
    expect((await alice.get(`/documents?${query}`)).status).toBe(400)
  })
})
