import { faults, explain } from '../present/problem.ts'
import { waysOf, type Way } from '../present/ways.ts'
import { ProblemError, type Rest } from '../parley/rest.ts'
import type { Conflict, Content, ResolutionRequest, Violation } from '../parley/types.ts'
import { carriedOn, carryOver, chosen, fingerprint, stillFit } from './choices.ts'
import type { OverlapPick, Picks } from './choices.ts'
import { contentText } from './contents.ts'
import type { DraftKeeper, ResolutionDraft } from './resolutionDrafts.ts'
import { Store } from './store.ts'
import { wayPreview } from './wayPreview.ts'

/** A note above the conflict about what the last answer was. */
export interface Remark {
  readonly tone: 'info' | 'success' | 'attention' | 'problem'
  readonly text: string
  readonly details: readonly string[]
  /** Where the result made by hand breaks the schema. */
  readonly violations?: readonly Violation[]
}

export interface Desk {
  readonly conflict: Conflict | null
  /** Why there is none to show. */
  readonly failure: string | null
  /** The document as the person looks at it: what a resolution is based on. */
  readonly seen: Seen
  /** The way that was picked; null while none was. */
  readonly way: Way | null
  readonly picks: Picks
  /** Words written for a place, by overlap id: also while another side is picked there, or the place became another. */
  readonly ownTexts: Readonly<Record<string, string>>
  /** The result as edited by hand; null where none was made. */
  readonly ownResult: string | null
  /** An own result that was given up for a fresh start. */
  readonly givenUp: string | null
  readonly comment: string
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

const UNPREPARED = { way: null, picks: {}, ownTexts: {}, ownResult: null, givenUp: null, comment: '' } as const
const EMPTY: Desk = { conflict: null, failure: null, seen: { version: 0 }, ...UNPREPARED, busy: false, remark: null }
const FORGETFUL: DraftKeeper = { get: () => null, put: () => {} }

/** What the desk asks the server. */
type DeskRest = Pick<Rest, 'getConflict' | 'getDocument' | 'resolveConflict'>

/** One conflict on the desk: what it is, what was prepared, and what each answer of the server does to that. */
export class ConflictDesk {
  readonly desk = new Store<Desk>(EMPTY)
  readonly #id: string
  readonly #rest: DeskRest
  readonly #drafts: DraftKeeper
  readonly #lockToken: () => string | null

  /** `lockToken`: of the lock that the person holds on the document, if any. */
  constructor(id: string, rest: DeskRest, drafts: DraftKeeper = FORGETFUL, lockToken = (): string | null => null) {
    this.#id = id
    this.#rest = rest
    this.#drafts = drafts
    this.#lockToken = lockToken
  }

  /** Reads the conflict (again): picks stay where the place is still the same. */
  async load(): Promise<void> {
    try {
      await this.#show(await this.#rest.getConflict(this.#id))
    } catch (error) {
      const { conflict } = this.desk.value
      if (conflict === null) this.#change({ failure: explain(error) })
      else if (isExpired(error)) this.#expire(conflict)
      else this.#change({ remark: problemRemark(error) })
    }
  }

  pick(overlapId: string, pick: OverlapPick): void {
    const { picks, ownTexts } = this.desk.value
    const own = pick.from === 'own' ? { ownTexts: { ...ownTexts, [overlapId]: pick.text } } : {}
    this.#prepare({ way: 'choices', picks: { ...picks, [overlapId]: pick }, ...own })
  }

  /** Nothing is sent: the result of it is shown. */
  choose(way: Way): void {
    const { ownResult } = this.desk.value
    this.#prepare(way === 'hand' && ownResult === null ? { way, ownResult: this.#startOfOwn() } : { way })
  }

  /** Null gives the result made by hand up. */
  editResult(text: string | null): void {
    this.#prepare(text === null ? { way: null, ownResult: null } : { way: 'hand', ownResult: text })
  }

  /** From the choices anew; what was written by hand can be brought back. */
  startOver(): void {
    const { ownResult, way } = this.desk.value
    this.desk.update((desk) => ({ ...desk, way: way === 'hand' ? null : way }))
    this.#prepare({ way: 'hand', ownResult: this.#startOfOwn(), givenUp: ownResult })
  }

  bringBack(): void {
    const { givenUp, ownResult } = this.desk.value
    this.#prepare({ way: 'hand', ownResult: givenUp, givenUp: ownResult })
  }

  writeComment(comment: string): void {
    this.#prepare({ comment })
  }

  /** What a result made by hand starts from: what was on the screen. */
  #startOfOwn(): string {
    const { conflict, seen, picks } = this.desk.value
    if (conflict === null) return ''
    const way = wayOf(this.desk.value)
    const [first = 'dismiss'] = waysOf(conflict)
    const from = way === 'hand' || way === null ? first : way
    const made = from === 'hand' ? null : wayPreview(conflict, from, picks, seen.content)
    return contentText(made !== null && 'content' in made ? made.content : (seen.content ?? ''))
  }

