import {
  comparedHere,
  type Comparing,
  firstLiveOverlaps,
  mergeOutcome,
  type MergeOutcome,
  type Settled,
  takesLongToMerge,
  takesLongToFind,
  takesLongToTell,
} from '../content/comparing.ts'
import type { Content } from '../content/content.ts'
import { type Effect, effectBetween, effectOfWrite } from '../content/effect.ts'
import { type Granularities, granularityOf } from '../content/granularity.ts'
import { type LiveChoices, type LiveSides, rewriteOverlaps } from '../content/liveMerge.ts'
import { type Choice, mergeReaching, mergeWith, type ReachingMerge, type Sides } from '../content/merge.ts'
import type { LiveOverlap } from '../content/overlap.ts'
import { assertNever, invariant } from '../foundation/assert.ts'
import type { Answering, Desk } from '../threads/desk.ts'

/** What is asked of contents with long texts. */
export type TextQuestion =
  | ({ readonly ask: 'merge' | 'reach' } & Sides)
  | ({ readonly ask: 'settle'; readonly choices: ReadonlyMap<string, Choice> } & Sides)
  | { readonly ask: 'find-live'; readonly sides: LiveSides; readonly by: Granularities }
  | {
      readonly ask: 'rewrite-live'
      readonly sides: LiveSides
      readonly by: Granularities
      readonly choices: LiveChoices
    }
  | { readonly ask: 'effect'; readonly of: 'write' | 'difference'; readonly from: Content; readonly to: Content }

export type TextAnswer =
  | { readonly ask: 'merge'; readonly merged: MergeOutcome }
  | { readonly ask: 'reach'; readonly merged: ReachingMerge }
  | { readonly ask: 'settle' | 'rewrite-live'; readonly settled: Settled }
  | { readonly ask: 'find-live'; readonly overlaps: readonly LiveOverlap[] }
  | { readonly ask: 'effect'; readonly effect: Effect }

const EFFECTS = { write: effectOfWrite, difference: effectBetween } as const

export const comparingTexts: Answering<TextQuestion, TextAnswer> = async (question) => {
  switch (question.ask) {
    case 'merge':
      return { ask: 'merge', merged: mergeOutcome(question) }
    case 'reach':
      return { ask: 'reach', merged: mergeReaching(question.base, question.current, question.incoming) }
    case 'settle': {
      const { base, current, incoming, choices } = question
      return { ask: 'settle', settled: mergeWith(base, current, incoming, choices) }
    }
    case 'find-live':
      return { ask: 'find-live', overlaps: firstLiveOverlaps(question.sides, question.by) }
    case 'rewrite-live': {
      const { sides, by, choices } = question
      return { ask: 'rewrite-live', settled: rewriteOverlaps(sides, granularityOf(by), choices) }
    }
    case 'effect':
      return { ask: 'effect', effect: EFFECTS[question.of](question.from, question.to) }
    default:
      return assertNever(question)
  }
}

/** What somebody wants takes long: they are to wait in a line of their own, and not with the turn of a document. */
export class TakesLong extends Error {
  readonly by: string

  constructor(by: string) {
    super(`${by} has long texts compared.`)
    this.by = by
  }
}

/** Compares contents with long texts beside the event loop, for texts are handed over in no time. */
export class TextComparer {
  readonly #desk: Desk<TextQuestion, TextAnswer>

  constructor(desk: Desk<TextQuestion, TextAnswer>) {
    this.#desk = desk
  }

  /** For somebody, who has one long comparison made at a time. */
  askedBy(by: string): Comparing {
    return new ComparingBeside((question) => this.#desk.ask(question, { by }))
  }

  /** Only what takes no time; all else throws `TakesLong`. */
  briefly(by: string): Comparing {
    return new ComparingBeside(() => {
      throw new TakesLong(by)
    })
  }
}

class ComparingBeside implements Comparing {
  readonly #ask: (question: TextQuestion) => Promise<TextAnswer>

  constructor(ask: (question: TextQuestion) => Promise<TextAnswer>) {
    this.#ask = ask
  }

  merge(sides: Sides): Promise<MergeOutcome> | MergeOutcome {
    return takesLongToMerge(sides) ? this.#merged(sides) : comparedHere.merge(sides)
  }

  mergeReaching(sides: Sides): Promise<ReachingMerge> | ReachingMerge {
    return takesLongToMerge(sides) ? this.#reaching(sides) : comparedHere.mergeReaching(sides)
  }

  mergeWith(sides: Sides, choices: ReadonlyMap<string, Choice>): Promise<Settled> | Settled {
    return takesLongToMerge(sides) ? this.#settled(sides, choices) : comparedHere.mergeWith(sides, choices)
  }

  liveOverlaps(sides: LiveSides, by: Granularities): Promise<readonly LiveOverlap[]> | readonly LiveOverlap[] {
    return takesLongToFind(sides) ? this.#found(sides, by) : comparedHere.liveOverlaps(sides, by)
  }

  rewriteLive(sides: LiveSides, by: Granularities, choices: LiveChoices): Promise<Settled> | Settled {
    return takesLongToFind(sides) ? this.#rewritten(sides, by, choices) : comparedHere.rewriteLive(sides, by, choices)
  }

  effectBetween(from: Content, to: Content): Promise<Effect> | Effect {
    return takesLongToTell(from, to) ? this.#effect('difference', from, to) : effectBetween(from, to)
  }

  aheadOfWrite(from: Content, to: Content): Promise<Effect> | null {
    return takesLongToTell(from, to) ? this.#effect('write', from, to) : null
  }

  async #merged(sides: Sides): Promise<MergeOutcome> {
    const answer = await this.#ask({ ask: 'merge', ...sides })
    invariant(answer.ask === 'merge', ANSWERS_THE_QUESTION)
    return answer.merged
  }

  async #reaching(sides: Sides): Promise<ReachingMerge> {
    const answer = await this.#ask({ ask: 'reach', ...sides })
    invariant(answer.ask === 'reach', ANSWERS_THE_QUESTION)
    return answer.merged
  }

  async #settled(sides: Sides, choices: ReadonlyMap<string, Choice>): Promise<Settled> {
    const answer = await this.#ask({ ask: 'settle', ...sides, choices })
    invariant(answer.ask === 'settle', ANSWERS_THE_QUESTION)
    return answer.settled
  }

  async #found(sides: LiveSides, by: Granularities): Promise<readonly LiveOverlap[]> {
    const answer = await this.#ask({ ask: 'find-live', sides, by: plain(by) })
    invariant(answer.ask === 'find-live', ANSWERS_THE_QUESTION)
    return answer.overlaps
  }

  async #rewritten(sides: LiveSides, by: Granularities, choices: LiveChoices): Promise<Settled> {
    const answer = await this.#ask({ ask: 'rewrite-live', sides, by: plain(by), choices })
    invariant(answer.ask === 'rewrite-live', ANSWERS_THE_QUESTION)
    return answer.settled
  }

  async #effect(of: 'write' | 'difference', from: Content, to: Content): Promise<Effect> {
    const answer = await this.#ask({ ask: 'effect', of, from, to })
    invariant(answer.ask === 'effect', ANSWERS_THE_QUESTION)
    return answer.effect
  }
}

/** Nothing else of the record that they stand in is handed over. */
const plain = ({ texts, wholes }: Granularities): Granularities => ({ texts, wholes })

const ANSWERS_THE_QUESTION = 'the desk answers what it was asked'
