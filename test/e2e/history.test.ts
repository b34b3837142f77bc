import { describe, expect, it } from 'vitest'
import { expectStatus } from '../support/conflicts.ts'
import { startDocumentServer, verdict, written } from '../support/documents.ts'
import { StockClient } from '../support/stockClient.ts'
import type { Caller } from '../support/server.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(startDocumentServer)
const ann = server.caller('ann')
const bob = server.caller('bob')
const olga = server.caller('olga', { '*': ['admin'] })

const history = (first: unknown, ...writes: [by: Caller, content: unknown][]): Promise<string> =>
  written(server, first, writes)

describe('versions', () => {
  it('[HIST-1] are listed newest first with author, time, origin and size, page by page', async () => {
    const id = await history('one', [ann, 'two'], [bob, 'three'])
    expectStatus(await ann.patch(`/documents/${id}`, { conflictPolicy: 'merge', baseVersion: 3 }), 200)
    const { items } = expectStatus(await ann.get(`/documents/${id}/versions`), 200).body
    expect(items.map((item: { version: number }) => item.version)).toEqual([4, 3, 2, 1])
    expect(items[0]).toEqual({
      version: 4,
      authors: ['ann'],
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      origin: 'settings',
      label: null,
      bytes: 0,
    })
    expect(items[1]).toMatchObject({ authors: ['bob'], origin: 'write', bytes: expect.any(Number) })
    expect(items[3]).toMatchObject({ authors: ['olga'], origin: 'create' })
    const seen: number[] = []
    for (let cursor = ''; ;) {
      const page = expectStatus(await ann.get(`/documents/${id}/versions?limit=3${cursor}`), 200).body
      seen.push(...page.items.map((item: { version: number }) => item.version))
      if (page.nextCursor === undefined) break
      cursor = `&cursor=${page.nextCursor}`
    }
    expect(seen).toEqual([4, 3, 2, 1])
    expect(verdict(await ann.get(`/documents/${id}/versions?limit=0`))).toBe('400 invalid-request')
    expect(verdict(await ann.get(`/documents/${id}/versions?cursor=WyJhIl0`))).toBe('400 invalid-cursor')
  })

  it('[HIST-1] [HIST-2] what is typed live is an entry of its author, with its content', async () => {
    const id = await server.create('')
    const socket = `${server.url.replace('http', 'ws')}/sync`
    const typist = await new StockClient(socket, id, { token: await server.token('typist') }).synced()
    typist.text.insert(0, 'typed')
    await expect.poll(async () => (await ann.get(`/documents/${id}/content`)).body).toBe('typed')
    typist.destroy()
    const [newest] = expectStatus(await ann.get(`/documents/${id}/versions?limit=1`), 200).body.items
    expect(newest).toMatchObject({ authors: ['typist'], origin: 'live' })
    expect((await ann.get(`/documents/${id}/versions/${newest.version}`)).body.content).toBe('typed')
  })

  it('[HIST-2] each has the content it had; one that never was is 404, no number 400', async () => {
    const id = await history({ a: 1 }, [ann, { a: 2 }], [bob, { a: 2, b: [] }])
    const at = (version: number | string) => ann.get(`/documents/${id}/versions/${version}`)
    expect((await at(1)).body).toMatchObject({ version: 1, content: { a: 1 }, authors: ['olga'], origin: 'create' })
    expect((await at(2)).body).toEqual({
      version: 2,
      content: { a: 2 },
      authors: ['ann'],
      at: expect.any(String),
      origin: 'write',
      label: null,
      etag: expect.stringMatching(/^[0-9a-z]+-2$/),
    })
    expect((await at(3)).body.etag).toBe((await ann.get(`/documents/${id}`)).body.etag)
    expect((await at(3)).body.content).toEqual({ a: 2, b: [] })
    for (const version of [0, 4, '999999999999999']) expect(verdict(await at(version))).toBe('404 not-found')
    for (const version of ['x', '-1', '1.5', '01', '9999999999999999']) {
      expect(verdict(await at(version))).toBe('400 invalid-request')
    }
  })

  it('[HIST-3] take a label, another, or none; a label needs `write` and a version', async () => {
    const id = await history('one', [ann, 'two'])
    const path = `/documents/${id}/versions/1/label`
    const reader = await server.as('rob', { '*': ['read'] })
    expect(verdict(await reader.put(path, { label: 'x' }))).toBe('403 forbidden')
    expect((await ann.put(path, { label: 'as sent' })).body).toMatchObject({ version: 1, label: 'as sent' })
    expect((await reader.get(`/documents/${id}/versions/1`)).body.label).toBe('as sent')
    expect(
      (await ann.get(`/documents/${id}/versions`)).body.items.map((item: { label: unknown }) => item.label),
    ).toEqual([null, 'as sent'])
    expect((await ann.put(path, { label: null })).body.label).toBeNull()
    expect(verdict(await ann.put(`/documents/${id}/versions/3/label`, { label: 'x' }))).toBe('404 not-found')
    for (const body of [{}, { label: '' }, { label: 'x'.repeat(201) }, { label: 1 }, { label: 'x', by: 'me' }]) {
      expect(verdict(await ann.put(path, body))).toBe('400 invalid-request')
    }
  })

  it('[HIST-1] [HIST-2] [HIST-6] of a document one may not read are 404, of none too', async () => {
    const id = await history('one')
    const stranger = await server.as('eve', { 'other:*': ['read', 'write'] })
    for (const path of ['versions', 'versions/1', 'diff?from=1&to=1', 'blame']) {
      expect(verdict(await stranger.get(`/documents/${id}/${path}`))).toBe('404 not-found')
      expect(verdict(await ann.get(`/documents/never/${path}`))).toBe('404 not-found')
    }
  })

  it('[DOC-6] of a deleted document are for admin; a new life shows others only itself', async () => {
    const id = await history('one', [ann, 'two'])
    await ann.put(`/documents/${id}/versions/1/label`, { label: 'first' })
    expectStatus(await ann.delete(`/documents/${id}?baseVersion=2`), 204)
    for (const path of ['versions', 'versions/2', 'diff?from=1&to=2', 'blame']) {
      const refused = await ann.get(`/documents/${id}/${path}`)
      expect([verdict(refused), refused.body.lastVersion]).toEqual(['410 document-deleted', 3])
      expectStatus(await olga.get(`/documents/${id}/${path}`), 200)
    }
    expect(verdict(await olga.put(`/documents/${id}/versions/1/label`, { label: 'x' }))).toBe('410 document-deleted')
    expect((await olga.get(`/documents/${id}/versions/3`)).body).toMatchObject({ content: 'two', origin: 'delete' })
    expectStatus(await ann.put(`/documents/${id}`, { content: { new: true }, baseVersion: 0 }), 201)
    const versionsOf = async (by: Caller) =>
      (await by.get(`/documents/${id}/versions`)).body.items.map((item: { version: number }) => item.version)
    expect(await versionsOf(ann)).toEqual([4])
    expect(await versionsOf(olga)).toEqual([4, 3, 2, 1])
    expect(verdict(await ann.get(`/documents/${id}/versions/2`))).toBe('404 not-found')
    expect((await olga.get(`/documents/${id}/versions/2`)).body.content).toBe('two')
    expect(verdict(await olga.get(`/documents/${id}/diff?from=2&to=4`))).toBe('400 invalid-request')
    expect((await olga.get(`/documents/${id}/diff?from=1&to=2`)).body.hunks).toHaveLength(1)
    expect((await ann.get(`/documents/${id}/diff?from=0&to=4`)).body.changes).toEqual([
      { pointer: '/new', from: { present: false }, to: { present: true, value: true }, authors: ['ann'] },
    ])
  })
})

