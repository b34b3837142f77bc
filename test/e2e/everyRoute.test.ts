import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestServer, type Answer, type Caller, type TestServer } from '../support/server.ts'

interface Operation {
  readonly name: string
  readonly method: string
  /** With values for its parameters. */
  readonly path: string
  readonly isPublic: boolean
  /** `bad`: the same path with an id that is none. */
  readonly bad: string | null
  /** A media type of JSON that it takes. */
  readonly json: string
}

const VALUES: Readonly<Record<string, string>> = {
  id: 'every-route',
  version: '1',
  conflict: 'cfl_01ARZ3NDEKTSV4RRFFQ69G5FAV',
  proposal: 'prp_01ARZ3NDEKTSV4RRFFQ69G5FAV',
  webhook: 'whk_01ARZ3NDEKTSV4RRFFQ69G5FAV',
  transaction: 'txn_01ARZ3NDEKTSV4RRFFQ69G5FAV',
  delivery: 'msg_01ARZ3NDEKTSV4RRFFQ69G5FAV',
  code: 'not-found',
}

/** Every route there is, as the server itself describes it. */
async function operationsOf(url: string): Promise<Operation[]> {
  const { paths } = JSON.parse(await (await fetch(`${url}/openapi.json`)).text())
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers freely
  return Object.entries<Record<string, any>>(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      name: operation.operationId,
      method: method.toUpperCase(),
      path: path.replace(/\{(\w+)\}/g, (_, name: string) => VALUES[name] ?? ''),
      bad: path.includes('/documents/{id}')
        ? path.replace('{id}', '%20').replace(/\{(\w+)\}/g, (_, name: string) => VALUES[name] ?? '')
        : null,
      isPublic: operation.security?.length === 0,
      json:
        Object.keys(operation.requestBody?.content ?? {}).find((type) => type.endsWith('json')) ?? 'application/json',
    })),
  )
}

describe('every route', () => {
  let server: TestServer
  let ann: Caller
  let all: Operation[]
  beforeAll(async () => {
    server = await startTestServer()
    ann = await server.as('ann', { '*': ['admin'] })
    all = await operationsOf(server.url)
    await ann.post('/documents', { id: 'every-route', kind: 'text' })
  })
  afterAll(() => server.stop())

  /** What each of these routes answers, by its name. */
  async function codes(
    those: (one: Operation) => boolean,
    ask: (one: Operation) => Promise<Pick<Answer, 'status' | 'body'>>,
  ): Promise<string[]> {
    const answers: string[] = []
    for (const one of all.filter(those)) {
      const { status, body } = await ask(one)
      answers.push(`${one.name}: ${status} ${body.code}`)
    }
    expect(answers.length).toBeGreaterThan(0)
    return answers
  }
  const isAll = (answers: string[], what: string): void =>
    expect(answers.filter((one) => !one.endsWith(`: ${what}`))).toEqual([])
  const changes = ({ method }: Operation): boolean => method !== 'GET'
  const isOnDocument = ({ bad }: Operation): boolean => bad !== null

  it('[AUTH-2] without a token is 401, but for those that ask for none', async () => {
    const ask = async ({ method, path }: Operation) => {
      const answer = await fetch(server.url + path, { method })
      return { status: answer.status, body: await answer.json() }
    }
    isAll(await codes(({ isPublic }) => !isPublic, ask), '401 unauthenticated')
  })

  it('[API-4] refuses a query parameter that it does not know', async () => {
    const ask = ({ method, path, json }: Operation) =>
      ann.call(method, `${path}?nonsense=1`, changes({ method } as Operation) ? {} : undefined, {
        'content-type': json,
      })
    isAll(await codes(() => true, ask), '400 invalid-request')
  })

  it('[API-4] refuses a body of a type that it does not take', async () => {
    const ask = ({ method, path }: Operation) =>
      ann.call(method, path, 'x', { 'content-type': 'application/x-nonsense' })
    isAll(await codes(changes, ask), '415 unsupported-media-type')
  })

  it('[API-4] refuses a body that is no JSON', async () => {
    const ask = ({ method, path, json }: Operation) => ann.call(method, path, '{', { 'content-type': json })
    isAll(await codes(changes, ask), '400 invalid-json')
  })

  it('[API-4] refuses an id of a document that is none', async () => {
    const ask = ({ method, bad, json }: Operation) =>
      ann.call(method, bad ?? '', method === 'GET' ? undefined : {}, { 'content-type': json })
    isAll(await codes(isOnDocument, ask), '400 invalid-id')
  })

  it('[AUTH-2] hides a document that one may not read', async () => {
    const ben = await server.as('ben', { 'other:*': ['admin'] })
    const ask = ({ method, path, json }: Operation) =>
      ben.call(method, path, method === 'GET' ? undefined : {}, { 'content-type': json })
    isAll(await codes(isOnDocument, ask), '404 not-found')
  })

  it('[AUTH-2] is forbidden to who may read a document only, where it changes it', async () => {
    const cid = await server.as('cid', { '*': ['read'] })
    const ask = ({ method, path, json }: Operation) => cid.call(method, path, {}, { 'content-type': json })
    isAll(await codes((one) => isOnDocument(one) && changes(one), ask), '403 forbidden')
  })
})
