import fc from 'fast-check'
import { expect, it } from 'vitest'
import { decodeOwners, encodeOwners } from '../../server/documents/owners.ts'
import { toPrincipalId } from '../../server/foundation/ids.ts'

it('[SYNC-6] owners of Yjs client ids are read as they were kept', () => {
  const principals = fc.string({ unit: 'binary', minLength: 1 }).map(toPrincipalId)
  const owners = fc.array(fc.tuple(fc.nat(2 ** 32 - 1), principals)).map((all) => new Map(all))
  fc.assert(
    fc.property(owners, (known) => {
      expect(decodeOwners(encodeOwners(known))).toEqual(known)
    }),
  )
})

it('[SYNC-6] owners take a few bytes an id', () => {
  const known = new Map(
    Array.from({ length: 10_000 }, (_, n) => [n * 400_000, toPrincipalId(`user ${n % 7}`)] as const),
  )
  expect(encodeOwners(known).length).toBeLessThan(45_000)
})