describe('differences', () => {
  it('[HIST-2] of texts are hunks of lines, each with its authors, both ways', async () => {
    const id = await history('a\nb\nc\nd', [ann, 'a\nB\nc\nd'], [bob, 'a\nB\nc\nd\ne'], [ann, 'a\nB\nd\ne'])
    const diff = async (from: number, to: number) =>
      expectStatus(await bob.get(`/documents/${id}/diff?from=${from}&to=${to}`), 200).body
    expect(await diff(1, 4)).toEqual({
      hunks: [
        { lines: { from: { start: 2, end: 4 }, to: { start: 2, end: 3 } }, from: 'b\nc', to: 'B', authors: ['ann'] },
        { lines: { from: { start: 5, end: 5 }, to: { start: 4, end: 5 } }, from: '', to: 'e', authors: ['bob'] },
      ],
    })
    expect(await diff(4, 1)).toEqual({
      hunks: [
        { lines: { from: { start: 2, end: 3 }, to: { start: 2, end: 4 } }, from: 'B', to: 'b\nc', authors: ['ann'] },
        { lines: { from: { start: 4, end: 5 }, to: { start: 5, end: 5 } }, from: 'e', to: '', authors: ['bob'] },
      ],
    })
    expect(await diff(3, 3)).toEqual({ hunks: [] })
    expect(await diff(0, 0)).toEqual({ hunks: [] })
    expect((await diff(0, 1)).hunks[0].authors).toEqual(['olga'])
    expect(verdict(await bob.get(`/documents/${id}/diff?from=1&to=9`))).toBe('404 not-found')
    for (const query of ['', '?from=1', '?from=a&to=2', '?from=-1&to=2', '?from=1&to=2&x=1']) {
      expect(verdict(await bob.get(`/documents/${id}/diff${query}`))).toBe('400 invalid-request')
    }
  })

  it('[HIST-2] of json are pointers with values and authors; a value that went and came back is none', async () => {
    const first = { title: 'x', list: [1, 2, 3], old: null }
    const id = await history(
      first,
      [ann, { ...first, title: 'y' }],
      [bob, { title: 'y', list: [1, 9, 2, 3] }],
      [ann, { title: 'x', list: [1, 9, 2, 4] }],
    )
    const { changes } = expectStatus(await ann.get(`/documents/${id}/diff?from=1&to=4`), 200).body
    const byPointer = new Map(changes.map((change: { pointer: string }) => [change.pointer, change]))
    expect(byPointer.get('/old')).toEqual({
      pointer: '/old',
      from: { present: true, value: null },
      to: { present: false },
      authors: ['bob'],
    })
    expect(byPointer.get('/list/1')).toMatchObject({ to: { present: true, value: 9 }, authors: ['bob'] })
    expect(byPointer.get('/list/2')).toMatchObject({ to: { present: true, value: 4 }, authors: ['ann'] })
    expect(byPointer.has('/title')).toBe(false)
  })

  it('[HIST-2] across a deletion is refused also where both contents are equal', async () => {
    const id = await history('a\nb', [ann, 'a\nB'])
    expectStatus(await olga.delete(`/documents/${id}?baseVersion=2`), 204)
    expectStatus(await olga.post('/documents', { id, kind: 'text', content: 'a\nB' }), 201)
    expectStatus(await ann.put(`/documents/${id}`, { content: 'else', baseVersion: 4 }), 200)
    for (const [from, to] of [
      [2, 4],
      [4, 2],
      [1, 5],
      [2, 5],
    ]) {
      expect(verdict(await olga.get(`/documents/${id}/diff?from=${from}&to=${to}`))).toBe('400 invalid-request')
    }
    expect((await olga.get(`/documents/${id}/diff?from=1&to=2`)).body.hunks).toHaveLength(1)
    expect((await olga.get(`/documents/${id}/diff?from=2&to=2`)).body.hunks).toEqual([])
    expect((await olga.get(`/documents/${id}/diff?from=2&to=3`)).body.hunks).toEqual([])
  })

  it('[HIST-2] of an array names everyone who changed one of its elements', async () => {
    const id = await history({ l: [1, 2, 3, 4] }, [ann, { l: [1, 20, 3, 4] }], [bob, { l: [1, 20, 4] }])
    const { changes } = (await ann.get(`/documents/${id}/diff?from=1&to=3`)).body
    expect(changes).toMatchObject([{ pointer: '/l/1', elements: true, authors: ['ann', 'bob'] }])
  })
})

