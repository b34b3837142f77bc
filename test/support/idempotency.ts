import { expectStatus } from './conflicts.ts'
import { startDocumentServer } from './documents.ts'
import type { Answer } from './server.ts'
import { suiteServer } from './suite.ts'

let keys = 0
export const newKey = (): string => `key-${++keys}`
export const withKey = (key: string, more: Record<string, string> = {}) => ({ 'idempotency-key': key, ...more })

export const isReplayed = (answer: Answer): boolean => answer.headers.get('idempotency-replayed') === 'true'

/** The server of a file of repeats, who acts at it, and documents in conflict. */
export function idempotencyServer() {
  const server = suiteServer(() =>
    startDocumentServer({
      PARLEY_WEBHOOK_PRIVATE: 'true',
      PARLEY_PUBLIC_URL: 'https://parley.test',
      PARLEY_LOG_LEVEL: 'silent',
    }),
  )
  const alice = server.caller('alice')
  const bob = server.caller('bob')
  const root = server.caller('root', { '*': ['admin'] })

  const written = async (): Promise<string> => {
    const id = await server.create('one\ntwo\n')
    expectStatus(await bob.put(`/documents/${id}`, { content: 'one\nII\n', baseVersion: 1 }), 200)
    return id
  }
  const inConflict = async () => {
    const id = await written()
    const refused = await alice.put(`/documents/${id}`, { content: 'one\n2\n', baseVersion: 1 })
    return { id, conflictId: String(refused.body.conflict.id) }
  }

  return { server, alice, bob, root, written, inConflict }
}
