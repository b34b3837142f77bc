import * as Y from 'yjs'
import { checkContent, checkSize, type ContentLimits, type LimitBreach } from '../../content/limits.ts'
import type { Content, Kind } from '../../content/content.ts'
import { ContentView } from '../../content/view.ts'
import type { PrincipalId } from '../../foundation/ids.ts'
import { ParleyError } from '../../foundation/problems.ts'
import { MAX_INTEGRATION_STEPS, withIntegrationBudget } from '../integrationBudget.ts'
import { admit, type Admission, type Admitted, type Offer, type Refused } from './admission.ts'
import type { Owners } from '../owners.ts'
import { encodedBytes, type Growth } from './growth.ts'

export interface KeptOptions {
  /** Exactly the prefix of the log that is applied. */
  readonly doc: Y.Doc
  readonly view: ContentView
  readonly kind: Kind
  readonly root: string
  readonly limits: ContentLimits
  /** Who wrote the first struct of a Yjs client id, as far as that is known. */
  readonly owners?: Owners
  /** Yjs clients of earlier lives of the document, with the clock after their last struct. */
  readonly formerClients?: ReadonlyMap<number, number>
}

/** The Yjs client ids that begin with an update: the principal's who brings it, and those of which it hands on what others wrote. */
interface NewIds {
  readonly owned: readonly number[]
  readonly handedOn: readonly number[]
}

/**
 * What a document must keep: content, other roots, Yjs client ids, who owns each, ids of former lives. The one place that
 * says what may be added to it, for live updates, writes and edits that waited alike. A limit refuses what makes a breach
 * worse, and never what leaves or lessens it.
 */
export class Kept {
  readonly formerClients: ReadonlyMap<number, number>
  readonly #options: KeptOptions
  readonly #owners: Map<number, PrincipalId>
  /** Encoded bytes of what is no part of the content: at most, for deletes are not counted. Null: not counted yet. */
  #asideBytes: number | null = null
  /** The newest admission, while it is not applied: its bytes need not be looked at twice. */
  #newest: (Admitted & NewIds) | null = null

  constructor(options: KeptOptions) {
    this.#options = options
    this.#owners = new Map(options.owners)
    this.formerClients = options.formerClients ?? new Map()
  }

  /** Who wrote the first struct of each Yjs client id, as far as that is known. */
  get owners(): Owners {
    return this.#owners
  }

  /** Who wrote the first struct of a Yjs client id; null where nobody has, or it is not known. */
  ownerOf(client: number): PrincipalId | null {
    return this.#owners.get(client) ?? null
  }

  /** What refuses a content in place of the present one; null where nothing does. */
  refusesContent(content: Content): LimitBreach | null {
    return checkContent(content, this.#options.limits, this.#options.view.size())
  }

  /** Whether an update may be applied, and what of it. The document stays as it is. */
  admit(update: Uint8Array, offer: Offer): Admission {
    const { doc, kind, root, limits } = this.#options
    const owners = this.#owners
    const admission = admit(update, { doc, kind, root, limits, owners, formerClients: this.formerClients, ...offer })
    this.#newest = null
    if (!admission.admitted) return admission
    const refused = this.#refusesGrowth(admission.update, admission.growth)
    if (refused) return refused
    const [owned, handedOn]: [number[], number[]] = [[], []]
    for (const client of admission.extended) {
      if (!doc.store.clients.has(client)) (offer.owns?.(client) === false ? handedOn : owned).push(client)
    }
    this.#newest = { ...admission, owned, handedOn }
    return admission
  }

  /**
   * Throws unless the update was admitted just now, or is now as one of the principal's. Answers the client ids that get new
   * structs.
   */
  assertAdmitted(update: Uint8Array, principal: PrincipalId): readonly number[] {
    if (this.#newest?.update === update) return this.#newest.extended
    const admission = this.admit(update, { principal, userOf: () => null, isOwn: () => true, takes: 'whole' })
    if (!admission.admitted) throw new ParleyError(admission.code, admission.reason)
    return admission.extended
  }

  /** The admitted update was applied. Answers which Yjs client ids begin with it that were handed on. */
  applied(author: PrincipalId): readonly number[] {
    const admission = this.#newest
    this.#newest = null
    if (!admission) return []
    if (this.#asideBytes !== null) this.#asideBytes += admission.growth.asideBytes
    for (const client of admission.owned) this.#owners.set(client, author)
    return admission.handedOn
  }

  /** Near a limit an update is tried on a fork, so that one too many never touches the document. */
  #refusesGrowth(update: Uint8Array, growth: Growth): Refused | null {
    const { doc, view, kind, root, limits } = this.#options
    if (growth.asideBytes > 0 && !this.#hasRoomAside(growth.asideBytes)) {
      return tooLarge(`What is kept besides the content is at most ${limits.maxBytes} bytes.`)
    }
    const before = view.size()
    if (checkSize(growth.from(before, limits), limits, before) === null) return null
    const fork = new Y.Doc()
    try {
      Y.applyUpdate(fork, Y.encodeStateAsUpdate(doc))
      withIntegrationBudget(MAX_INTEGRATION_STEPS, () => Y.applyUpdate(fork, update))
      const breach = checkSize(new ContentView(fork, kind, root).size(), limits, before)
      return breach && { admitted: false, code: breach.code, reason: breach.detail, isFinal: false }
    } catch (problem) {
      if (problem instanceof ParleyError) {
        return { admitted: false, code: problem.code, reason: problem.detail, isFinal: true }
      }
      return { admitted: false, code: 'invalid-request', reason: 'the update cannot be applied', isFinal: true }
    } finally {
      fork.destroy()
    }
  }

  #hasRoomAside(added: number): boolean {
    const most = this.#options.limits.maxBytes
    if (this.#asideBytes === null || this.#asideBytes + added > most) this.#asideBytes = this.#countAside()
    return this.#asideBytes + added <= most
  }

  #countAside(): number {
    const { doc, root, kind } = this.#options
    const aside = new Aside(doc.share.get(root), kind)
    let bytes = 0
    for (const structs of doc.store.clients.values()) {
      for (const struct of structs) {
        if (struct instanceof Y.Item && !struct.deleted && aside.holds(struct)) bytes += encodedBytes(struct)
      }
    }
    return bytes
  }
}

const tooLarge = (reason: string): Refused => ({ admitted: false, code: 'content-too-large', reason, isFinal: false })

/** Which items of a document are no part of its content: other roots, and formats and embeds of texts. */
class Aside {
  readonly #root: unknown
  readonly #kind: Kind
  readonly #isContent = new Map<unknown, boolean>()

  constructor(root: unknown, kind: Kind) {
    this.#root = root
    this.#kind = kind
  }

  holds(item: Y.Item): boolean {
    const { parent, content } = item
    if (!(parent instanceof Y.AbstractType) || !this.#isPartOfContent(parent)) return true
    return this.#isText(parent) && !(content instanceof Y.ContentString)
  }

  #isPartOfContent(type: Y.AbstractType<unknown>): boolean {
    const known = this.#isContent.get(type)
    if (known !== undefined) return known
    const around = type._item?.parent
    const isPart =
      around instanceof Y.AbstractType ? this.#isPartOfContent(around) && !this.#isText(around) : type === this.#root
    this.#isContent.set(type, isPart)
    return isPart
  }

  #isText(type: unknown): boolean {
    return type instanceof Y.Text || (type === this.#root && this.#kind === 'text')
  }
}
