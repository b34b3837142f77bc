import * as Y from 'yjs'
import { ReturnJudge, type Return } from '../../server/conflicts/returns.ts'
import { clockSet } from '../../server/documents/clockSet.ts'
import type { Replica } from '../../server/documents/replica.ts'
import { invariant } from '../../server/foundation/assert.ts'
import { ALICE, BOB, startCore, type DocumentCore } from '../support/documentCore.ts'
import { median } from './processes.ts'

const LINES = 2_000
const LINE = 'Forty-nine characters of a line of ordinary prose.'
const OFFLINE_EDITS = 1_000
/** Entries that others log meanwhile. */
const OTHERS_EDITS = [300, 3_000]
/** The first ones are slow, until the engine has compiled what runs. */
const WARM_UP_ROUNDS = 3
const ROUNDS = 5

/** A client that made 1,000 edits offline comes back to a document of 100 KB: how long it is judged, and stalls others. */
export async function returns(): Promise<void> {
  for (const others of OTHERS_EDITS) {
    const rounds: { ms: number; stallMs: number }[] = []
    for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) rounds.push(await oneReturn(others))
    const measured = rounds.slice(WARM_UP_ROUNDS)
    const ms = median(measured.map((one) => one.ms))
    const stallMs = median(measured.map((one) => one.stallMs))
    console.log(
      `  ${String(others).padStart(5)} entries meanwhile: judged and merged in ${ms.toFixed(0)} ms (wanted: under 150)`,
    )
    console.log(`        longest stall of the loop ${stallMs.toFixed(1)} ms (wanted: at most 20)`)
  }
}

async function oneReturn(others: number): Promise<{ ms: number; stallMs: number }> {
  const core = await startCore({ writer: 'adaptive' })
  try {
    await core.create('doc', Array.from({ length: LINES }, (_, n) => `${n} ${LINE}`).join('\n'))
    const { replica } = await core.lease('doc')
    const returned = editOffline(replica)
    await editMeanwhile(replica, others)
    const loop = new LoopWatch()
    const started = performance.now()
    await takeIn(core, replica, returned)
    const ms = performance.now() - started
    return { ms, stallMs: await loop.stop() }
  } finally {
    await core.stop()
  }
}

async function takeIn(core: DocumentCore, replica: Replica, returned: Return): Promise<void> {
  const merge = await new ReturnJudge(core.storage, core.environment).prepare(replica, returned)
  await replica.applyLive(returned.update, returned.author, { merge })
  const found = core.storage.acts.at(-1)?.conflicts.length
  invariant(found === 1, 'the return raises its conflict')
}

/** What somebody writes who has the document as it is now, and nothing later: half of it in the same lines as others. */
function editOffline(replica: Replica): Return {
  const doc = copyOf(replica)
  const before = Y.encodeStateVector(doc)
  const text = doc.getText('content')
  for (let edit = 0; edit < OFFLINE_EDITS; edit++) {
    text.insert(placeOf(edit, OFFLINE_EDITS, text.length), 'mine')
    if (edit % 4 === 0) text.delete(placeOf(edit, OFFLINE_EDITS, text.length), 2)
  }
  const knowledge = {
    by: 'clocks',
    clocks: Y.decodeStateVector(before),
    deletes: clockSet(new Map()),
    sentUpTo: null,
  } as const
  return { author: BOB, knowledge, update: Y.encodeStateAsUpdate(doc, before) }
}

async function editMeanwhile(replica: Replica, edits: number): Promise<void> {
  const doc = copyOf(replica)
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => updates.push(update))
  const text = doc.getText('content')
  for (let edit = 0; edit < edits; edit++) text.insert(placeOf(edit, edits, text.length), 'o')
  await Promise.all(updates.map((update) => replica.applyLive(update, ALICE)))
}

/** Spread over the text, by a rule that is the same each time. */
const placeOf = (edit: number, edits: number, length: number): number => Math.floor((edit / edits) * (length - 8)) + 3

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
