import fc from 'fast-check'
import { expect, it } from 'vitest'
import * as Y from 'yjs'
import { kindOf, type Kind } from '../../server/content/content.ts'
import { effectBetween } from '../../server/content/effect.ts'
import { contentBytes } from '../../server/content/equal.ts'
import { ContentView } from '../../server/content/view.ts'
import { admit } from '../../server/documents/admission/admission.ts'
import { applyWithinBudget } from '../../server/documents/integrationBudget.ts'
import { ReplicaDoc } from '../../server/documents/replicaDoc.ts'
import { toPrincipalId } from '../../server/foundation/ids.ts'
import { type RawId, type RawStruct, rawUpdate, TYPES } from '../support/rawUpdate.ts'
import { seededChance } from '../support/seededChance.ts'

type Chance = ReturnType<typeof seededChance>

const PIECES = ['a', 'b', '😀', 'a😀', '\ufffd', 'x😁', 'abc', '\n', '\ud83d', '\ude00']
const LIMITS = { maxBytes: 1_000_000, maxDepth: 64, maxNodes: 100_000 }

const oneOf = <T>(chance: Chance, list: readonly T[]): T =>
  list[chance(list.length)] ?? expect.fail('a list holds something')

/** What a client could send that names whatever places it likes: others' units, halves of pairs, what it sent before. */
function anyUpdate(chance: Chance, doc: Y.Doc, kind: Kind): Uint8Array {
  const ids = [...doc.store.clients.keys()]
  const place = (): RawId | undefined => {
    if (ids.length === 0 || chance(5) === 0) return undefined
    const client = oneOf(chance, ids)
    return [client, chance(Y.getState(doc.store, client))]
  }
  const client = 1 + chance(4)
  const known = Y.getState(doc.store, client)
  const what = chance(10)
  if (what === 9) return rawUpdate([], [[client, chance(known + 1), 1 + chance(4)]])
  const back = known > 0 && chance(4) === 0 ? Math.min(known, 1 + chance(3)) : 0
  const own: RawId | undefined = known - back > 0 ? [client, known - back - 1] : undefined
  const [origin, right] = [back > 0 ? own : place(), place()]
  const at = { ...(origin && { origin }), ...(right && { right }) }
  const under = origin || right ? {} : { parent: kind === 'json' ? (place() ?? 'content') : 'content' }
  const key = kind === 'json' && !origin && !right && chance(2) === 0 ? { key: oneOf(chance, ['a', 'b']) } : {}
  const text = oneOf(chance, PIECES) + (back > 0 ? oneOf(chance, PIECES) : '')
  const content = what < 6 ? { text } : what === 6 ? { type: TYPES.text } : { format: ['b', 'true'] as const }
  const struct: RawStruct = { ...at, ...under, ...key, ...content }
  return rawUpdate([{ client, clock: known - back, structs: [struct] }])
}

it.each(['text', 'json'] as const)(
  '[DOC-9] whatever places an update names, a %s content is told as it reads, its effect and its size too',
  (kind) => {
    const seen = { admitted: 0 }
    fc.assert(
      fc.property(fc.nat(), fc.boolean(), (seed, gc) => {
        const chance = seededChance(seed)
        const doc = new ReplicaDoc({ gc })
        const view = new ContentView(doc, kind, 'content')
        for (let step = 0; step < 40; step++) {
          const admission = {
            doc,
            kind,
            root: 'content',
            limits: LIMITS,
            owners: new Map(),
            formerClients: new Map(),
            principal: toPrincipalId('somebody'),
            userOf: () => null,
            isOwn: () => true,
            takes: 'part',
          } as const
          const admitted = admit(anyUpdate(chance, doc, kind), admission)
          if (!admitted.admitted) continue
          const before = view.content()
          doc.extending(admitted.extended, () => applyWithinBudget(doc, admitted.update))
          const after = view.content()
          expect(kindOf(after)).toBe(kind)
          expect(after).toEqual(new ContentView(doc, kind, 'content').content())
          expect(view.bytes()).toBe(contentBytes(after))
          expect(view.takeEffect()).toEqual(effectBetween(before, after))
          seen.admitted += 1
        }
      }),
      { numRuns: 300 },
    )
    expect(seen.admitted).toBeGreaterThan(1_000)
  },
)
