import { describe, expect, it } from 'vitest'
import { expectStatus, read } from '../support/conflicts.ts'
import { startDocumentServer } from '../support/documents.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(startDocumentServer)
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