describe('blame', () => {
  it('[HIST-6] names author, version and time of every line', async () => {
    const id = await history('a\nb\nc', [ann, 'a\nB\nc'], [bob, 'x\na\nB\nc'])
    expect((await ann.get(`/documents/${id}/blame`)).body).toEqual({
      version: 3,
      blame: [
        { lines: { start: 1, end: 2 }, author: 'bob', version: 3, at: expect.any(String) },
        { lines: { start: 2, end: 3 }, author: 'olga', version: 1, at: expect.any(String) },
        { lines: { start: 3, end: 4 }, author: 'ann', version: 2, at: expect.any(String) },
        { lines: { start: 4, end: 5 }, author: 'olga', version: 1, at: expect.any(String) },
      ],
      truncated: false,
    })
  })

  it('[HIST-6] does not name who only took out the line before, or the one behind', async () => {
    const before = await history('l0\nl1', [bob, 'l0\nl1\nl2'], [bob, 'l0\nl2'])
    const behind = await history('l0\nl1', [ann, 'l0\nl1\nl2'], [bob, 'l0\nl1'])
    const versions = async (id: string): Promise<number[]> =>
      (await ann.get(`/documents/${id}/blame`)).body.blame.map((one: { version: number }) => one.version)
    expect(await versions(before)).toEqual([1, 2])
    expect(await versions(behind)).toEqual([1])
  })

  it('[HIST-6] names author, version and time of every value', async () => {
    const id = await history(
      { a: { x: 1, y: 2 }, b: [1] },
      [ann, { a: { x: 1, y: 3 }, b: [1] }],
      [bob, { a: { x: 1, y: 3 }, b: [1, 2] }],
    )
    const { blame } = (await ann.get(`/documents/${id}/blame`)).body
    expect(
      blame.map((one: { pointer: string; author: string; version: number }) => [one.pointer, one.author, one.version]),
    ).toEqual([
      ['/a/x', 'olga', 1],
      ['/a/y', 'ann', 2],
      ['/b/0', 'olga', 1],
      ['/b/1', 'bob', 3],
    ])
  })

  it('[HIST-6] of an empty document is one empty line, or the root', async () => {
    const [text, json] = [await history(''), await history({})]
    expect((await ann.get(`/documents/${text}/blame`)).body.blame).toMatchObject([{ lines: { start: 1, end: 2 } }])
    expect((await ann.get(`/documents/${json}/blame`)).body.blame).toMatchObject([{ pointer: '' }])
  })
})
