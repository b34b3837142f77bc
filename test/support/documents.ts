import type { Caller } from './server.ts'
import { expectStatus, startConflictServer, type ConflictServer } from './conflicts.ts'
import { systemEnvironment, type Environment } from '../../server/foundation/environment.ts'
import { faultyStorage, type FaultyStorage } from './faultyStorage.ts'

export interface DocumentServer extends ConflictServer {
  /** A disk that can be stopped and broken. */
  readonly storage: FaultyStorage
  /** Creates a document with a new id as its owner `olga`; json for an object. Answers the id. */
  create(content: unknown, more?: Record<string, unknown>): Promise<string>
}

/** A whole server for tests of documents and writes. */
export async function startDocumentServer(
  variables: Record<string, string> = {},
  environment: Environment = systemEnvironment,
): Promise<DocumentServer> {
  let storage: FaultyStorage | null = null
  const server = await startConflictServer(variables, (opened) => (storage = faultyStorage(opened)), environment)
  const olga = await server.as('olga', { '*': ['admin'] })
  return {
    get url() {
      return server.url
    },
    get storage() {
      if (!storage) throw new Error('the server has not opened its storage')
      return storage
    },
    file: server.file,
    token: server.token,
    as: server.as,
    restart: server.restart,
    stop: server.stop,
    newId: server.newId,
    eventsOf: server.eventsOf,
    async create(content, more = {}) {
      const id = server.newId()
      const kind = typeof content === 'string' ? 'text' : 'json'
      expectStatus(await olga.post('/documents', { id, kind, content, ...more }), 201)
      return id
    },
  }
}

/** A document made by olga that others write in turn. Answers its id. */
export async function written(
  server: DocumentServer,
  first: unknown,
  writes: readonly [by: Caller, content: unknown][],
  more: Record<string, unknown> = {},
): Promise<string> {
  const id = await server.create(first, more)
  for (const [index, [by, content]] of writes.entries()) {
    expectStatus(await by.put(`/documents/${id}`, { content, baseVersion: index + 1 }), 200)
  }
  return id
}

/** The conflicts of a document as lists show them, newest first. */
export const conflictsOf = async (
  by: Caller,
  id: string,
): Promise<{ id: string; status: string; resolution: unknown }[]> =>
  (await by.get(`/conflicts?document=${id}`)).body.items

/** What was told of a document after its creation, oldest first. */
export const newsOf = async (server: DocumentServer, id: string): Promise<string[]> =>
  (await server.eventsOf(id)).map(([type]) => type).filter((type) => type !== 'document.created')

/** The current entity tag, in quotes. */
export async function etagOf(by: Caller, id: string): Promise<string> {
  return expectStatus(await by.get(`/documents/${id}`), 200).headers.get('etag') ?? ''
}

/** The entity tag of an old version, in quotes. */
export async function tagAt(by: Caller, id: string, version: number): Promise<string> {
  return `"${expectStatus(await by.get(`/documents/${id}/versions/${version}`), 200).body.etag}"`
}

/** Status and code of an answer, for tables. */
export function verdict({ status, body }: { status: number; body: { code?: string; outcome?: string } }): string {
  const word = body?.code ?? body?.outcome
  return word === undefined ? `${status}` : `${status} ${word}`
}
