/**
 * The examples of the API description and of the problem pages: one story, told to a real server. What differs from run
 * to run (ids, tags, times, tokens) is replaced by what looks like it.
 */
import type { Exchange } from '../../server/api/description/examples.ts'
import type { Json } from '../../server/api/description/components.ts'
import { caller, startTestServer, type Answer, type Caller } from './server.ts'

/** Small limits, so that what goes past them can be shown. */
const VARIABLES = {
  PARLEY_PUBLIC_URL: 'https://parley.example',
  PARLEY_MAX_CONTENT_BYTES: '1024',
  PARLEY_MAX_CONTENT_DEPTH: '4',
}

interface Shown {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Ann, unless somebody else asks. */
  readonly by?: Caller
}

/** Asks, shows what was asked and answered under this name, and answers it. */
type Show = (name: string, operation: string, request: string, shown?: Shown) => Promise<Answer>

export async function examples(): Promise<Exchange[]> {
  const server = await startTestServer({ variables: VARIABLES })
  const exchanges: Exchange[] = []
  try {
    const people = {
      ann: await server.as('ann', { '*': ['admin'] }),
      ben: await server.as('ben', { 'team:*': ['read', 'write'] }),
      cleo: await server.as('cleo', { 'team:*': ['read'] }),
      nobody: caller(() => server.url, 'expired'),
    }
    const show: Show = async (name, operation, request, { body, headers = {}, by = people.ann } = {}) => {
      const [method = '', path = ''] = request.split(' ')
      const answer = await by.call(method, path, body, headers)
      exchanges.push(exchangeOf({ name, operation, method, path, headers, body }, answer))
      return answer
    }
    await tellOfDocuments(show, people)
    await tellOfWrites(show, people)
    await tellOfConflicts(show, people)
    await tellOfHistory(show, people)
    await tellOfLocks(show, people)
    await tellOfTransactions(show, people)
    await tellOfNotifications(show, people)
    await tellOfAccess(show, people)
    await tellOfLimits(exchanges)
  } finally {
    await server.stop()
  }
  return lookalike(exchanges)
}

type People = Readonly<Record<'ann' | 'ben' | 'cleo' | 'nobody', Caller>>

async function tellOfDocuments(show: Show, { ben, cleo, nobody }: People): Promise<void> {
  const plan = { id: 'team:plan', kind: 'text', content: 'Monday: sketch\nTuesday: build\n' }
  await show('A text', 'createDocument', 'POST /documents', { body: plan })
  await show('A json document with a schema', 'createDocument', 'POST /documents', { body: BUDGET })
  await show('The id is taken', 'createDocument', 'POST /documents', { body: plan })
  const unusable = { id: 'team:other', kind: 'json', schema: { $ref: 'https://elsewhere.example' } }
  await show('A schema from elsewhere', 'createDocument', 'POST /documents', { body: unusable })
  await show('A list', 'listDocuments', 'GET /documents?pattern=team:*&limit=10')
  await show('A cursor that is none', 'listDocuments', 'GET /documents?cursor=abc')
  await show('A document', 'readDocument', 'GET /documents/team:plan', { by: cleo })
  await show('No token that counts', 'readDocument', 'GET /documents/team:plan', { by: nobody })
  await show('A document that one may not read', 'readDocument', 'GET /documents/private:diary', { by: cleo })
  await show('An id that is none', 'readDocument', 'GET /documents/no%20id')
  await show('A parameter that is unknown', 'readDocument', 'GET /documents/team:plan?colour=red')
  await show('The bare text', 'readContent', 'GET /documents/team:plan/content')
  await show('Only reading is allowed', 'writeDocument', 'PUT /documents/team:plan', {
    body: { content: 'mine', baseVersion: 1 },
    by: cleo,
  })
  await show('Another policy', 'changeSettings', 'PATCH /documents/team:budget', {
    body: { conflictPolicy: 'merge', baseVersion: 1 },
  })
  await show('A method that the path does not take', '', 'POST /documents/team:plan', { body: {}, by: ben })
  await show('Headers that are too large', 'listDocuments', 'GET /documents', {
    headers: { 'x-large': 'x'.repeat(17_000) },
  })
}

const BUDGET = {
  id: 'team:budget',
  kind: 'json',
  content: { rent: 1200, food: 300 },
  schema: { type: 'object', additionalProperties: { type: 'number' } },
}

