import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import type { Replica } from '../../server/documents/replica.ts'
import type { Lease } from '../../server/documents/replicas.ts'
import { type DocumentId, type PrincipalId, toPrincipalId } from '../../server/foundation/ids.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { LogCompactor } from '../../server/history/compactor.ts'
import { id, startCore, type DocumentCore } from '../support/documentCore.ts'

const DAY_MS = 24 * 3600 * 1000
const CLIENTS = [1, 2, 3, 4, 4_294_967_295]

/** Somebody brings what was written under some Yjs client ids; of some of these it is others' work that they hand on. */
interface Brings {
  readonly by: PrincipalId
  readonly clients: readonly number[]
  readonly handedOn: readonly number[]
}
const brings: fc.Arbitrary<Brings> = fc.record({
  by: fc.constantFrom('ann', 'bob', 'cat').map(toPrincipalId),
  clients: fc.uniqueArray(fc.constantFrom(...CLIENTS), { minLength: 1, maxLength: 3 }),
  handedOn: fc.uniqueArray(fc.constantFrom(...CLIENTS), { maxLength: 3 }),
})
const steps = fc.array(fc.oneof({ weight: 6, arbitrary: brings }, fc.constantFrom('write', 'reload', 'compact')), {
  minLength: 1,
  maxLength: 14,
})

/** What was written under these ids on top of what there is. */
function writtenUnder(clients: readonly number[], doc: Y.Doc): Uint8Array {
  const updates = clients.map((client) => {
    const own = new Y.Doc()
    Y.applyUpdate(own, Y.encodeStateAsUpdate(doc))
    own.clientID = client
    own.getText('content').insert(0, 'x')
    return Y.encodeStateAsUpdate(own, Y.encodeStateVector(doc))
  })
  return Y.mergeUpdates(updates)
}

async function compact({ storage, environment }: DocumentCore, document: DocumentId): Promise<void> {
  const onUnexpected = (error: unknown): never => {
    throw error
  }
  const ages = { ageMs: DAY_MS, intervalMs: DAY_MS }
  const compactor = new LogCompactor({ storage, environment, ...ages, onJoined: () => undefined, onUnexpected })
  environment.jump(2 * DAY_MS)
  await compactor.compact(document)
}

let core: DocumentCore
let documents = 0
beforeAll(async () => (core = await startCore()))
afterAll(() => core.stop())

/** A document that is thrown out of memory at will. */
async function newDocument(): Promise<{ name: DocumentId; replica(): Promise<Replica>; reload(): Promise<void> }> {
  const name = id(`doc-${(documents += 1)}`)
  await core.create(name, 'text')
  let lease: Lease | null = null
  const replica = async (): Promise<Replica> => (lease ??= await core.lease(name)).replica
  return {
    name,
    replica,
    async reload() {
      const loaded = await replica()
      await loaded.whenCommitted(loaded.appliedVersion)
      loaded.end(new ParleyError('overloaded', 'Out of memory.'))
      lease = null
    },
  }
}

async function bring(replica: Replica, { by, clients, handedOn }: Brings): Promise<void> {
  const owns = (client: number): boolean => !handedOn.includes(client)
  const offer = { principal: by, userOf: () => null, isOwn: () => true, owns, takes: 'part' } as const
  const admission = replica.admit(writtenUnder(clients, replica.doc), offer)
  if (!admission.admitted) throw new Error(admission.reason)
  await replica.applyLive(admission.update, by)
}

describe('[SYNC-6] a Yjs client id belongs to whoever wrote its first struct', () => {
  it('after any history as after a reload, and never to who handed on what others wrote', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const expected = new Map<number, string | null>()
        const document = await newDocument()
        const agrees = async (): Promise<void> => {
          const replica = await document.replica()
          for (const client of CLIENTS) expect(replica.ownerOf(client)).toBe(expected.get(client) ?? null)
        }
        for (const step of all) {
          const replica = await document.replica()
          if (step === 'write') await core.write(document.name, `${String(replica.content())}y`, 'unconditional')
          else if (step === 'compact') await compact(core, document.name)
          else if (step === 'reload') await document.reload()
          else {
            await bring(replica, step)
            for (const client of step.clients) {
              if (!expected.has(client)) expected.set(client, step.handedOn.includes(client) ? null : step.by)
            }
          }
          await agrees()
        }
        await document.reload()
        await agrees()
      }),
      { numRuns: 60 },
    )
  })
})
