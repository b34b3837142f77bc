import { merge } from '../../../server/content/merge.ts'
import { explain } from '../present/problem.ts'
import type { Rest } from '../parley/rest.ts'
import type { Conflict, Content, Proposal } from '../parley/types.ts'
import { Store } from './store.ts'

/** What a proposal would make of the document, or would have made. */
export type ProposalView =
  | {
      readonly phase: 'shown'
      readonly from: Content
      readonly to: Content
      /** The version `from` is. */
      readonly version: number
      /** Others wrote in the same place since it was made: accepting it as it is will be refused. */
      readonly isOvertaken: boolean
    }
  | { readonly phase: 'unreadable'; readonly reason: string }

/** What this asks the server. */
type ProposalRest = Pick<Rest, 'getDocument' | 'getVersion' | 'getProposalContent'>

/** Works out what each proposal of a conflict does to the document, before anybody accepts it. */
export class ProposalDesk {
  /** By proposal id; absent until it was read. */
  readonly views = new Store<Readonly<Record<string, ProposalView>>>({})
  readonly #rest: ProposalRest
  /** Contents never change; as many as a conflict has proposals. */
  readonly #contents = new Map<string, Promise<Content>>()

  constructor(rest: ProposalRest) {
    this.#rest = rest
  }

  /** Reads all proposals of the conflict; those that can still be accepted are compared with the newest version. */
  async read(conflict: Conflict): Promise<void> {
    await Promise.all(conflict.proposals.map((proposal) => this.#readOne(conflict, proposal)))
  }

  async #readOne(conflict: Conflict, proposal: Proposal): Promise<void> {
    const view = await this.#work(conflict, proposal).catch((error: unknown): ProposalView => ({
      phase: 'unreadable',
      reason: explain(error),
    }))
    this.views.update((views) => ({ ...views, [proposal.id]: view }))
  }

  async #work(conflict: Conflict, proposal: Proposal): Promise<ProposalView> {
    const { id, kind } = conflict.document
    const to = await this.#once(proposal.id, async () => {
      return proposal.content ?? this.#rest.getProposalContent(conflict.id, proposal.id, kind)
    })
    const from = await this.#once(`${proposal.baseVersion}`, async () => {
      return (await this.#rest.getVersion(id, proposal.baseVersion)).content
    })
    const made = { phase: 'shown', from, to, version: proposal.baseVersion, isOvertaken: false } as const
    if (proposal.status !== 'pending' || conflict.status !== 'open') return made
    const now = await this.#rest.getDocument(id)
    if (now.version === proposal.baseVersion) return made
    const merged = merge(from, now.content, to)
    return merged.clean
      ? { ...made, from: now.content, to: merged.content, version: now.version }
      : { ...made, isOvertaken: true }
  }

  #once(key: string, read: () => Promise<Content>): Promise<Content> {
    const known = this.#contents.get(key)
    if (known !== undefined) return known
    const reading = read()
    this.#contents.set(key, reading)
    // What failed is asked for again.
    reading.catch(() => this.#contents.delete(key))
    return reading
  }
}
