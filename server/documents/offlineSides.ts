import * as Y from 'yjs'
import type { Content } from '../content/content.ts'
import { effectCharacters } from '../content/effect.ts'
import { ContentView } from '../content/view.ts'
import { toVersion, type Version } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { yieldTurn } from '../foundation/turns.ts'
import type { ClockSet } from '../model/clockSet.ts'
import type { Knowledge } from '../model/clientKnowledge.ts'
import type { Head } from '../model/document.ts'
import type { OfflineSides } from '../model/offlineSides.ts'
import type { LogReads } from '../storage/log.ts'
import type { StorageView } from '../storage/view.ts'
import { MAX_INTEGRATION_STEPS, withIntegrationBudget } from './integrationBudget.ts'
import type { Divide } from './knowledge.ts'
import { contentAt, emptyContent } from './past.ts'
import { partOfUpdate } from './partOfUpdate.ts'
import { ReplicaDoc } from './replicaDoc.ts'
import { UpdateWriter } from './updateWriter.ts'

/** Rows read at a time. */
const PAGE_ENTRIES = 32
/** Between two breaths of the event loop: so many rows of some 27 µs each, or so many bytes. */
const STEP_ENTRIES = 128
const STEP_BYTES = 64 * 1024

type ReadStorage = LogReads

/**
 * Works out both sides of a return in a document of its own, from what of the log the client has: nothing of
 * it is left in the live one, which has forgotten what was deleted. In bounded steps, so that nobody waits.
 * Rejects with `missing-dependencies` where the edits build on what neither has, and `document-damaged`.
 */
export async function workOutSides(
  storage: StorageView,
  head: Head,
  {
    divide,
    knowledge,
    update,
  }: { readonly divide: Divide; readonly knowledge: Knowledge; readonly update: Uint8Array },
): Promise<OfflineSides> {
  const known = divide.later.filter((entry) => entry.known !== 'none')
  const doc = new ReplicaDoc({ gc: true })
  const view = new ContentView(doc, head.kind, head.root)
  await replayPrefix(storage, head, doc, divide.prefix)
  // Before the log, where of it only stands what did not lose.
  const brought = knowledge.by === 'clocks' ? knowledge.broughtUpdate : null
  if (brought !== null) withIntegrationBudget(MAX_INTEGRATION_STEPS, () => Y.applyUpdate(doc, brought))
  const steps = new Steps()
  for (const { version, known: part, update: own } of known) {
    const [entry] = await storage.entries(head.id, toVersion(version - 1), version, 1)
    if (!entry) throw damaged(head)
    await steps.take(entry.update.length + effectCharacters(entry.effect))
    if (entry.update.length === 0) continue
    // In the log stands also what Yjs deleted for the sake of edits that the client does not know.
    const isPart = part === 'partly' || own !== null
    Y.applyUpdate(doc, isPart && knowledge.by === 'clocks' ? partOfUpdate(entry.update, knowledge) : entry.update)
  }
  const hasBrought = knowledge.by === 'clocks' && knowledge.brought.size > 0
  if (hasBrought) {
    Y.applyUpdate(doc, deleting(knowledge.brought))
    // What of it is not there is no part of the base.
    doc.store.pendingDs = null
  }
  const isPrefix = known.length === 0 && brought === null && !hasBrought
  const base = isPrefix ? await prefixContent(storage, head, divide.prefix) : view.content()
  await steps.rest()
  withIntegrationBudget(MAX_INTEGRATION_STEPS, () => Y.applyUpdate(doc, update))
  // What stored edits delete of what came later is Yjs' doing, and no part of their side.
  const deletesUnknown = doc.store.pendingDs !== null && knowledge.by !== 'stored'
  if (doc.store.pendingStructs !== null || deletesUnknown) {
    throw new ParleyError('missing-dependencies', 'The edits build on something the server does not have.')
  }
  return {
    base,
    incoming: view.content(),
    baseVersion: isPrefix ? divide.prefix : null,
    sharedAt: (path) => view.sharedAt(path),
  }
}

function deleting(deletes: ClockSet): Uint8Array {
  const writer = new UpdateWriter()
  for (const [client, spans] of deletes) for (const span of spans) writer.delete(client, span)
  return writer.finish()
}

async function prefixContent(storage: StorageView, head: Head, prefix: Version): Promise<Content> {
  return prefix < head.firstVersion ? emptyContent(head.kind) : contentAt(storage, head.id, head.kind, prefix)
}

async function replayPrefix(storage: ReadStorage, head: Head, doc: ReplicaDoc, prefix: Version): Promise<void> {
  const stored = await storage.snapshot(head.id)
  const start = stored && stored.version >= head.firstVersion && stored.version <= prefix ? stored : null
  if (start) Y.applyUpdate(doc, start.state)
  const steps = new Steps()
  let version = start?.version ?? toVersion(head.firstVersion - 1)
  while (version < prefix) {
    const page = await storage.entries(head.id, version, prefix, PAGE_ENTRIES)
    const updates = page.map((entry) => entry.update).filter((update) => update.length > 0)
    for (const update of updates) {
      await steps.take(update.length)
      doc.take(update)
    }
    const last = page.at(-1)
    if (!last) throw damaged(head)
    version = last.version
    await steps.rest()
  }
}

/** Lets the event loop breathe after each step. */
class Steps {
  #entries = 0
  #bytes = 0

  async take(bytes: number): Promise<void> {
    this.#entries += 1
    this.#bytes += bytes
    if (this.#entries >= STEP_ENTRIES || this.#bytes >= STEP_BYTES) await this.rest()
  }

  async rest(): Promise<void> {
    this.#entries = 0
    this.#bytes = 0
    await yieldTurn()
  }
}

function damaged({ id }: Head): ParleyError {
  return new ParleyError('document-damaged', `The log of ${id} is damaged: an entry is missing.`)
}
