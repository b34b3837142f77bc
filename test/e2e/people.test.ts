import { describe, expect, it } from 'vitest'
import type { Permission } from '../../server/access/access.ts'
import { TokenIssuer } from '../../server/access/tokens.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { expectStatus } from '../support/conflicts.ts'
import { startDocumentServer, verdict } from '../support/documents.ts'
import { caller, type Caller, TEST_SECRET } from '../support/server.ts'
import { StockClient } from '../support/stockClient.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(startDocumentServer)
const ann = server.caller('ann')
const stranger = server.caller('stranger', { 'elsewhere:*': ['read'] })
const olga = server.caller('olga', { '*': ['admin'] })

const issuer = new TokenIssuer({ secret: Buffer.from(TEST_SECRET), audience: null, environment: systemEnvironment })

/** A client whose token has a name. */
async function called(
  sub: string,
  name: string,
  permissions: readonly Permission[] = ['read', 'write', 'resolve'],
): Promise<Caller> {
  const { token } = await issuer.issue({ sub, name, access: { '*': permissions }, ttlSeconds: 3_600 })
  return caller(() => server.url, token)
}

/** What the server says people are called, by `sub`. */
async function namesOn(id: string): Promise<Record<string, string>> {
  const { items }: { items: { sub: string; name: string }[] } = (await ann.get(`/documents/${id}/people`)).body
  return Object.fromEntries(items.map(({ sub, name }) => [sub, name]))
}

describe('people', () => {
  it('[HIST-8] are told by the name of their token once they acted: by a write, a refused write, a proposal, a lock, a key', async () => {
    const id = await server.create('one\n')
    const writer = await called('writer', 'Wanda Writer')
    const stale = await called('stale', 'Stan Stale')
    const proposer = await called('proposer', 'Paula P.', ['read', 'write'])
    const locker = await called('locker', 'Lo Cker')
    const reader = await called('reader', 'Rita Reader')
    expect(await namesOn(id)).toEqual({})
    expectStatus(await writer.put(`/documents/${id}`, { content: 'two\n', baseVersion: 1 }), 200)
    const refused = await stale.put(`/documents/${id}`, { content: 'three\n', baseVersion: 1 })
    expectStatus(refused, 409)
    const conflictId: string = refused.body.conflict.id
    expectStatus(await proposer.post('/resolve-conflict', { conflictId, baseVersion: 2, use: 'incoming' }), 202)
    expectStatus(await locker.post(`/documents/${id}/lock`, { ttlSeconds: 1 }), 201)
    expectStatus(await reader.get(`/documents/${id}`), 200)
    expect(await namesOn(id)).toEqual({
      writer: 'Wanda Writer',
      stale: 'Stan Stale',
      proposer: 'Paula P.',
      locker: 'Lo Cker',
    })
  })

  it('[HIST-8] an editor is told by the name of their token', async () => {
    const id = await server.create('one\n')
    const token = (await called('typist', 'Tia Typist')).token
    const socket = `${server.url.replace('http', 'ws')}/sync`
    const typist = await new StockClient(socket, id, { token }).synced()
    typist.text.insert(0, 'typed ')
    await expect.poll(() => namesOn(id)).toEqual({ typist: 'Tia Typist' })
    typist.destroy()
  })

  it('[HIST-8] the newest name counts, on each document where they acted under it, and changes no other answer', async () => {
    const [id, other] = [await server.create('one\n'), await server.create('one\n')]
    const before = await called('mia', 'Mia Maiden')
    for (const each of [id, other]) {
      expectStatus(await before.put(`/documents/${each}`, { content: 'two\n', baseVersion: 1 }), 200)
    }
    const tag = (await ann.get(`/documents/${id}`)).headers.get('etag')
    const shown = (await ann.get(`/documents/${id}`)).body
    const after = await called('mia', 'Mia Married')
    expectStatus(await after.post(`/documents/${id}/lock`, { ttlSeconds: 1 }), 201)
    expect(await namesOn(id)).toEqual({ mia: 'Mia Married' })
    expect(await namesOn(other)).toEqual({ mia: 'Mia Maiden' })
    expect((await ann.get(`/documents/${id}`)).headers.get('etag')).toBe(tag)
    expect((await ann.get(`/documents/${id}`)).body).toEqual(shown)
    const { items } = (await ann.get(`/documents?pattern=${id}`)).body
    expect(items[0]).toMatchObject({ updatedBy: 'mia', updatedByName: 'Mia Married' })
  })

  it('[HIST-8] [API-5] [CONF-5] are listed page by page, or one of them, to those who may read the document', async () => {
    const id = await server.create('one\n')
    for (const [sub, name] of [
      ['a', 'A.'],
      ['b', 'B.'],
    ] as const) {
      const version: number = (await ann.get(`/documents/${id}`)).body.version
      expectStatus(
        await (await called(sub, name)).put(`/documents/${id}`, { content: name, baseVersion: version }),
        200,
      )
    }
    const first = (await ann.get(`/documents/${id}/people?limit=1`)).body
    expect(first.items).toEqual([{ sub: 'a', name: 'A.' }])
    const second = (await ann.get(`/documents/${id}/people?limit=1&cursor=${first.nextCursor}`)).body
    expect(second).toEqual({ items: [{ sub: 'b', name: 'B.' }] })
    expect((await ann.get(`/documents/${id}/people?sub=b`)).body.items).toEqual([{ sub: 'b', name: 'B.' }])
    expect(verdict(await stranger.get(`/documents/${id}/people`))).toBe('404 not-found')
    expect(verdict(await ann.get(`/documents/${id}/people?cursor=x`))).toBe('400 invalid-cursor')
  })

  it('[HIST-5] [HIST-8] a purge erases their names, and who acts in a new life of the id is told again', async () => {
    const id = await server.create('one\n')
    const writer = await called('wim', 'Wim W.')
    expectStatus(await writer.put(`/documents/${id}`, { content: 'two\n', baseVersion: 1 }), 200)
    expectStatus(await writer.delete(`/documents/${id}?baseVersion=2`), 204)
    expect(await namesOn(id)).toEqual({ wim: 'Wim W.' })
    expectStatus(await olga.delete(`/documents/${id}?purge=true&baseVersion=3`), 204)
    expect(verdict(await olga.get(`/documents/${id}/people`))).toBe('410 document-deleted')
    expectStatus(await ann.post('/documents', { id, kind: 'text', content: 'anew\n' }), 201)
    expect(await namesOn(id)).toEqual({})
    expectStatus(await writer.put(`/documents/${id}`, { content: 'two\n', baseVersion: 4 }), 200)
    expect(await namesOn(id)).toEqual({ wim: 'Wim W.' })
  })
})
