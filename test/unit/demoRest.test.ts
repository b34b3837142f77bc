import { describe, expect, it } from 'vitest'
import { ProblemError, Rest, UnreachableError } from '../../client-demo/src/parley/rest.ts'
import { UnexpectedShape } from '../../client-demo/src/parley/readers.ts'
import { conflictJson } from '../support/demoConflict.ts'

interface Sent {
  readonly url: string
  readonly method: string
  readonly headers: Headers
  readonly body: string | null
}

const DOCUMENT = {
  id: 'team:notes',
  kind: 'text',
  version: 3,
  etag: 'abc-3',
  root: 'content',
  content: 'x',
  createdAt: '2026-11-01T09:00:00Z',
  updatedAt: '2026-11-01T10:00:00Z',
  updatedBy: 'ada',
}

const answer = (status: number, body: unknown): Response =>
  new Response(typeof body === 'string' ? body : JSON.stringify(body), { status })

/** A server of canned answers, in order, and what was asked of it. */
function canned(...answers: (Response | Error)[]): { rest: Rest; sent: Sent[]; renewals: string[] } {
  const sent: Sent[] = []
  const renewals: string[] = []
  const fetchCanned: typeof fetch = async (input, init) => {
    sent.push({
      url: String(input),
      method: init?.method ?? 'GET',
      headers: new Headers(init?.headers),
      body: typeof init?.body === 'string' ? init.body : null,
    })
    const next = answers.shift()
    if (next === undefined) throw new Error('nothing more was expected')
    if (next instanceof Error) throw next
    return next
  }
  const token = {
    current: async () => 'first',
    renew: async (refused: string) => {
      renewals.push(refused)
      return 'second'
    },
  }
  return { rest: new Rest({ baseUrl: 'http://here', token, fetch: fetchCanned }), sent, renewals }
}

describe('the REST client', () => {
  it('sends the token and reads the document', async () => {
    const { rest, sent } = canned(answer(200, DOCUMENT))
    expect((await rest.getDocument('team:notes')).version).toBe(3)
    expect(sent[0]?.url).toBe('http://here/documents/team%3Anotes')
    expect(sent[0]?.headers.get('authorization')).toBe('Bearer first')
  })

  it('writes the bare content on a quoted, strong etag', async () => {
    const { rest, sent } = canned(answer(200, { id: 'n', version: 4, etag: 'abc-4', outcome: 'written' }))
    await rest.putContent('n', 'json', '{"a": 1}', { etag: 'abc-3' })
    expect(sent[0]).toMatchObject({ method: 'PUT', url: 'http://here/documents/n/content', body: '{"a": 1}' })
    expect(sent[0]?.headers.get('if-match')).toBe('"abc-3"')
    expect(sent[0]?.headers.get('content-type')).toBe('application/json')
  })

  it('tries a 401 once more with a renewed token, and no more than once', async () => {
    const unauthorized = (): Response =>
      answer(401, { code: 'unauthenticated', status: 401, title: 'No', detail: 'expired', retryable: false })
    const { rest, sent, renewals } = canned(unauthorized(), unauthorized())
    await expect(rest.getDocument('n')).rejects.toMatchObject({ problem: { status: 401 } })
    expect(renewals).toEqual(['first'])
    expect(sent.map(({ headers }) => headers.get('authorization'))).toEqual(['Bearer first', 'Bearer second'])
  })

  it('rejects with the problem document, conflict included', async () => {
    const conflict = conflictJson({ base: 'a', current: 'b', incoming: 'c' })
    const { rest } = canned(
      answer(409, { code: 'version-conflict', status: 409, title: 'T', detail: 'D', retryable: false, conflict }),
    )
    const error = await rest.putContent('n', 'text', 'c', { etag: 'abc-1' }).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(ProblemError)
    expect(error).toMatchObject({ message: 'D', problem: { code: 'version-conflict', conflict: { id: 'cfl_1' } } })
  })

  it.each([
    ['the network fails', new TypeError('fetch failed')],
    ['a proxy answers with a page', answer(502, '<html>Bad Gateway</html>')],
    ['a refusal is JSON but no problem document', answer(500, { message: 'oops' })],
    ['a success is no JSON', answer(200, 'hello')],
  ])('is unreachable when %s', async (_, given) => {
    const { rest } = canned(given)
    await expect(rest.getDocument('n')).rejects.toBeInstanceOf(UnreachableError)
  })

  it('does not pass on a success of another shape', async () => {
    const { rest } = canned(answer(200, { ...DOCUMENT, version: '3' }))
    await expect(rest.getDocument('n')).rejects.toBeInstanceOf(UnexpectedShape)
  })

  it('asks for the next page with the cursor as it came', async () => {
    const { rest, sent } = canned(answer(200, { items: [] }))
    await rest.listDocuments({ cursor: 'a+b/c=&d' })
    const search = new URL(sent[0]?.url ?? '').searchParams
    expect(Object.fromEntries(search)).toMatchObject({ pattern: '*', cursor: 'a+b/c=&d' })
  })
})