  /** Posts the act. What comes of it, whatever the status, is in the desk afterwards. */
  async act(act: Act, comment: string): Promise<void> {
    const { conflict, busy } = this.desk.value
    if (conflict === null || busy) return
    this.#change({ busy: true, remark: null })
    try {
      const answer = await this.#rest.resolveConflict(this.#request(conflict, act, comment.trim()), this.#lockToken())
      // What was prepared is done, or kept as a proposal.
      if (!('accept' in act || 'reject' in act)) this.#prepare(UNPREPARED)
      await this.#reload()
      this.#change({ remark: answer.outcome === 'proposed' ? PROPOSED : null })
    } catch (error) {
      await this.#refused(error)
    } finally {
      this.#change({ busy: false })
    }
  }

  /** It ended with its document, and the server shows no more of it: what was read of it stays. */
  #expire(conflict: Conflict): void {
    this.#change({ conflict: { ...conflict, status: 'expired' }, remark: null })
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
    const { conflict } = this.desk.value
    if (conflict !== null && isExpired(error)) return this.#expire(conflict)
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
    if (this.desk.value.conflict === null) this.#takeUp(conflict)
    const { conflict: before, picks: picked, seen: known, ownResult: own } = this.desk.value
    const picks = before === null ? picked : carryOver(before, conflict, picked)
    const seen = own === null || hasMoved ? newest : known
    const isCarried = own !== null && hasMoved && known.content !== undefined && seen.content !== undefined
    const ownResult = isCarried ? carriedOn(own, known.content, seen.content) : own
    this.#change({ conflict, picks, seen, ownResult, failure: null })
  }

  /** What was prepared before the page was left or read anew. */
  #takeUp(conflict: Conflict): void {
    const draft = this.#drafts.get()
    if (draft === null) return
    const known = new Map(draft.picks.map(({ id, at }) => [id, at]))
    const picks = Object.fromEntries(draft.picks.map(({ id, pick }) => [id, pick]))
    this.#change({
      way: draft.way,
      picks: stillFit(conflict, picks, known),
      ownTexts: Object.fromEntries(draft.ownTexts.map(({ id, text }) => [id, text])),
      comment: draft.comment,
      ...(draft.own === null
        ? {}
        : { ownResult: draft.own.text, seen: { version: draft.own.version, content: draft.own.content } }),
    })
  }

  /** Where edits stand already no side of the conflict is what the document is now, so that is asked for. */
  async #look({ status, kind, current, document }: Conflict): Promise<Seen> {
    if (status !== 'open') return this.desk.value.seen
    if (kind === 'stale-write' && current.version !== null) return seenOf(current.version, current.content)
    const now = await this.#rest.getDocument(document.id).catch(() => null)
    if (now !== null) return seenOf(now.version, now.content)
    return current.version === null ? this.desk.value.seen : { version: current.version }
  }

  #prepare(part: Partial<Desk>): void {
    this.#change(part)
    this.#drafts.put(draftOf(this.desk.value))
  }

  #change(part: Partial<Desk>): void {
    this.desk.update((desk) => ({ ...desk, ...part }))
  }
}

/** The way that is in force: what was picked, or what is offered first. */
export function wayOf({ conflict, way }: Desk): Way | null {
  if (conflict === null) return null
  const ways = waysOf(conflict)
  return way !== null && ways.includes(way) ? way : (ways[0] ?? null)
}

/** Words that somebody wrote and that went nowhere: a comment, the result by hand, what should stand at places. */
export function unsentWords({
  ownTexts,
  ownResult,
  givenUp,
  comment,
}: Desk): readonly { label: string; text: string }[] {
  return [
    ...Object.values(ownTexts).map((text) => ({ label: 'Your words for a place', text })),
    ...[ownResult, givenUp].flatMap((text) => (text === null ? [] : [{ label: 'Your result', text }])),
    ...(comment.trim() === '' ? [] : [{ label: 'Your comment', text: comment }]),
  ].filter(({ text }) => text !== '')
}

/** Null where nothing was prepared. */
function draftOf({ conflict, seen, way, picks, ownTexts, ownResult, comment }: Desk): ResolutionDraft | null {
  const places = new Map(conflict?.overlaps.map((overlap) => [overlap.id, fingerprint(overlap)]))
  const draft: ResolutionDraft = {
    way,
    picks: Object.entries(picks).map(([id, pick]) => ({ id, at: places.get(id) ?? '', pick })),
    ownTexts: Object.entries(ownTexts).map(([id, text]) => ({ id, text })),
    own:
      ownResult === null || seen.content === undefined
        ? null
        : { text: ownResult, version: seen.version, content: seen.content },
    comment,
  }
  const isEmpty = way === null && draft.picks.length + draft.ownTexts.length === 0 && draft.own === null
  return isEmpty && comment === '' ? null : draft
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

const isExpired = (error: unknown): boolean =>
  error instanceof ProblemError && error.problem.code === 'conflict-expired'

const problemRemark = (error: unknown): Remark => ({
  tone: 'problem',
  text: explain(error),
  details: faults(error),
  ...(error instanceof ProblemError && error.problem.violations !== undefined
    ? { violations: error.problem.violations }
    : {}),
})
