import { faults, explain } from '../present/problem.ts'
import { ProblemError, type Rest } from '../parley/rest.ts'
import type { Conflict, Content, ResolutionRequest } from '../parley/types.ts'
import { carriedOn, carryOver, chosen, type OverlapPick, type Picks } from './choices.ts'
import { Store } from './store.ts'

/** A note above the conflict about what the last answer was. */
export interface Remark {
  readonly tone: 'info' | 'success' | 'attention' | 'problem'
  readonly text: string
  readonly details: readonly string[]
}

export interface Desk {
  readonly conflict: Conflict | null
  /** Why there is none to show. */
  readonly failure: string | null
  /** The document as the person looks at it: what a resolution is based on. */
  readonly seen: Seen
  readonly picks: Picks
  /** The result as edited by hand; null while it is what the choices make. */
  readonly ownResult: string | null
  readonly busy: boolean
  readonly remark: Remark | null
}

interface Seen {
  readonly version: number
  /** Absent where it could not be read, or is too large. */
  readonly content?: Content
}

export type Act =
  | { readonly use: 'current' | 'incoming' | 'merged' | 'choices' }
  | { readonly use: 'content'; readonly content: Content }
  | { readonly dismiss: true }
  | { readonly accept: string }
  | { readonly reject: string }

const EMPTY: Desk = {
  conflict: null,
  failure: null,
  seen: { version: 0 },
  picks: {},
  ownResult: null,
  busy: false,
  remark: null,
}

/** What the desk asks the server. */
type DeskRest = Pick<Rest, 'getConflict' | 'getDocument' | 'resolveConflict'>

/** One conflict on the desk: what it is, what was picked, and what each answer of the server does to that. */
export class ConflictDesk {
  readonly desk = new Store<Desk>(EMPTY)
  readonly #id: string
  readonly #rest: DeskRest

  constructor(id: string, rest: DeskRest) {
    this.#id = id
    this.#rest = rest
  }

  /** Reads the conflict (again): picks stay where the place is still the same. */
  async load(): Promise<void> {
    try {
      await this.#show(await this.#rest.getConflict(this.#id))
    } catch (error) {
      if (this.desk.value.conflict === null) this.#change({ failure: explain(error) })
      else this.#change({ remark: problemRemark(error) })
    }
  }

  pick(overlapId: string, pick: OverlapPick): void {
    const { picks } = this.desk.value
    this.#change({ picks: { ...picks, [overlapId]: pick } })
  }

  editResult(text: string | null): void {
    this.#change({ ownResult: text })
  }

  /** Posts the act. What comes of it, whatever the status, is in the desk afterwards. */
  async act(act: Act, comment: string): Promise<void> {
    const { conflict, busy } = this.desk.value
    if (conflict === null || busy) return
    this.#change({ busy: true, remark: null })
    try {
      const answer = await this.#rest.resolveConflict(this.#request(conflict, act, comment.trim()))
      await this.#reload()
      this.#change({ remark: answer.outcome === 'proposed' ? PROPOSED : null })
    } catch (error) {
      await this.#refused(error)
    } finally {
      this.#change({ busy: false })
    }
  }

  #request(conflict: Conflict, act: Act, comment: string): ResolutionRequest {
    const conflictId = conflict.id
    const words = comment === '' ? {} : { comment }
    if ('accept' in act) return { conflictId, accept: act.accept }
    if ('reject' in act) return { conflictId, reject: act.reject, ...words }
    if ('dismiss' in act) return { conflictId, dismiss: true, ...words }
    const seen = { conflictId, baseVersion: this.desk.value.seen.version, ...words }
    if (act.use === 'content') return { ...seen, use: act.use, content: act.content }
    if (act.use === 'choices') {
      return { ...seen, use: act.use, choices: chosen(conflict.overlaps, this.desk.value.picks).choices }
    }
    return { ...seen, use: act.use }
  }

  async #refused(error: unknown): Promise<void> {
    const problem = error instanceof ProblemError ? error.problem : null
    const known = problem === null ? undefined : REFUSALS[problem.code]
    if (known !== undefined) {
      if (problem?.conflict === undefined) await this.#reload()
      else await this.#show(problem.conflict, known === MOVED)
    }
    this.#change({ remark: known ?? problemRemark(error) })
  }

  async #reload(): Promise<void> {
    const conflict = await this.#rest.getConflict(this.#id).catch(() => null)
    if (conflict !== null) await this.#show(conflict)
  }

  /**
   * A result that was made by hand is a result of the content it was made from: so that stays the one looked at, and
   * the server keeps what others write elsewhere. Only where they wrote in the same place (`hasMoved`) it is brought
   * onto the newest.
   */
  async #show(conflict: Conflict, hasMoved = false): Promise<void> {
    const newest = await this.#look(conflict)
    const { conflict: before, picks: picked, seen: known, ownResult: own } = this.desk.value
    const picks = before === null ? {} : carryOver(before, conflict, picked)
    const seen = own === null || hasMoved ? newest : known
    const isCarried = own !== null && hasMoved && known.content !== undefined && seen.content !== undefined
    const ownResult = isCarried ? carriedOn(own, known.content, seen.content) : own
    this.#change({ conflict, picks, seen, ownResult, failure: null })
  }

  /** Where edits stand already no side of the conflict is what the document is now, so that is asked for. */
  async #look({ status, kind, current, document }: Conflict): Promise<Seen> {
    if (status !== 'open') return this.desk.value.seen
    if (kind === 'stale-write' && current.version !== null) return seenOf(current.version, current.content)
    const now = await this.#rest.getDocument(document.id).catch(() => null)
    if (now !== null) return seenOf(now.version, now.content)
    return current.version === null ? this.desk.value.seen : { version: current.version }
  }

  #change(part: Partial<Desk>): void {
    this.desk.update((desk) => ({ ...desk, ...part }))
  }
}

const seenOf = (version: number, content: Content | undefined): Seen =>
  content === undefined ? { version } : { version, content }

const PROPOSED: Remark = {
  tone: 'success',
  text: 'Kept as a proposal: you may write here but not resolve. Someone who may will accept or reject it.',
  details: [],
}
const MOVED: Remark = {
  tone: 'attention',
  text: 'The document moved while you looked, in the same place. The conflict below is worked out anew; choices that still fit were kept. Check it and send again.',
  details: [],
}
const TOO_LATE: Remark = {
  tone: 'attention',
  text: 'Someone was faster: this conflict is already closed.',
  details: [],
}
const DECIDED: Remark = { tone: 'attention', text: 'This proposal was already decided.', details: [] }

const REFUSALS: Readonly<Record<string, Remark>> = {
  'version-conflict': MOVED,
  'conflict-closed': TOO_LATE,
  'proposal-closed': DECIDED,
}

const problemRemark = (error: unknown): Remark => ({ tone: 'problem', text: explain(error), details: faults(error) })
