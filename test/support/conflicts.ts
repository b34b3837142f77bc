import type { Storage } from '../../server/storage/storage.ts'
import type { StoredEvent } from '../../server/model/event.ts'
import { systemEnvironment, type Environment } from '../../server/foundation/environment.ts'
import { toSequence } from '../../server/foundation/ids.ts'
import { startTestServer, type Answer, type Caller, type TestServer } from './server.ts'

export interface ConflictServer extends TestServer {
  /** The storage of the running server. */
  readonly storage: Storage
  /** An id no other test uses. */
  newId(): string
  /** The stored events of a document, oldest first, as `[type without its prefix, data]`. */
  eventsOf(id: string): Promise<readonly (readonly [string, StoredEvent['data']])[]>
}

/** `wrap` is asked at each start for what the server shall see in place of its storage. */
export async function startConflictServer(
  variables: Record<string, string> = {},
  wrap: (opened: Storage) => Storage = (opened) => opened,
  environment: Environment = systemEnvironment,
): Promise<ConflictServer> {
  let storage: Storage | null = null
  const wrapStorage = (opened: Storage): Storage => (storage = wrap(opened))
  const server = await startTestServer({ variables, environment, internals: { wrapStorage } })
  const opened = (): Storage => {
    if (!storage) throw new Error('the server has not opened its storage')
    return storage
  }
  let count = 0
  return {
    get url() {
      return server.url
    },
    get storage() {
      return opened()
    },
    file: server.file,
    token: server.token,
    as: server.as,
    restart: server.restart,
    stop: server.stop,
    newId: () => `doc-${++count}`,
    async eventsOf(id) {
      const events: StoredEvent[] = []
      for (;;) {
        const page = await opened().events(events.at(-1)?.sequence ?? toSequence(0), 500)
        if (page.length === 0) break
        events.push(...page)
      }
      return events
        .filter((event) => event.document === id)
        .map((event) => [event.type.slice('parley.'.length), event.data])
    },
  }
}

export interface Scene {
  readonly id: string
  readonly olga: Caller
  readonly bob: Caller
  readonly alice: Caller
  /** Has `resolve` without `write`. */
  readonly rita: Caller
  /** Has `write` without `resolve`. */
  readonly will: Caller
  /** The 409 that alice got. */
  readonly refused: Answer
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers freely
  readonly conflict: any
}

/** Olga creates the document as `base` (version 1), bob makes it `current` (version 2), alice's `incoming` on version 1 is refused. */
export async function stage(
  server: ConflictServer,
  contents: { base: unknown; current: unknown; incoming: unknown },
  settings: Record<string, unknown> = {},
): Promise<Scene> {
  const id = server.newId()
  const olga = await server.as('olga')
  const bob = await server.as('bob')
  const alice = await server.as('alice')
  const rita = await server.as('rita', { '*': ['read', 'resolve'] })
  const will = await server.as('will', { '*': ['read', 'write'] })
  const kind = typeof contents.base === 'string' ? 'text' : 'json'
  expectStatus(await olga.post('/documents', { id, kind, content: contents.base, ...settings }), 201)
  expectStatus(await bob.put(`/documents/${id}`, { content: contents.current, baseVersion: 1 }), 200)
  const refused = await alice.put(`/documents/${id}`, { content: contents.incoming, baseVersion: 1 })
  expectStatus(refused, 409)
  return { id, olga, bob, alice, rita, will, refused, conflict: refused.body.conflict }
}

/** Throws with the whole answer where it is not what the scene needs. */
export function expectStatus(answer: Answer, status: number): Answer {
  if (answer.status === status) return answer
  throw new Error(`expected ${status}, got ${answer.status}: ${JSON.stringify(answer.body)}`)
}

/** The content and version of a document. */
export async function read(by: Caller, id: string): Promise<{ content: unknown; version: number }> {
  const { body } = expectStatus(await by.get(`/documents/${id}`), 200)
  return { content: body.content, version: body.version }
}
