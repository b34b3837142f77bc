import * as Y from 'yjs'
import { readUpdate } from '../documents/admission/updateReader.ts'
import type { Knowledge } from '../model/clientKnowledge.ts'
import type { Member } from './member.ts'
import type { HeldEdits } from './session.ts'

/** What one session may have brought before its owner did; past either it begins anew, and brings it again. */
const MAX_OWED_BYTES = 1024 * 1024
const MAX_OWED_UPDATES = 1_000

interface Debt extends HeldEdits {
  /** The Yjs clients that write in it, with what the document had of them. */
  readonly clocks: Map<number, number>
}

/** What sessions brought that is somebody else's to bring, and what builds on that: it waits for them. */
export class Owed {
  readonly #debts = new Map<Member, Debt>()

  /** Whether there is room for it. `knowledge`: what its author had of the document. */
  keep(member: Member, update: Uint8Array, knowledge: Knowledge, doc: Y.Doc): boolean {
    const { updates, clocks, ...first } = this.#debts.get(member) ?? { updates: [], clocks: new Map<number, number>() }
    const bytes = updates.reduce((sum, one) => sum + one.length, update.length)
    if (bytes > MAX_OWED_BYTES || updates.length >= MAX_OWED_UPDATES) return false
    for (const client of readUpdate(update).sections.keys()) clocks.set(client, Y.getState(doc.store, client))
    const known = 'knowledge' in first ? withOwnOf(first.knowledge, knowledge) : knowledge
    this.#debts.set(member, { updates: [...updates, update], clocks, knowledge: known })
    return true
  }

  /** Of whom something may be placed now, because the document has more of a client that writes in it. */
  due(doc: Y.Doc): readonly Member[] {
    const isDue = ({ clocks }: Debt): boolean =>
      [...clocks].some(([client, clock]) => Y.getState(doc.store, client) > clock)
    return [...this.#debts].filter(([, debt]) => isDue(debt)).map(([member]) => member)
  }

  has(member: Member): boolean {
    return this.#debts.has(member)
  }

  members(): readonly Member[] {
    return [...this.#debts.keys()]
  }

  /** All of it, as one update. */
  of(member: Member): Uint8Array {
    return Y.mergeUpdates([...(this.#debts.get(member)?.updates ?? [])])
  }

  forget(member: Member): void {
    this.#debts.delete(member)
  }

  /** The session has ended: what is left of what it brought; null where nothing is. */
  left(member: Member): HeldEdits | null {
    const debt = this.#debts.get(member) ?? null
    this.#debts.delete(member)
    return debt
  }
}

/** What was known when the first was brought, and what the session has written itself since. */
function withOwnOf(first: Knowledge, later: Knowledge): Knowledge {
  if (first.by !== 'versions' || later.by !== 'versions') return first
  return { ...first, own: [...new Set([...first.own, ...later.own])] }
}
