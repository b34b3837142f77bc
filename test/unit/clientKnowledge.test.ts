import { expect, it } from 'vitest'
import * as Y from 'yjs'
import { withOwn } from '../../server/documents/knowledge.ts'
import type { Knowledge } from '../../server/model/clientKnowledge.ts'

const NOTHING: Knowledge = {
  by: 'clocks',
  clocks: new Map(),
  deletes: new Map(),
  sentUpTo: null,
  brought: new Map(),
  broughtUpdate: null,
}

/** The keys of which the values are still known of a page that brought so long ones, one after the other. */
function known(lengths: Readonly<Record<string, number>>): string[] {
  let knowledge = NOTHING
  for (const [key, length] of Object.entries(lengths)) {
    const doc = new Y.Doc()
    doc.getMap('content').set(key, 'x'.repeat(length))
    const update = Y.encodeStateAsUpdate(doc)
    knowledge = withOwn(knowledge, update, update)
  }
  const copy = new Y.Doc()
  if (knowledge.by === 'clocks' && knowledge.broughtUpdate) Y.applyUpdate(copy, knowledge.broughtUpdate)
  return [...copy.getMap('content').keys()].toSorted()
}

it('[CONF-6] of a page that has no answer yet up to 1 MiB of what it brought is kept, the newest', () => {
  expect(known({ one: 10, two: 500_000, six: 500_000 })).toEqual(['one', 'six', 'two'])
  expect(known({ one: 10, two: 600_000, six: 500_000 })).toEqual(['six'])
  expect(known({ one: 10, two: 2_000_000 })).toEqual([])
  expect(known({ two: 2_000_000, six: 10 })).toEqual(['six'])
})
