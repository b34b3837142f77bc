/**
 * Admission of an update before anything of it touches the document (SYNC-6). `Y.applyUpdate` is not safe on hostile
 * bytes: it can throw after it changed the document, keep what lacks its dependencies for ever, or let one client's
 * structs swallow another's. So an update is decoded, held against what the document has, and either refused as a whole,
 * or what of it can be placed is applied as it is. Structs the document has already are normal (a client that answers
 * SyncStep1 twice sends them) and bring nothing.
 *
 * Linear in the update; a struct costs at most four binary searches and no walk of the document.
 */
import type * as Y from 'yjs'
import type { Kind } from '../../content/content.ts'
import type { ContentLimits } from '../../content/limits.ts'
import { isPen } from '../../content/pens.ts'
import type { PrincipalId } from '../../foundation/ids.ts'
import { ParleyError } from '../../foundation/problems.ts'
import type { ProblemCode } from '../../foundation/problemTable.ts'
import { UpdateWriter } from '../updateWriter.ts'
import type { Growth } from './growth.ts'
import { Integration, type Hindrance } from './integration.ts'
import { Placement } from './placement.ts'
import { readUpdate, refuse, type DeleteRange, type Section } from './updateReader.ts'

/**
 * Yjs client ids of a document. Every transaction of Yjs walks through all of them, some 60 ms for so many, and a state
 * vector names each; a document that is edited by 100 people a day gets there in seven years.
 */
export const MAX_CLIENT_IDS = 262_144

/** Who brings an update, and how. */
export interface Offer {
  readonly principal: PrincipalId
  /** The principal of the open session that uses this Yjs client id, if any does. */
  userOf(client: number): PrincipalId | null
  /** Whether the session says of itself that it writes under this id: a page may go on under it as somebody else. */
  isOwn?(client: number): boolean
  /** Whether an id that gets its first structs by this becomes the principal's: not where they are handed on. */
  owns?(client: number): boolean
  /** Whether what cannot be placed yet, and what is somebody else's to bring, may be left out. */
  readonly takes: 'whole' | 'part'
}

/** What an update is held against. */
export interface GuardContext extends Offer {
  /** With everything applied so far; read only. Its clientID is the first of the server's own. */
  readonly doc: Y.Doc
  readonly kind: Kind
  /** Name of the root type that holds the content. */
  readonly root: string
  readonly limits: ContentLimits
  /** Who wrote the first struct of a Yjs client id, as far as that is known. */
  readonly owners: ReadonlyMap<number, PrincipalId>
  /** Yjs clients of earlier lives of the document, with the clock after their last struct. */
  readonly formerClients: ReadonlyMap<number, number>
}

/** What of an update was left out, and why. */
export interface LeftOut {
  readonly update: Uint8Array
  readonly because: Hindrance
}

export interface Admitted {
  readonly admitted: true
  /** What may be applied. */
  readonly update: Uint8Array
  /** The client ids that get new structs. */
  readonly extended: readonly number[]
  readonly left: LeftOut | null
  readonly growth: Growth
}

export interface Refused {
  readonly admitted: false
  readonly code: ProblemCode
  readonly reason: string
  /** For good: the bytes alone say so. Else the same may be admitted later, when others have written or left. */
  readonly isFinal: boolean
}

export type Admission = Admitted | Refused

/**
 * Whether the update may be applied, its size aside. Refusals: `invalid-request` (malformed, forbidden key, a struct
 * where its parent has no place for it, too many roots, somebody else's client id), `other-history`,
 * `missing-dependencies`, `content-too-complex`.
 */
export function admit(update: Uint8Array, context: GuardContext): Admission {
  try {
    return check(update, context)
  } catch (problem) {
    if (!(problem instanceof ParleyError)) throw problem
    const isFinal = problem.code !== 'missing-dependencies'
    return { admitted: false, code: problem.code, reason: problem.detail, isFinal }
  }
}

function check(update: Uint8Array, context: GuardContext): Admission {
  const { sections, deletes } = readUpdate(update)
  const { store } = context.doc
  const integration = new Integration(store, sections, (client) => isForeign(client, context))
  assertOfThisLife(sections, integration, context)
  const placement = new Placement(context, integration)
  placement.checkRoots(sections)
  integration.run((struct) => placement.place(struct))
  const extended = [...sections.values()].filter((section) => integration.extends(section)).map(({ client }) => client)
  assertIdsFit(extended, store)
  for (const _ of deletes) placement.growth.addDelete()
  const { growth } = placement
  const divided = divideDeletes(deletes, integration)
  const because = integration.hindrance ?? (divided.left.length > 0 ? 'missing' : null)
  if (because === null) return { admitted: true, update, extended, left: null, growth }
  if (context.takes === 'whole') return refusedFor(because)
  const placed = new UpdateWriter()
  const left = new UpdateWriter()
  for (const section of sections.values()) {
    const structs = integration.divide(section)
    for (const struct of structs.placed) placed.add(struct)
    for (const struct of structs.left) left.add(struct)
  }
  for (const { client, clock, length } of divided.placed) placed.delete(client, { clock, len: length })
  for (const { client, clock, length } of divided.left) left.delete(client, { clock, len: length })
  const leftOut = { update: left.finish(), because }
  return { admitted: true, update: placed.finish(), extended, left: leftOut, growth }
}

const refusedFor = (because: Hindrance): Refused =>
  because === 'foreign'
    ? {
        admitted: false,
        code: 'invalid-request',
        reason: 'a Yjs client id that somebody else uses',
        isFinal: false,
      }
    : {
        admitted: false,
        code: 'missing-dependencies',
        reason: 'it builds on something unknown',
        isFinal: false,
      }

/** SYNC-6: an id belongs to the session that uses it, else to the principal who wrote its first struct. */
function isForeign(client: number, context: GuardContext): boolean {
  const { doc, owners, principal } = context
  if (isPen(doc, client)) return refuse('invalid-request', 'the Yjs client id of the server')
  const user = context.userOf(client)
  if (user !== null) return user !== principal
  const owner = owners.get(client)
  return owner !== undefined && owner !== principal && context.isOwn?.(client) !== true
}

/** SYNC-7: what an earlier life of the document had and this one has not is of another document. */
function assertOfThisLife(
  sections: ReadonlyMap<number, Section>,
  integration: Integration,
  { formerClients }: GuardContext,
): void {
  if (formerClients.size === 0) return
  for (const { client, structs } of sections.values()) {
    const last = structs.at(-1)
    const end = last ? last.id.clock + last.length : 0
    if (Math.min(end, formerClients.get(client) ?? 0) > integration.knownOf(client)) {
      refuse('other-history', 'this is of an earlier document of the same id')
    }
  }
}

function assertIdsFit(extended: readonly number[], store: Y.Doc['store']): void {
  const added = extended.filter((client) => !store.clients.has(client)).length
  if (added > 0 && store.clients.size + added > MAX_CLIENT_IDS) {
    refuse('content-too-complex', `more than ${MAX_CLIENT_IDS} Yjs clients`)
  }
}

function divideDeletes(
  deletes: readonly DeleteRange[],
  integration: Integration,
): { placed: readonly DeleteRange[]; left: readonly DeleteRange[] } {
  const placed: DeleteRange[] = []
  const left: DeleteRange[] = []
  for (const range of deletes) {
    const { client, clock, length } = range
    const known = Math.max(0, Math.min(length, integration.stateOf(client) - clock))
    if (known === length) placed.push(range)
    else {
      if (known > 0) placed.push({ client, clock, length: known })
      left.push({ client, clock: clock + known, length: length - known })
    }
  }
  return { placed, left }
}