async function tellOfWrites(show: Show, { ann, ben }: People): Promise<void> {
  const { headers } = await ann.get('/documents/team:plan')
  const etag = headers.get('etag') ?? ''
  await show('On the version that was read', 'writeDocument', 'PUT /documents/team:plan', {
    body: { content: 'Monday: sketch\nTuesday: build and test\n' },
    headers: { 'if-match': etag },
  })
  await show('Without a version', 'writeDocument', 'PUT /documents/team:plan', { body: { content: 'mine' } })
  await show('A weak tag', 'writeDocument', 'PUT /documents/team:plan', {
    body: { content: 'mine' },
    headers: { 'if-match': `W/${etag}` },
  })
  await show('A version that never was', 'writeDocument', 'PUT /documents/team:plan', {
    body: { content: 'mine', baseVersion: 99 },
  })
  await show('Only where it is not there yet', 'writeDocument', 'PUT /documents/team:plan', {
    body: { content: 'mine' },
    headers: { 'if-none-match': '*' },
  })
  await show('A document that is new', 'writeDocument', 'PUT /documents/team:notes', {
    body: { content: 'milk\n' },
    headers: { 'if-none-match': '*' },
  })
  await show('An object for a text', 'writeDocument', 'PUT /documents/team:plan', {
    body: { content: {}, baseVersion: 2 },
  })
  await show('Too long', 'writeDocument', 'PUT /documents/team:plan', {
    body: { content: 'x'.repeat(1_025), baseVersion: 2 },
  })
  await show('Too deep', 'writeDocument', 'PUT /documents/team:tree', {
    body: { content: { a: { b: { c: { d: { e: 1 } } } } }, baseVersion: 0 },
  })
  await show('It breaks the schema', 'writeDocument', 'PUT /documents/team:budget', {
    body: { content: { rent: 'a lot' }, baseVersion: 2 },
  })
  await show('A key twice', 'writeDocument', 'PUT /documents/team:plan', {
    body: '{"content": "a", "content": "b", "baseVersion": 2}',
  })
  await show('A text as it is', 'writeContent', 'PUT /documents/team:notes/content?baseVersion=1', {
    body: 'milk\nbread\n',
    headers: { 'content-type': 'text/plain' },
  })
  await show('XML', 'writeContent', 'PUT /documents/team:notes/content?baseVersion=2', {
    body: '<list/>',
    headers: { 'content-type': 'application/xml' },
  })
  const patch = { 'content-type': 'application/json-patch+json', 'idempotency-key': '5f1c' }
  await show('A JSON Patch', 'patchContent', 'PATCH /documents/team:budget/content?baseVersion=2', {
    body: [{ op: 'replace', path: '/food', value: 350 }],
    headers: patch,
  })
  await show('A key for another request', 'patchContent', 'PATCH /documents/team:budget/content?baseVersion=2', {
    body: [{ op: 'replace', path: '/food', value: 999 }],
    headers: patch,
  })
  await show(
    'A merge patch that others overtook',
    'patchContent',
    'PATCH /documents/team:budget/content?baseVersion=2',
    {
      body: { travel: 80 },
      headers: { 'content-type': 'application/merge-patch+json' },
      by: ben,
    },
  )
  await show('A test that fails', 'patchContent', 'PATCH /documents/team:budget/content?baseVersion=4', {
    body: [{ op: 'test', path: '/food', value: 1 }],
    headers: { 'content-type': 'application/json-patch+json' },
  })
}

