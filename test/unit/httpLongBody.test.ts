import { Type } from '@fastify/type-provider-typebox'
import { expect, it } from 'vitest'
import type { Routes } from '../../server/http/mount.ts'
import { bearer, serverWith } from './httpServer.ts'

/** How often everybody else had their turn between the end of a body and what is done with it. */
async function turnsAfter(content: Record<string, number>): Promise<number> {
  let [turns, atEnd, after] = [0, 0, 0]
  let next = setImmediate(count)
  function count(): void {
    turns += 1
    next = setImmediate(count)
  }
  const routes: Routes = async (app) => {
    app.put(
      '/documents/:id',
      {
        config: { access: { document: 'id', needs: 'write' } },
        schema: { body: Type.Record(Type.String(), Type.Number()) },
        preParsing: async (_request, _reply, payload) => payload.once('end', () => void (atEnd = turns)),
        preValidation: async () => void (after = turns),
      },
      (request) => Object.keys(Object(request.body)).length,
    )
  }
  const app = serverWith(routes)
  const headers = bearer('writer')
  const answer = await app.inject({ method: 'PUT', url: '/documents/doc:1', headers, payload: content })
  clearImmediate(next)
  await app.close()
  expect(answer.body).toBe(String(Object.keys(content).length))
  return after - atEnd
}

it('[OPS-8] a long body is parsed in a turn of its own, a short one goes on at once', async () => {
  expect(await turnsAfter({ key: 1 })).toBe(0)
  const long = Object.fromEntries(Array.from({ length: 40_000 }, (_, n) => [`key${n}`, n]))
  // The first is still of the turn in which the body was read.
  expect(await turnsAfter(long)).toBeGreaterThanOrEqual(2)
})
