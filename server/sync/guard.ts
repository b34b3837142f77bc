/**
 * Admission of an update before anything of it touches the document (SYNC-6). `Y.applyUpdate` is not safe on
 * hostile bytes: it can throw after it changed the document, keep what lacks its dependencies for ever, or let
 * one client's structs swallow another's. So an update is decoded, held against what the document has, and
 * either refused as a whole or applied as it is. Structs the document has already are normal (a client that
 * answers SyncStep1 twice sends them) and bring nothing.
 *
 * Linear in the update; a struct costs at most four binary searches and no walk of the document.
 */
import type * as Y from 'yjs'
import type { Kind } from '../content/content.ts'
import type { PrincipalId } from '../foundation/ids.ts'
import { ParleyError, type ProblemCode } from '../foundation/problems.ts'
import { Integration } from './integration.ts'
import { Placement } from './placement.ts'
import { readUpdate, refuse, type DeleteRange, type Section } from './updateReader.ts'

/** What an update is held against. */
export interface GuardContext {
  /** With everything applied so far; read only. Its clientID is the server's own. */
  readonly doc: Y.Doc
  readonly kind: Kind
  /** Name of the root type that holds the content. */
  readonly root: string
  /** SPEC DOC-10; the root is 1. */
  readonly maxDepth: number
  readonly principal: PrincipalId
  /** The principal of the open session that uses this Yjs client id, if any does. */
  userOf(client: number): PrincipalId | null
}

export type Admission =
  /** `extended`: the client ids that get new structs. */
  | { readonly admitted: true; readonly extended: readonly number[] }
  | { readonly admitted: false; readonly code: ProblemCode; readonly reason: string }

/**
 * Whether the update may be applied. Refusals: `invalid-request` (malformed, forbidden key, foreign client id,
 * a struct where its parent has no place for it, too many roots), `missing-dependencies`, `content-too-complex`.
 * How large the content grows is for the replica to judge.
 */
export function admit(update: Uint8Array, context: GuardContext): Admission {
  try {
    return { admitted: true, extended: check(update, context) }
  } catch (problem) {
    if (!(problem instanceof ParleyError)) throw problem
    return { admitted: false, code: problem.code, reason: problem.detail }
  }
}

function check(update: Uint8Array, context: GuardContext): number[] {
  const { sections, deletes } = readUpdate(update)
  const integration = new Integration(context.doc.store, sections)
  const placement = new Placement(context, integration)
  placement.checkRoots(sections)
  integration.run((struct) => placement.place(struct))
  checkDeletes(deletes, integration)
  const extended = [...sections.values()].filter((section) => integration.extends(section))
  for (const section of extended) checkUser(section, context)
  return extended.map((section) => section.client)
}

function checkDeletes(deletes: readonly DeleteRange[], integration: Integration): void {
  for (const { client, clock, length } of deletes) {
    if (clock + length > integration.stateOf(client)) refuse('missing-dependencies', 'a delete of something unknown')
  }
}

function checkUser({ client }: Section, context: GuardContext): void {
  const user = context.userOf(client)
  if (client === context.doc.clientID || (user !== null && user !== context.principal)) {
    refuse('invalid-request', 'a Yjs client id that somebody else uses')
  }
}