async function tellOfConflicts(show: Show, { ann, ben, cleo }: People): Promise<void> {
  const stale = { content: 'Monday: sketch\nTuesday: write tests\n', baseVersion: 1 }
  const { body } = await show('Somebody wrote since', 'writeDocument', 'PUT /documents/team:plan', {
    body: stale,
    by: ben,
  })
  const id: string = body.conflict.id
  await show('Open ones', 'listConflicts', 'GET /conflicts?document=team:plan&status=open')
  await show('A conflict', 'readConflict', `GET /conflicts/${id}`, { by: cleo })
  await show('All overlaps', 'listOverlaps', `GET /conflicts/${id}/overlaps?limit=1`)
  await show('What it started from', 'readConflictBase', `GET /conflicts/${id}/base`)
  await show('What the document was', 'readConflictCurrent', `GET /conflicts/${id}/current`)
  await show('What was refused', 'readConflictIncoming', `GET /conflicts/${id}/incoming`)
  const choices = { [body.conflict.overlaps[0].id]: { text: 'Tuesday: build and write tests' } }
  const proposed = await show('By who may not resolve', 'resolveConflict', 'POST /resolve-conflict', {
    body: { conflictId: id, baseVersion: 2, use: 'choices', choices, comment: 'both' },
    by: ben,
  })
  const proposal: string = proposed.body.proposal.id
  await show('What a proposal would make', 'readProposal', `GET /conflicts/${id}/proposals/${proposal}`)
  await show('No choice for the overlap', 'resolveConflict', 'POST /resolve-conflict', {
    body: { conflictId: id, baseVersion: 2, use: 'choices', choices: {} },
  })
  await ann.post('/resolve-conflict', { conflictId: id, reject: proposal })
  await show('It was rejected already', 'resolveConflict', 'POST /resolve-conflict', {
    body: { conflictId: id, accept: proposal },
  })
  for (let pending = 0; pending < 20; pending += 1) {
    await ben.post('/resolve-conflict', { conflictId: id, baseVersion: 2, use: 'content', content: `${pending}` })
  }
  await show('Too many proposals wait', 'resolveConflict', 'POST /resolve-conflict', {
    body: { conflictId: id, baseVersion: 2, use: 'incoming' },
    by: ben,
    headers: { prefer: 'return=minimal' },
  })
  const resolution = { conflictId: id, baseVersion: 2, use: 'choices', choices }
  await show('A line that has both', 'resolveConflict', 'POST /resolve-conflict', {
    body: resolution,
    headers: { prefer: 'return=minimal' },
  })
  await show('It is resolved already', 'resolveConflict', 'POST /resolve-conflict', {
    body: resolution,
    headers: { prefer: 'return=minimal' },
  })
}

async function tellOfHistory(show: Show, { ann, ben }: People): Promise<void> {
  await show('Versions', 'listVersions', 'GET /documents/team:plan/versions?limit=2')
  await show('An earlier version', 'readVersion', 'GET /documents/team:plan/versions/1')
  await show('A name for it', 'labelVersion', 'PUT /documents/team:plan/versions/2/label', {
    body: { label: 'first draft' },
  })
  await show('What changed', 'compareVersions', 'GET /documents/team:plan/diff?from=1&to=3')
  await show('Who wrote what', 'readBlame', 'GET /documents/team:plan/blame')
  await show('As it was', 'restoreVersion', 'POST /documents/team:plan/restore', {
    body: { version: 2, baseVersion: 3 },
  })
  await show("Without somebody's changes", 'revertAuthor', 'POST /documents/team:budget/revert', {
    body: { author: 'ben', since: 2, baseVersion: 4 },
  })
  await ann.put('/documents/team:old', { content: 'a', baseVersion: 0 })
  await ann.put('/documents/team:old', { content: 'b', baseVersion: 1 })
  const { body } = await ben.put('/documents/team:old', { content: 'c', baseVersion: 1 })
  await show('A document', 'deleteDocument', 'DELETE /documents/team:old?baseVersion=2')
  await show('It was deleted', 'readDocument', 'GET /documents/team:old')
  await show('Its document was deleted', 'readConflict', `GET /conflicts/${body.conflict.id}`, { by: ben })
}

async function tellOfLocks(show: Show, { ann, ben }: People): Promise<void> {
  const lock = '/documents/team:notes/lock'
  const { body } = await show('For a minute', 'acquireLock', `POST ${lock}`, { body: { ttlSeconds: 60 } })
  const held = { 'lock-token': body.token }
  await show('Who holds it', 'readLock', `GET ${lock}`)
  await show('Somebody else holds it', 'acquireLock', `POST ${lock}`, { body: { ttlSeconds: 60 }, by: ben })
  const key = { 'idempotency-key': 'a7e0' }
  const waiting = ben.post(lock, { ttlSeconds: 60, waitSeconds: 5 }, key)
  await show('The first request waits still', 'acquireLock', `POST ${lock}`, {
    body: { ttlSeconds: 60, waitSeconds: 5 },
    headers: key,
    by: ben,
  })
  await show('For longer', 'renewLock', `PUT ${lock}`, { body: { ttlSeconds: 120 }, headers: held })
  await show('Not needed any more', 'releaseLock', `DELETE ${lock}`, { headers: held })
  await waiting
  await show('It passed on', 'renewLock', `PUT ${lock}`, { body: {}, headers: held })
  await ann.delete(`${lock}?break=true`)
}

