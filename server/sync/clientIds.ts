import type { PrincipalId } from '../foundation/ids.ts'
import type { Member } from './member.ts'

/** A session writes under one Yjs client id; Yjs draws another in rare cases. More are not remembered. */
const MAX_IDS_PER_SESSION = 16

/** Which open session uses which Yjs client id (SYNC-6): the first that claimed it, a newer one of its principal, or its owner's. */
export class ClientIds {
  readonly #users = new Map<number, Member>()
  readonly #ids = new Map<Member, Set<number>>()

  userOf(client: number): PrincipalId | null {
    return this.#users.get(client)?.principal ?? null
  }

  /** The session that uses the id. */
  memberOf(client: number): Member | null {
    return this.#users.get(client) ?? null
  }

  idsOf(member: Member): Iterable<number> {
    return this.#ids.get(member) ?? []
  }

  /** Does nothing where somebody else uses the id, unless it is the member's own (`isOwner`). */
  claim(member: Member, client: number, isOwner: boolean): void {
    const ids = this.#ids.get(member) ?? new Set()
    const user = this.userOf(client)
    const isTaken = user !== null && user !== member.principal
    if (ids.size >= MAX_IDS_PER_SESSION || (isTaken && !isOwner)) return
    this.#users.set(client, member)
    this.#ids.set(member, ids.add(client))
  }

  left(member: Member): void {
    for (const client of this.#ids.get(member) ?? []) {
      if (this.#users.get(client) === member) this.#users.delete(client)
    }
    this.#ids.delete(member)
  }
}
