import { afterEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { OfflineMergeJudge } from '../../server/conflicts/offlineMergeJudge.ts'
import type { Content } from '../../server/content/content.ts'
import { invariant } from '../../server/foundation/assert.ts'
import { ALICE, BOB, Editor, startCore, type DocumentCore } from '../support/documentCore.ts'

/** What writes into a place of the document, told by its number. */
type Write = (doc: Y.Doc, place: number, what: string) => void

const writeLine: Write = (doc, place, what) => {
  const text = doc.getText('content')
  const before = text.toJSON().split('\n').slice(0, place)
  text.insert(before.join('\n').length + Math.min(place, 1), what)
}
const writeItem: Write = (doc, place, what) => {
  const items = doc.getMap('content').get('items')
  invariant(items instanceof Y.Array, 'an array is a shared one')
  const item: unknown = items.get(place)
  invariant(item instanceof Y.Map, 'an object is a shared one')
  item.set('name', what)
}

describe('a return', () => {
  let core: DocumentCore
  afterEach(() => core.stop())

  it.each<[string, Content, Write, string[]]>([
    ['text', 'one\ntwo\nsix', writeLine, ['L1', 'L3']],
    ['json', { items: [{ name: 'a' }, { name: 'b' }, { name: 'c' }] }, writeItem, ['P/items/0/name', 'P/items/2/name']],
  ])(
    '[CONF-6] of %s is judged against what it meets, not what it was prepared for',
    async (_, content, write, places) => {
      core = await startCore()
      await core.create('doc', content)
      const { replica } = await core.lease('doc')
      const [alice, bob] = [new Editor(replica, 3), new Editor(replica, 5)]
      const clocks = Y.decodeStateVector(Y.encodeStateVector(bob.doc))
      const update = bob.update((doc) => [0, 2].forEach((place) => write(doc, place, 'bob')))

      await replica.applyLive(
        alice.update((doc) => write(doc, 0, 'alice')),
        ALICE,
      )
      const none = { deletes: new Map(), sentUpTo: null, brought: new Map(), broughtUpdate: null }
      const knowledge = { by: 'clocks', clocks, ...none } as const
      const judge = new OfflineMergeJudge(core.storage, core.committer, core.environment)
      const merge = await judge.prepare(replica, { author: BOB, knowledge, update })
      await replica.applyLive(
        alice.update((doc) => write(doc, 2, 'alice')),
        ALICE,
      )
      await replica.applyLive(update, BOB, { merge })

      const record = core.storage.acts.at(-1)?.conflicts[0]?.record
      expect(record?.current.version).toBe(3)
      expect(record?.places.map((place) => place.id)).toEqual(places)
    },
  )
})