async function tellOfTransactions(show: Show, { ann }: People): Promise<void> {
  const put = { action: 'put', document: 'team:notes', content: 'milk\n', baseVersion: 2 }
  const create = { action: 'create', document: 'team:list', kind: 'text', content: 'bread\n' }
  await show('All at once', 'beginTransaction', 'POST /transactions', {
    body: { operations: [put, create], commit: true },
  })
  await show('One operation is stale', 'beginTransaction', 'POST /transactions', {
    body: { operations: [{ ...put, content: 'eggs\n' }], commit: true },
    headers: { prefer: 'return=minimal' },
  })
  const { body } = await show('Staged', 'beginTransaction', 'POST /transactions', {
    body: { operations: [{ ...put, content: 'eggs\n', baseVersion: 3 }] },
  })
  const more = { action: 'put', document: 'team:list', content: 'bread, salt\n', baseVersion: 1 }
  await show('One more', 'addOperations', `POST /transactions/${body.id}/operations`, { body: { operations: [more] } })
  await show('What would come of it', 'previewTransaction', `GET /transactions/${body.id}`)
  await show('What was staged', 'commitTransaction', `POST /transactions/${body.id}/commit`)
  await show('It is committed already', 'commitTransaction', `POST /transactions/${body.id}/commit`)
  const begun: string[] = []
  for (let open = 0; open < 20; open += 1) begun.push((await ann.post('/transactions', {})).body.id)
  await show('Too many are open', 'beginTransaction', 'POST /transactions', { body: {} })
  for (const id of begun.slice(1)) await ann.delete(`/transactions/${id}`)
  await show('It is not wanted any more', 'rollBackTransaction', `DELETE /transactions/${begun[0] ?? ''}`)
}

async function tellOfNotifications(show: Show, { ann, ben }: People): Promise<void> {
  const { body: before } = await ann.get('/conflict-notifications?documents=team:tasks')
  await ann.post('/documents', { id: 'team:tasks', kind: 'text' })
  const since = encodeURIComponent(before.cursor)
  const path = `GET /conflict-notifications?documents=team:tasks&since=${since}&waitSeconds=20`
  await show('What happened since', 'readNotifications', path)
  await show('A cursor of another database', 'readNotifications', 'GET /conflict-notifications?since=x.00000000001')
  const url = 'https://hooks.example/parley'
  const { body } = await show('For conflicts', 'registerWebhook', 'POST /conflict-notifications', {
    body: { url, documents: ['team:*'], events: ['parley.conflict.detected'] },
    by: ben,
  })
  await show('A private address', 'registerWebhook', 'POST /conflict-notifications', {
    body: { url: 'http://127.0.0.1/', documents: ['team:*'] },
    by: ben,
  })
  await show("One's own", 'listWebhooks', 'GET /conflict-notifications/webhooks', { by: ben })
  await show('A webhook', 'readWebhook', `GET /conflict-notifications/${body.id}`, { by: ben })
  await show('Nothing yet', 'listDeliveries', `GET /conflict-notifications/${body.id}/deliveries`, { by: ben })
  for (let count = 0; count < 20; count += 1) await ann.post('/conflict-notifications', { url, documents: ['none:*'] })
  await show('Too many of them', 'registerWebhook', 'POST /conflict-notifications', {
    body: { url, documents: ['team:*'] },
  })
  await show('A webhook', 'deleteWebhook', `DELETE /conflict-notifications/${body.id}`, { by: ben })
}

async function tellOfAccess(show: Show, { nobody }: People): Promise<void> {
  await show('For a colleague', 'issueToken', 'POST /tokens', {
    body: { sub: 'ben', access: { 'team:*': ['read', 'write'] }, ttlSeconds: 3600 },
  })
  await show('Somebody who left', 'revokeTokens', 'POST /revocations', { body: { sub: 'dan' } })
  await show('It answers', 'readHealth', 'GET /healthz', { by: nobody })
  await show('What a code means', 'readProblem', 'GET /problems/weak-etag', { headers: { accept: 'application/json' } })
}

