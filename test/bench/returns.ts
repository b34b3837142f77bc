import * as Y from 'yjs'
import type { Content } from '../../server/content/content.ts'
import { OfflineMergeJudge } from '../../server/conflicts/offlineMergeJudge.ts'
import type { OfflineEdits } from '../../server/model/clientKnowledge.ts'
import { clockSet } from '../../server/model/clockSet.ts'
import type { Replica } from '../../server/documents/replica.ts'
import { invariant } from '../../server/foundation/assert.ts'
import { ALICE, BOB, startCore, type DocumentCore } from '../support/documentCore.ts'
import { median } from './processes.ts'

const OFFLINE_EDITS = 1_000
/** Entries that others log meanwhile. */
const OTHERS_EDITS = [300, 3_000]
/** The first ones are slow, until the engine has compiled what runs. */
const WARM_UP_ROUNDS = 8
const ROUNDS = 7

/** A document of 100 KB, and how two people edit it, partly in the same places. */
interface Subject {
  readonly content: Content
  /** One edit of so many that are spread over the document by a rule that is the same each time. */
  edit(doc: Y.Doc, by: 'mine' | 'others', edit: number, edits: number): void
}

const LINE = 'Forty-nine characters of a line of ordinary prose.'
const TEXT: Subject = {
  content: Array.from({ length: 2_000 }, (_, n) => `${n} ${LINE}`).join('\n'),
  edit(doc, by, edit, edits) {
    const text = doc.getText('content')
    const place = (): number => Math.floor((edit / edits) * (text.length - 8)) + 3
    text.insert(place(), by === 'mine' ? by : 'o')
    if (by === 'mine' && edit % 4 === 0) text.delete(place(), 2)
  },
}

const ITEMS = 1_000
const JSON_LIST: Subject = {
  content: {
    items: Array.from({ length: ITEMS }, (_, n) => ({ id: n, title: `${n} ${LINE}`, done: false, tags: ['a', 'b'] })),
  },
  edit(doc, by, edit) {
    const items = doc.getMap('content').get('items')
    invariant(items instanceof Y.Array, 'an array is a shared one')
    const item: unknown = items.get((edit * (by === 'mine' ? 1 : 3)) % ITEMS)
    invariant(item instanceof Y.Map, 'an object is a shared one')
    if (by === 'mine' && edit % 4 !== 0) item.set('done', true)
    else item.set('title', `${by} ${edit}`)
  },
}

/** A client that made 1,000 edits offline comes back to a document of 100 KB: how long it is judged, and stalls others. */
export async function returns(): Promise<void> {
  for (const [name, subject] of Object.entries({ text: TEXT, json: JSON_LIST })) {
    for (const others of OTHERS_EDITS) {
      const rounds: { ms: number; stallMs: number }[] = []
      for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) rounds.push(await oneReturn(subject, others))
      const measured = rounds.slice(WARM_UP_ROUNDS)
      const ms = median(measured.map((one) => one.ms))
      const stallMs = median(measured.map((one) => one.stallMs))
      console.log(`  ${name}, ${others} entries meanwhile`)
      console.log(`    judged and merged          ${ms.toFixed(0)} ms (wanted: under 150)`)
      console.log(`    longest stall of the loop  ${stallMs.toFixed(1)} ms (wanted: at most 20)`)
      console.log(`    of the very first round    ${(rounds[0]?.stallMs ?? 0).toFixed(1)} ms`)
    }
  }
}

async function oneReturn(subject: Subject, others: number): Promise<{ ms: number; stallMs: number }> {
  const core = await startCore({ writer: 'adaptive' })
  try {
    await core.create('doc', subject.content)
    const { replica } = await core.lease('doc')
    const returned = editOffline(subject, replica)
    await editMeanwhile(subject, replica, others)
    const loop = new LoopWatch()
    const started = performance.now()
    await takeIn(core, replica, returned)
    const ms = performance.now() - started
    return { ms, stallMs: await loop.stop() }
  } finally {
    await core.stop()
  }
}

async function takeIn(core: DocumentCore, replica: Replica, returned: OfflineEdits): Promise<void> {
  const merge = await new OfflineMergeJudge(core.storage, core.committer, core.environment).prepare(replica, returned)
  await replica.applyLive(returned.update, returned.author, { merge })
  const found = core.storage.acts.at(-1)?.conflicts.length
  invariant(found === 1, 'the return raises its conflict')
}

/** What somebody writes who has the document as it is now, and nothing later. */
function editOffline(subject: Subject, replica: Replica): OfflineEdits {
  const doc = copyOf(replica)
  const before = Y.encodeStateVector(doc)
  for (let edit = 0; edit < OFFLINE_EDITS; edit++) subject.edit(doc, 'mine', edit, OFFLINE_EDITS)
  const knowledge = {
    by: 'clocks',
    clocks: Y.decodeStateVector(before),
    deletes: clockSet(new Map()),
    sentUpTo: null,
    brought: new Map(),
    broughtUpdate: null,
  } as const
  return { author: BOB, knowledge, update: Y.encodeStateAsUpdate(doc, before) }
}

async function editMeanwhile(subject: Subject, replica: Replica, edits: number): Promise<void> {
  const doc = copyOf(replica)
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => updates.push(update))
  for (let edit = 0; edit < edits; edit++) subject.edit(doc, 'others', edit, edits)
  await Promise.all(updates.map((update) => replica.applyLive(update, ALICE)))
}

function copyOf(replica: Replica): Y.Doc {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, Y.encodeStateAsUpdate(replica.doc))
  return doc
}

/** The longest time in which nothing else could run. */
class LoopWatch {
  #last = performance.now()
  #longest = 0
  #isWatching = true

  constructor() {
    this.#next()
  }

  async stop(): Promise<number> {
    await new Promise<void>((resolve) => setImmediate(resolve))
    this.#isWatching = false
    return this.#longest
  }

  #next(): void {
    setImmediate(() => {
      const now = performance.now()
      this.#longest = Math.max(this.#longest, now - this.#last)
      this.#last = now
      if (this.#isWatching) this.#next()
    })
  }
}
