import { describe, expect, it } from 'vitest'
import { expectStatus, read, stage, startConflictServer } from '../support/conflicts.ts'
import type { Caller } from '../support/server.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(() => startConflictServer())

const COUNT = 2_300

/** Every second line is one's own, so that no two overlaps are neighbours; all of them together are over 1 MiB. */
const lines = (mine: string): string =>
  Array.from({ length: COUNT }, (_, i) => `shared ${i}\n${mine} ${i} ${'.'.repeat(200)}`).join('\n')

async function allOverlaps(by: Caller, conflict: string): Promise<{ id: string; incoming: string }[]> {
  const all: { id: string; incoming: string }[] = []
  for (let cursor = ''; ;) {
    const { body } = expectStatus(await by.get(`/conflicts/${conflict}/overlaps?limit=500${cursor}`), 200)
    all.push(...body.items)
    if (body.nextCursor === undefined) return all
    cursor = `&cursor=${body.nextCursor}`
  }
}

describe('overlaps of a conflict', () => {
  it('[CONF-4] [RES-1] are all listed page by page, so that a choice can be made for each of thousands', async () => {
    const { id, olga, conflict } = await stage(server, {
      base: lines('base'),
      current: lines('current'),
      incoming: lines('incoming'),
    })
    expect(conflict).toMatchObject({ truncated: true })
    expect(conflict.overlaps).toHaveLength(1_000)
    const overlaps = await allOverlaps(olga, conflict.id)
    expect(overlaps).toHaveLength(COUNT)
    expect(overlaps.at(-1)).toMatchObject({
      id: `L${2 * COUNT}`,
      incoming: `incoming ${COUNT - 1} ${'.'.repeat(200)}`,
      authors: ['bob'],
    })
    const choices = Object.fromEntries(overlaps.map((overlap) => [overlap.id, 'incoming']))
    const way = { conflictId: conflict.id, baseVersion: 2, use: 'choices', choices }
    expectStatus(await olga.post('/resolve-conflict', way), 200)
    expect((await read(olga, id)).content === lines('incoming')).toBe(true)
  })

  it('[CONF-4] are read on only as they were when the first page was read', async () => {
    const { id, bob, alice, conflict } = await stage(server, {
      base: { a: 1, b: 1, c: 1 },
      current: { a: 2, b: 2, c: 2 },
      incoming: { a: 3, b: 3, c: 3 },
    })
    const first = expectStatus(await alice.get(`/conflicts/${conflict.id}/overlaps?limit=2`), 200).body
    expect(first.items).toMatchObject([{ id: 'P/a' }, { id: 'P/b', current: { value: 2, author: 'bob' } }])
    const next = `/conflicts/${conflict.id}/overlaps?cursor=${first.nextCursor}`
    expect(expectStatus(await alice.get(next), 200).body).toMatchObject({ items: [{ id: 'P/c' }] })
    expectStatus(await bob.put(`/documents/${id}`, { content: { a: 2, b: 2, c: 2, d: 4 }, baseVersion: 2 }), 200)
    const again = { content: { a: 3, b: 3, c: 3 }, baseVersion: 1 }
    expect(expectStatus(await alice.put(`/documents/${id}`, again), 409).body.conflict.id).toBe(conflict.id)
    expect(expectStatus(await alice.get(next), 400).body.code).toBe('invalid-cursor')
  })

  it('[CONF-5] are hidden from whoever cannot read the document', async () => {
    const { conflict } = await stage(server, { base: 'a', current: 'b', incoming: 'c' })
    const mallory = await server.as('mallory', { 'other:*': ['read', 'write'] })
    expectStatus(await mallory.get(`/conflicts/${conflict.id}/overlaps`), 404)
  })

  it.each([
    [true, 'a\r\nB  \r\nc', 'a\r\nB\nc'],
    [false, 'a\r\nB  \r\nc', 'a\r\nC\nc'],
  ])(
    '[CONF-2] tell whether only line ends and blanks at the ends of lines differ: %s',
    async (expected, current, incoming) => {
      const { conflict, olga } = await stage(server, { base: 'a\r\nb\r\nc', current, incoming })
      expect(conflict.whitespaceOnly).toBe(expected)
      const { body } = await olga.get(`/conflicts?document=${conflict.document.id}`)
      expect(body.items).toMatchObject([{ id: conflict.id, whitespaceOnly: expected }])
    },
  )
})

describe('the detail of a refusal', () => {
  it('[CONF-1] names the versions that met, and the conflict and the version to resolve it on', async () => {
    const { refused, conflict } = await stage(server, { base: 'a', current: 'b', incoming: 'c' })
    expect(refused.body.detail).toContain('based on version 1')
    expect(refused.body.detail).toContain('at version 2')
    expect(refused.body.detail).toContain(
      `Resolve conflict ${conflict.id} by POST /resolve-conflict with baseVersion 2`,
    )
  })

  it('[CONF-1] [WRITE-6] says of a policy that keeps current where the refused content stays', async () => {
    const { refused, conflict } = await stage(
      server,
      { base: 'a', current: 'b', incoming: 'c' },
      { conflictPolicy: 'current-wins' },
    )
    expect(refused.body.detail).toContain(`what was refused stays at /conflicts/${conflict.id}`)
  })

  it('[CONF-1] [RES-4] of a resolution that came too late names the versions as well', async () => {
    const { id, bob, olga, conflict } = await stage(server, { base: 'a', current: 'b', incoming: 'c' })
    expectStatus(await bob.put(`/documents/${id}`, { content: 'd', baseVersion: 2 }), 200)
    const late = await olga.post('/resolve-conflict', { conflictId: conflict.id, baseVersion: 2, use: 'incoming' })
    expect(expectStatus(late, 409).body.detail).toContain('from version 2 to 3')
  })
})
