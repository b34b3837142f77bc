import { describe, expect, it } from 'vitest'
import { Ageing } from '../support/ageing.ts'
import { expectStatus, read } from '../support/conflicts.ts'
import { startDocumentServer } from '../support/documents.ts'
import { StockClient } from '../support/stockClient.ts'
import { suiteServer } from '../support/suite.ts'

const ageing = new Ageing()
const server = suiteServer(() => startDocumentServer(ageing.variables, ageing.clock))
const alice = server.caller('alice')

const JSON_TYPE = { 'content-type': 'application/json' }
const MERGE = { 'content-type': 'application/merge-patch+json' }
const PATCH = { 'content-type': 'application/json-patch+json' }

describe('[DOC-9] a number that a double does not stand for is refused with its place', () => {
  const id = 'doc:numbers'
  const operation = `{"action":"put","document":"${id}","baseVersion":1,"content":{"id":369553424691494913}}`
  const conflictId = 'cfl_01ARZ3NDEKTSV4RRFFQ69G5FAV'

  it.each<[string, string, string, string, Record<string, string>]>([
    ['POST', '/documents', '{"kind":"json","content":{"id":369553424691494913}}', '/content/id', JSON_TYPE],
    ['PUT', `/documents/${id}`, '{"baseVersion":1,"content":{"id":[1e-400]}}', '/content/id/0', JSON_TYPE],
    ['PUT', `/documents/${id}/content?baseVersion=1`, '{"id":369553424691494913}', '/id', JSON_TYPE],
    ['PATCH', `/documents/${id}/content?baseVersion=1`, '{"a":{"b":-9007199254740993}}', '/a/b', MERGE],
    ['PATCH', `/documents/${id}/content?baseVersion=1`, '[{"op":"add","path":"/a","value":1e-999}]', '/0/value', PATCH],
    ['POST', '/transactions', `{"commit":true,"operations":[${operation}]}`, '/operations/0/content/id', JSON_TYPE],
    ['POST', '/transactions', `{"operations":[${operation}]}`, '/operations/0/content/id', JSON_TYPE],
    ['POST', '/transactions/x/operations', `{"operations":[${operation}]}`, '/operations/0/content/id', JSON_TYPE],
    [
      'POST',
      '/resolve-conflict',
      `{"conflictId":"${conflictId}","baseVersion":1,"use":"choices","choices":{"o":{"value":9007199254740993}}}`,
      '/choices/o/value',
      JSON_TYPE,
    ],
  ])('[DOC-9] %s %s %s', async (method, path, body, pointer, headers) => {
    await alice.post('/documents', { id, kind: 'json', content: {} })
    const answer = await alice.call(method, path, body, headers)
    expect([answer.status, answer.body.code, answer.body.pointer]).toEqual([400, 'invalid-json', pointer])
    expect(await read(alice, id)).toEqual({ content: {}, version: 1 })
  })

  it('[DOC-9] what was read of any double can be sent back', async () => {
    const text = JSON.stringify({ numbers: [2 ** 66, 1e21, 1e23, -(2 ** 60), 5e-324, Number.MAX_VALUE, 0.1 + 0.2] })
    const sent = await server.create({})
    expectStatus(await alice.put(`/documents/${sent}/content?baseVersion=1`, text, JSON_TYPE), 200)
    const got = JSON.stringify((await alice.get(`/documents/${sent}/content`)).body)
    expect(got).toBe(text)
    expectStatus(await alice.put(`/documents/${sent}/content?baseVersion=2`, got, JSON_TYPE), 200)
  })
})

describe('[DOC-9] one strong ETag is always the same bytes', () => {
  /** The JSON of a version wherever it is shown with its content. */
  async function shownAt(id: string, version: number): Promise<string[]> {
    const old = await alice.get(`/documents/${id}/versions/${version}`)
    const document = await alice.get(`/documents/${id}`)
    if (document.body.version !== version) return [JSON.stringify(old.body.content)]
    const content = await alice.get(`/documents/${id}/content`)
    return [old.body.content, document.body.content, content.body].map((one) => JSON.stringify(one))
  }

  it('[DOC-9] of REST and live writes, in the document, its content, its versions and sides of conflicts', async () => {
    const id = await server.create({ zeta: 1, alpha: { y: [{ d: 1, c: 2 }], x: 2 }, '10': 1, '9': 2 })
    const sizes = '{"m":{"z":1,"b":2},"zeta":1,"b":0,"alpha":{"w":1,"x":2},"9":1}'
    expectStatus(await alice.put(`/documents/${id}/content?baseVersion=1`, sizes, JSON_TYPE), 200)
    expectStatus(
      await alice.patch(`/documents/${id}/content?baseVersion=2`, '{"a":{"q":1,"c":2},"b":null}', MERGE),
      200,
    )
    const client = await new StockClient(`${server.url.replace('http', 'ws')}/sync`, id, {
      token: await server.token('bob'),
      kind: 'json',
    }).synced()
    for (const key of ['n', 'c', 'aa']) client.doc.getMap('content').set(key, { y: key, b: 1 })
    await expect.poll(async () => (await alice.get(`/documents/${id}/content`)).body).toHaveProperty('aa')
    client.destroy()
    const { version } = await read(alice, id)
    const onConflict = 'merge'
    const merged = await alice.put(`/documents/${id}`, {
      content: { '0': 1, ...JSON.parse(sizes) },
      baseVersion: 2,
      onConflict,
    })
    expect([merged.status, merged.body.outcome]).toEqual([200, 'merged'])
    const before = new Map<number, string>()
    for (let n = 1; n <= version + 1; n++) {
      const [first, ...others] = await shownAt(id, n)
      for (const other of others) expect(other).toBe(first)
      before.set(n, first ?? '')
    }
    expect(JSON.stringify(merged.body.content)).toBe(before.get(version + 1))
    expect(before.get(1)).toBe('{"9":2,"10":1,"alpha":{"x":2,"y":[{"c":2,"d":1}]},"zeta":1}')

    const stale = { content: { zeta: 9, alpha: { z: 1, a: 1 } }, baseVersion: 1 }
    const { conflict } = expectStatus(await alice.put(`/documents/${id}`, stale), 409).body
    const sides = [conflict.base, conflict.current, conflict.incoming].map((side) => JSON.stringify(side.content))
    expect(sides).toEqual([before.get(1), before.get(version + 1), '{"alpha":{"a":1,"z":1},"zeta":9}'])

    await server.restart()
    ageing.passes()
    const versions = async (): Promise<{ version: number; firstVersion?: number }[]> =>
      (await alice.get(`/documents/${id}/versions`)).body.items
    await expect.poll(async () => (await versions()).some((item) => item.firstVersion !== undefined)).toBe(true)
    const kept = await versions()
    for (const { version: n } of kept)
      for (const one of await shownAt(id, n)) expect([n, one]).toEqual([n, before.get(n)])
    const shown = (await alice.get(`/conflicts/${conflict.id}`)).body
    expect([shown.base, shown.current, shown.incoming].map((side) => JSON.stringify(side.content))).toEqual(sides)
    expectStatus(await alice.post(`/documents/${id}/restore`, { version: 1, baseVersion: version + 1 }), 200)
    for (const one of await shownAt(id, version + 2)) expect(one).toBe(before.get(1))
  })
})
