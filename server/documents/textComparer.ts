import { commonEnds } from '../content/commonEnds.ts'
import type { Content } from '../content/content.ts'
import { comparedHere, type Comparing, type Settled } from '../content/comparing.ts'
import { type Effect, effectBetween, effectOfWrite } from '../content/effect.ts'
import { type Choice, type Merge, mergeReaching, mergeWith, type ReachingMerge, type Sides } from '../content/merge.ts'
import { assertNever, invariant } from '../foundation/assert.ts'
import type { Answering, Desk } from '../threads/desk.ts'

/** A text and what it started from, or became. */
interface LongTexts {
  readonly base: string
  readonly current: string
  readonly incoming: string
}

/** What is asked of long texts. */
export type TextQuestion =
  | ({ readonly ask: 'merge' } & LongTexts)
  | ({ readonly ask: 'settle'; readonly choices: ReadonlyMap<string, Choice> } & LongTexts)
  | { readonly ask: 'effect'; readonly of: 'write' | 'difference'; readonly from: string; readonly to: string }

export type TextAnswer =
  | { readonly ask: 'merge'; readonly merged: ReachingMerge }
  | { readonly ask: 'settle'; readonly settled: Settled }
  | { readonly ask: 'effect'; readonly effect: Effect }

const EFFECTS = { write: effectOfWrite, difference: effectBetween } as const

export const comparingTexts: Answering<TextQuestion, TextAnswer> = async (question) => {
  switch (question.ask) {
    case 'merge':
      return { ask: 'merge', merged: mergeReaching(question.base, question.current, question.incoming) }
    case 'settle': {
      const { base, current, incoming, choices } = question
      return { ask: 'settle', settled: mergeWith(base, current, incoming, choices) }
    }
    case 'effect':
      return { ask: 'effect', effect: EFFECTS[question.of](question.from, question.to) }
    default:
      return assertNever(question)
  }
}

/**
 * Compares long texts beside the event loop, for texts are handed over in no time. Of json contents the handing over would
 * take as long as to compare them.
 */
export class TextComparer {
  readonly #desk: Desk<TextQuestion, TextAnswer>

  constructor(desk: Desk<TextQuestion, TextAnswer>) {
    this.#desk = desk
  }

  /** For somebody, who has one long comparison made at a time. */
  askedBy(by: string): Comparing {
    return new ComparingBeside((question) => this.#desk.ask(question, { by }))
  }
}

class ComparingBeside implements Comparing {
  readonly #ask: (question: TextQuestion) => Promise<TextAnswer>

  constructor(ask: (question: TextQuestion) => Promise<TextAnswer>) {
    this.#ask = ask
  }

  merge(sides: Sides): Promise<Merge> | Merge {
    const long = longSides(sides)
    return long === null ? comparedHere.merge(sides) : this.#merged(long)
  }

  mergeReaching(sides: Sides): Promise<ReachingMerge> | ReachingMerge {
    const long = longSides(sides)
    return long === null ? comparedHere.mergeReaching(sides) : this.#merged(long)
  }

  mergeWith(sides: Sides, choices: ReadonlyMap<string, Choice>): Promise<Settled> | Settled {
    const long = longSides(sides)
    return long === null ? comparedHere.mergeWith(sides, choices) : this.#settled(long, choices)
  }

  effectBetween(from: Content, to: Content): Promise<Effect> | Effect {
    return isLongChange(from, to) ? this.#effect('difference', from, to) : effectBetween(from, to)
  }

  aheadOfWrite(from: Content, to: Content): Promise<Effect> | null {
    return isLongChange(from, to) ? this.#effect('write', from, to) : null
  }

  async #merged(sides: LongTexts): Promise<ReachingMerge> {
    const answer = await this.#ask({ ask: 'merge', ...sides })
    invariant(answer.ask === 'merge', ANSWERS_THE_QUESTION)
    return answer.merged
  }

  async #settled(sides: LongTexts, choices: ReadonlyMap<string, Choice>): Promise<Settled> {
    const answer = await this.#ask({ ask: 'settle', ...sides, choices })
    invariant(answer.ask === 'settle', ANSWERS_THE_QUESTION)
    return answer.settled
  }

  async #effect(of: 'write' | 'difference', from: Content, to: Content): Promise<Effect> {
    const answer = await this.#ask({ ask: 'effect', of, from: String(from), to: String(to) })
    invariant(answer.ask === 'effect', ANSWERS_THE_QUESTION)
    return answer.effect
  }
}

const ANSWERS_THE_QUESTION = 'the desk answers what it was asked'

/** UTF-16 units of the three together: what is less is merged in some 20 ms. */
const LONG_UNITS = 1024 * 1024

function longSides({ base, current, incoming }: Sides): LongTexts | null {
  if (typeof base !== 'string' || typeof current !== 'string' || typeof incoming !== 'string') return null
  return base.length + current.length + incoming.length > LONG_UNITS ? { base, current, incoming } : null
}

/** UTF-16 units that went and came, from the first that differs to the last: what is less is compared in some 20 ms. */
const LONG_CHANGE_UNITS = 512 * 1024

function isLongChange(from: Content, to: Content): boolean {
  if (typeof from !== 'string' || typeof to !== 'string') return false
  const units = from.length + to.length
  if (units <= LONG_CHANGE_UNITS) return false
  const { start, tail } = commonEnds(from, to)
  const changed = units - 2 * (start + tail)
  // Of what was only put in or taken out nothing is compared.
  return changed > LONG_CHANGE_UNITS && Math.min(from.length, to.length) > start + tail
}
