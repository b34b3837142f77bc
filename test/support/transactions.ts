import { startDocumentServer } from './documents.ts'
import type { Answer, Caller } from './server.ts'
import { suiteServer } from './suite.ts'

export const commit = (
  by: Caller,
  operations: readonly object[],
  headers: Record<string, string> = {},
): Promise<Answer> => by.post('/transactions', { operations, commit: true }, headers)

/** Of each operation its code, or null. */
export const codes = ({ body }: Answer): unknown =>
  body.operations.map((problem: { code: string } | null) => problem?.code ?? null)

/** The server of a file of transactions, who acts at it, and what its documents are by now. */
export function transactionServer() {
  const server = suiteServer(() =>
    startDocumentServer({ PARLEY_PUBLIC_URL: 'https://parley.test', PARLEY_LOG_LEVEL: 'silent' }),
  )
  const alice = server.caller('alice')
  const bob = server.caller('bob')

  const contentOf = async (id: string): Promise<unknown> => (await alice.get(`/documents/${id}`)).body.content
  const versionOf = async (id: string): Promise<unknown> => {
    const { body } = await alice.get(`/documents/${id}`)
    return body.version ?? body.lastVersion ?? null
  }

  /** Everything that must not change when a transaction is refused. */
  async function stateOf(ids: readonly string[]): Promise<unknown> {
    const documents = await Promise.all(ids.map(async (id) => (await alice.get(`/documents/${id}`)).body))
    return { documents, events: await Promise.all(ids.map((id) => server.eventsOf(id))) }
  }

  return { server, alice, bob, contentOf, versionOf, stateOf }
}
