import { describe, expect, it } from 'vitest'
import { ActorNames } from '../../server/documents/actorNames.ts'
import { toPrincipalId, trustedDocumentId } from '../../server/foundation/ids.ts'
import type { LockWrite } from '../../server/storage/locks.ts'

type Act = Parameters<ActorNames['unstored']>[0]

const actor = (document: string, person: number) => ({
  document: trustedDocumentId(document),
  sub: toPrincipalId(`p${person}`),
  name: `Person ${person}`,
})
/** Somebody takes a lock. */
const actOf = ({ document, sub }: ReturnType<typeof actor>): Act => ({
  appends: [],
  conflicts: [],
  locks: [{ op: 'acquire', document, owner: sub } as unknown as LockWrite],
})

describe('[HIST-8] names of people', () => {
  const isStored = (names: ActorNames, document: string, person: number): boolean =>
    names.unstored(actOf(actor(document, person))) === null

  it('[HIST-8] are stored with the first act on a document, after a change, and after it was erased', () => {
    const names = new ActorNames()
    names.meet(toPrincipalId('p1'), 'Person 1')
    expect(names.unstored(actOf(actor('doc', 1)))).toEqual([actor('doc', 1)])
    names.remember([actor('doc', 1)])
    expect([isStored(names, 'doc', 1), isStored(names, 'other', 1)]).toEqual([true, false])
    names.meet(toPrincipalId('p1'), 'Another')
    expect(isStored(names, 'doc', 1)).toBe(false)
    names.meet(toPrincipalId('p1'), 'Person 1')
    names.forget(trustedDocumentId('doc'))
    expect(isStored(names, 'doc', 1)).toBe(false)
  })

  it('[HIST-8] that are known to be stored are so many of all documents together, however they came', () => {
    const names = new ActorNames()
    const people = Array.from({ length: 500 }, (_, person) => person)
    for (const person of people) names.meet(toPrincipalId(`p${person}`), `Person ${person}`)
    for (const person of people)
      for (let n = 0; n < 250; n++) if (person % 2 === 0 || n > 0) names.remember([actor(`doc-${n}`, person)])
    const known = Array.from({ length: 250 }, (_, n) => people.filter((person) => isStored(names, `doc-${n}`, person)))
    const count = known.reduce((sum, { length }) => sum + length, 0)
    expect(count).toBeLessThanOrEqual(100_000)
    expect(count).toBeGreaterThan(99_000)
    expect(isStored(names, 'doc-249', 499)).toBe(true)
  })
})