/** Of another server, which lets nearly nothing pass. */
async function tellOfLimits(exchanges: Exchange[]): Promise<void> {
  const server = await startTestServer({ variables: { ...VARIABLES, PARLEY_RATE_READ: '1' } })
  try {
    const dan = await server.as('dan')
    await dan.get('/documents')
    const answer = await dan.get('/documents')
    const asked = { name: 'Too often', operation: 'listDocuments', method: 'GET', path: '/documents', headers: {} }
    exchanges.push(exchangeOf({ ...asked, body: undefined }, answer))
  } finally {
    await server.stop()
  }
}

/** Headers of answers that an example shows. */
const TELLING = ['etag', 'location', 'link', 'retry-after', 'allow', 'accept', 'accept-patch', 'www-authenticate']

interface Asked {
  readonly name: string
  readonly operation: string
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
}

function exchangeOf({ name, operation, method, path, headers, body }: Asked, answer: Answer): Exchange {
  const type = headers['content-type'] ?? 'application/json'
  const shown = TELLING.flatMap((header): [string, string][] => {
    const value = answer.headers.get(header)
    return value === null ? [] : [[header, value]]
  })
  return {
    name,
    operation,
    request: { method, path, headers, ...(body === undefined ? {} : { type, body: body as Json }) },
    answer: {
      status: answer.status,
      headers: Object.fromEntries(shown),
      ...(answer.body === ''
        ? {}
        : { type: answer.headers.get('content-type')?.split(';')[0] ?? '', body: answer.body }),
    },
  }
}

/** The same with what no two runs have in common made alike. */
function lookalike(exchanges: readonly Exchange[]): Exchange[] {
  const seen = new Map<string, string>()
  const stable = (found: string, make: (count: string) => string): string => {
    const known = seen.get(found) ?? make(String(seen.size + 1).padStart(3, '0'))
    seen.set(found, known)
    return known
  }
  const text = JSON.stringify(exchanges)
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, '2026-11-30T09:00:00.000Z')
    // A second may pass on a busy machine.
    .replace(/"retry-after":"\d\d+"/g, '"retry-after":"60"')
    .replace(/wait \d+ s\./g, 'wait 60 s.')
    .replace(/(cfl|prp|whk|txn)_[0-9A-HJKMNP-TV-Z]{26}/g, (id, kind: string) =>
      stable(id, (count) => `${kind}_01KB9V3Q4R5S6T7V8W9X0Y1${count}`),
    )
    // A Yjs client id of chance takes four bytes or five.
    .replace(/"bytes":\d+/g, '"bytes":42')
    // Of the test's documents, each with its own letters.
    .replace(/\b[a-z2-7]{10,40}[0-9a-z_-]{4,40}-(\d+)\b/gi, (tag, version: string) =>
      stable(tag, (count) => `q5k2vn8t${count}-${version}`),
    )
  const value: Exchange[] = JSON.parse(text)
  return value.map((exchange) => withoutSecrets(exchange) as Exchange)
}

/** Members whose values are drawn, and how they look. */
const DRAWN: Readonly<Record<string, string>> = {
  token: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJiZW4ifQ.c2lnbmF0dXJl',
  'lock-token': 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJiZW4ifQ.c2lnbmF0dXJl',
  secret: 'whsec_c2VjcmV0IG9mIHRoZSBleGFtcGxl',
  cursor: 'k4m7.00000000042.q9w8e7r6',
  nextCursor: 'WzFd',
}
const MAX_SHOWN = 200

function withoutSecrets(value: unknown, name = ''): unknown {
  if (Array.isArray(value)) return value.slice(0, 3).map((one) => withoutSecrets(one))
  if (typeof value === 'object' && value !== null) {
    // An event has a cursor as its id.
    const members = 'specversion' in value ? { ...value, id: DRAWN['cursor'] } : value
    return Object.fromEntries(Object.entries(members).map(([key, member]) => [key, withoutSecrets(member, key)]))
  }
  if (typeof value !== 'string') return value
  if (name === 'path') return value.replace(/since=[^&]*/, `since=${DRAWN['cursor'] ?? ''}`)
  const drawn = DRAWN[name]
  if (drawn !== undefined) return drawn
  return value.length > MAX_SHOWN ? `${value.slice(0, 20)}… (${value.length} characters)` : value
}
