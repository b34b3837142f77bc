import { describe, expect, it } from 'vitest'
import { openApi } from '../../server/api/description/openApi.ts'
import type { DescribedRoute } from '../../server/api/description/routes.ts'
import { ListedDocumentShape, DocumentShape } from '../../server/api/shapes/documents.ts'
import { descriptionOf } from '../support/recorder.ts'
import type { SeenAnswer } from '../support/recorded.ts'
import { unmet } from '../support/unmetAnswers.ts'

const route = (url: string, about: Partial<DescribedRoute['about']>): DescribedRoute => ({
  method: 'GET',
  url,
  access: { document: 'id', needs: 'read' },
  body: null,
  query: null,
  takesQueryToken: false,
  about: { id: url, tag: 'documents', summary: url, answers: {}, ...about },
})
const description = descriptionOf(
  openApi(
    [
      route('/documents/:id', { answers: { 200: { text: 'It.', body: DocumentShape, headers: ['ETag'] } } }),
      route('/documents/listed', { answers: { 200: { text: 'It.', body: ListedDocumentShape } } }),
    ],
    { version: '1', publicUrl: 'https://parley.example' },
  ),
)

const DOCUMENT = {
  id: 'a',
  kind: 'text',
  version: 1,
  etag: 'x-1',
  conflictPolicy: 'manual',
  schema: null,
  root: 'content',
  createdAt: '2026-11-30T07:00:00.000Z',
  createdBy: 'ann',
  updatedAt: '2026-11-30T07:00:00.000Z',
  updatedBy: 'ann',
  content: '',
}
const HEADERS = {
  'content-type': 'application/json; charset=utf-8',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'",
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  etag: '"x-1"',
}
const answered = (body: object, changed: Partial<SeenAnswer> = {}): readonly string[] =>
  description.judge({
    method: 'GET',
    url: '/v1/documents/a?x=1',
    status: 200,
    headers: HEADERS,
    body: JSON.stringify(body),
    ...changed,
  }).wrong

const PROBLEM = { ...HEADERS, 'content-type': 'application/problem+json; charset=utf-8' }
const notFound = {
  type: 'https://parley.example/problems/not-found',
  title: 'Not found',
  status: 404,
  detail: 'There is no document a.',
  code: 'not-found',
  retryable: false,
}

describe('the recorder of answers', () => {
  it('[API-3] finds nothing wrong with what is described', () => {
    expect(answered(DOCUMENT)).toEqual([])
    expect(answered(DOCUMENT, { method: 'HEAD', body: null })).toEqual([])
    expect(answered(notFound, { status: 404, headers: PROBLEM })).toEqual(['the header etag is not described'])
  })

  it.each([
    ['a member that is not described', { ...DOCUMENT, colour: 'red' }, {}],
    ['a member that is missing', { ...DOCUMENT, version: undefined }, {}],
    ['a member of another type', { ...DOCUMENT, version: '1' }, {}],
    ['a header that is not described', DOCUMENT, { headers: { ...HEADERS, 'x-colour': 'red' } }],
    ['a header that is missing', DOCUMENT, { headers: { ...HEADERS, etag: undefined } }],
    ['a media type that is not described', DOCUMENT, { headers: { ...HEADERS, 'content-type': 'text/html' } }],
    ['a status that is not described', DOCUMENT, { status: 206 }],
    ['a code that is not described', { ...notFound, code: 'locked' }, { status: 404, headers: PROBLEM }],
    ['the answer of another route', DOCUMENT, { url: '/documents/listed' }],
    ['a page where there is no route', DOCUMENT, { url: '/nowhere' }],
  ])('[API-3] finds %s', (_what, body, changed) => {
    expect(answered(body, changed)).not.toEqual([])
  })

  it('[API-3] finds what is described and was met by no test', () => {
    const met = new Set(['a 200', 'a 404 not-found', 'b 503 overloaded'])
    const described = new Set([...met, 'a 503 overloaded', 'b 200', 'a 409 version-conflict'])
    expect(unmet(described, met).filter((one) => described.has(one))).toEqual(['a 409 version-conflict', 'b 200'])
  })
})
