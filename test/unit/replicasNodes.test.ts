import { afterEach, describe, expect, it } from 'vitest'
import { toVersion, type ConflictId } from '../../server/foundation/ids.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { BOB } from '../support/documentCore.ts'
import { DOC, quiet, startLockNodes, type LockNodes } from '../support/lockNodes.ts'

let world: LockNodes
afterEach(() => world.stop())

const outcome = (written: Promise<{ readonly status: string }>): Promise<string> =>
  written.then(
    ({ status }) => status,
    (problem: unknown) => (problem instanceof ParleyError ? problem.code : String(problem)),
  )

describe('two nodes that write one document', () => {
  it('[WRITE-3] what was applied on an entry that lost its version is judged anew: the log stays whole', async () => {
    world = await startLockNodes({ hints: false })
    const [here, there] = world.nodes
    // Both are at version 1. There one write is under way, here two are, the second on top of the first.
    await Promise.all([here, there].map((node) => node.replicas.lease(DOC)))
    const letGo = world.storage.hold()
    const theirs = outcome(there.put('by the other'))
    await quiet()
    const ours = [outcome(here.put('first'))]
    await quiet()
    ours.push(outcome(here.put('second')))
    await quiet()
    letGo()
    expect(await Promise.all([theirs, ...ours])).toEqual(['done', 'done', 'done'])
    await world.restart()
    const lease = await world.nodes[0].replicas.lease(DOC)
    if ('absent' in lease) throw new Error('it lives')
    expect(['first', 'second', 'by the other']).toContain(lease.replica.content())
    expect(await outcome(world.nodes[1].put('on'))).toBe('done')
  })

  it('[WRITE-7] a conflict that was opened on one node is found again on the other', async () => {
    world = await startLockNodes({ hints: true })
    const [here, there] = world.nodes
    const refused = async (node: typeof here, content: string): Promise<ConflictId | null> => {
      const intent = { type: 'version', version: toVersion(1) } as const
      const request = { document: DOC, author: BOB, intent, createsKind: null, onConflict: null } as const
      const result = await node.writer.write({ ...request, incoming: () => content, origin: 'write' })
      return result.status === 'refused' ? result.refusal.record.id : null
    }
    await here.put('moved on')
    const first = [await refused(here, 'mine'), await refused(there, 'other')]
    expect([await refused(there, 'mine'), await refused(here, 'other')]).toEqual(first)
    expect(new Set(first).size).toBe(2)
  })
})
