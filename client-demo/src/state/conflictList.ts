import { conflictIdOf, outcome, headline } from '../present/conflict.ts'
import { personOf, type Names } from '../present/names.ts'
import { explain } from '../present/problem.ts'
import type { Rest } from '../parley/rest.ts'
import type { Conflict, ListedConflict, ParleyEvent } from '../parley/types.ts'
import type { Absence } from './absence.ts'
import { coalesce } from './coalesce.ts'
import type { NameBook } from './names.ts'
import type { Notice, Notices } from './notices.ts'
import { PagedList } from './pagedList.ts'
import { Store } from './store.ts'

export interface OpenConflicts {
  readonly items: readonly ListedConflict[]
  readonly hasMore: boolean
  readonly isLoaded: boolean
  /** Why the list could not be read the last time; what is shown may be old. */
  readonly problem: string | null
}

export interface ConflictListOptions {
  readonly rest: Pick<Rest, 'listConflicts' | 'getConflict'>
  readonly document: string
  readonly nameBook: NameBook
  readonly notices: Notices
  /** Opens the view of a conflict. */
  readonly show: (conflictId: string) => void
  /** It tells itself what came of it. */
  readonly absence: Pick<Absence, 'hasTold'>
}

/** Several events of one act arrive together. */
const GATHER_MS = 120
const CLOSINGS: readonly string[] = [
  'parley.conflict.resolved',
  'parley.conflict.superseded',
  'parley.conflict.dismissed',
  'parley.conflict.expired',
]

/** The conflicts of a document, kept up by notifications, and the news about them. */
export class ConflictList {
  readonly open = new Store<OpenConflicts>({ items: [], hasMore: false, isLoaded: false, problem: null })
  /** Newest first, those that are open among them; read once somebody asks for the closed ones. */
  readonly all: PagedList<ListedConflict>
  readonly #options: ConflictListOptions
  #isClosedWanted = false
  #looking: string | null = null
  readonly #watchers = new Set<(conflictId: string | null) => void>()
  readonly #reload = coalesce(GATHER_MS, () => this.#load())

  constructor(options: ConflictListOptions) {
    this.#options = options
    const { rest, document } = options
    this.all = new PagedList({
      read: (cursor) => rest.listConflicts({ document, ...(cursor === undefined ? {} : { cursor }) }),
      // An id tells when the conflict was detected.
      isAtOrBehind: (conflict, last) => conflict.id <= last.id,
    })
  }

  refresh(): void {
    this.#reload.wish()
  }

  /** Reads the closed ones, and keeps them up from now on. */
  wantClosed(): void {
    if (this.#isClosedWanted) return
    this.#isClosedWanted = true
    void this.all.refresh()
  }

  /** Calls `watcher` when something happened to a conflict; null where it is not known to which. */
  watch(watcher: (conflictId: string | null) => void): () => void {
    this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  /** The conflict whose view is open: its news are on the screen already, and need no notice. */
  look(conflictId: string | null): void {
    this.#looking = conflictId
    if (conflictId !== null) this.#options.notices.settle(conflictId)
  }

  receive(event: ParleyEvent): void {
    if (!event.type.startsWith('parley.conflict.')) return
    const conflictId = conflictIdOf(event)
    this.refresh()
    for (const watcher of this.#watchers) watcher(conflictId)
    if (conflictId !== null) void this.#announce(event, conflictId)
  }

  close(): void {
    this.#reload.close()
    this.#watchers.clear()
  }

  async #load(): Promise<void> {
    const { rest, document } = this.#options
    if (this.#isClosedWanted) void this.all.refresh()
    try {
      const page = await rest.listConflicts({ document, status: 'open' })
      this.open.set({ items: page.items, hasMore: page.nextCursor !== undefined, isLoaded: true, problem: null })
    } catch (error) {
      this.open.update((known) => ({ ...known, problem: explain(error) }))
    }
  }

  /** Events are thin: what they mean is read from the conflict itself. A failed read costs only the notice. */
  async #announce(event: ParleyEvent, conflictId: string): Promise<void> {
    const { rest, nameBook, notices, show } = this.#options
    if (this.#isOwnReturn(event) && (await this.#options.absence.hasTold(conflictId))) return
    const conflict = await rest.getConflict(conflictId).catch(() => null)
    if (conflict === null || this.#looking === conflictId) return
    const news = newsOf(event.type, conflict, nameBook.store.value)
    if (news === null) return
    notices.tell({ ...news, topic: conflictId, action: { label: 'Show', run: () => show(conflictId) } }, event.id)
  }

  /** Of this window, which says itself what became of it, or of another one of the same person. */
  #isOwnReturn({ type, data }: ParleyEvent): boolean {
    const isMerge = type === 'parley.conflict.detected' && data['kind'] === 'concurrent-edit'
    return isMerge && data['author'] === this.#options.nameBook.store.value.self
  }
}

/** What an event says to the person who did not cause it; null where there is nothing to say. */
function newsOf(type: string, conflict: Conflict, names: Names): Pick<Notice, 'tone' | 'text'> | null {
  const { self } = names
  if (type === 'parley.conflict.detected') {
    // A refused write told its author; a merge tells nobody.
    const wasTold = conflict.kind === 'stale-write' && conflict.incoming.authors.includes(self)
    if (conflict.status !== 'open' || wasTold) return null
    return { tone: 'attention', text: `New conflict: ${headline(conflict, names)}.` }
  }
  if (type === 'parley.conflict.proposed') {
    const proposal = conflict.proposals.findLast(({ status }) => status === 'pending')
    if (proposal === undefined || proposal.by === self) return null
    return { tone: 'info', text: `${personOf(proposal.by, names)} proposed a resolution.` }
  }
  if (!CLOSINGS.includes(type) || conflict.closedBy === self) return null
  return { tone: 'info', text: outcome(conflict, names) ?? '' }
}
