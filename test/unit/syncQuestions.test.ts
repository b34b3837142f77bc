import { describe, expect, it } from 'vitest'
import { toVersion } from '../../server/foundation/ids.ts'
import { Questions, type Questioned } from '../../server/sync/questions.ts'
import { SeenVersions } from '../../server/sync/seenVersions.ts'
import { openSession, type SessionState } from '../../server/sync/session.ts'
import { ManualEnvironment } from '../support/manualEnvironment.ts'

const SECOND_MS = 1_000
const WINDOW_MS = 2_000

class Onlooker implements Questioned {
  livelyMs = Number.NEGATIVE_INFINITY
  /** When it was asked, in seconds. */
  readonly asked: number[] = []
  #seen = SeenVersions.upTo(toVersion(1))

  get state(): SessionState {
    const state = openSession('write', 0)
    if (!('page' in state)) throw new Error('who may write has a page')
    return { ...state, page: { ...state.page, seen: this.#seen } }
  }

  isSent(nowMs: number): void {
    this.#seen = this.#seen.sent(toVersion(this.#seen.sentUpTo + 1), false, nowMs)
  }

  answersAt(nowMs: number): void {
    this.asked.push(Math.round(nowMs / SECOND_MS))
    const id = this.#seen.nextQuestion
    this.#seen = this.#seen.asked().answered(id)
  }
}

/** A room in which one entry after the other goes out to everybody, ten a second. */
async function room(count: number, during: (questions: Questions<Onlooker>, all: readonly Onlooker[]) => void) {
  const environment = new ManualEnvironment()
  const startMs = environment.monotonicMs()
  const all = Array.from({ length: count }, () => new Onlooker())
  const questions = new Questions(
    environment,
    WINDOW_MS,
    () => all,
    (one) => one.answersAt(environment.monotonicMs() - startMs),
  )
  for (let tenths = 0; tenths < 300; tenths++) {
    for (const one of all) one.isSent(environment.monotonicMs())
    questions.soon()
    if (tenths % 10 === 5) during(questions, all)
    await environment.advance(100)
  }
  const perSecond = Array.from({ length: 30 }, (_, second) =>
    all.reduce((sum, { asked }) => sum + asked.filter((at) => at === second).length, 0),
  )
  return { environment, questions, all, perSecond: perSecond.slice(2, 29) }
}

const longestGap = ({ asked }: Onlooker): number =>
  Math.max(...asked.map((at, n) => at - (asked[n - 1] ?? 0)), 30 - (asked.at(-1) ?? 0))

describe('[CONF-6] proof of what everybody was sent', () => {
  it.each([2, 50])('[CONF-6] is asked of each of %s once a second', async (count) => {
    const { perSecond } = await room(count, () => undefined)
    expect(new Set(perSecond)).toEqual(new Set([count]))
  })

  it.each([
    [51, 50, 2],
    [500, 50, 11],
    [1_200, 120, 11],
  ])('[CONF-6] is asked of each of %s in turn, %s a second', async (count, aSecond, gapSeconds) => {
    const { perSecond, all } = await room(count, () => undefined)
    expect(Math.max(...perSecond)).toBe(aSecond)
    expect(Math.max(...all.map(longestGap))).toBeLessThanOrEqual(gapSeconds)
  })

  it('[CONF-6] is asked of who writes or moves a cursor once a second, however many look on', async () => {
    const { all } = await room(500, (questions, [first]) => first && questions.enliven(first))
    expect(longestGap(all[0] ?? new Onlooker())).toBeLessThanOrEqual(2)
    expect(longestGap(all[1] ?? new Onlooker())).toBeLessThanOrEqual(11)
  })

  it('[CONF-6] is asked of everybody after the last entry too, and then of nobody', async () => {
    const { environment, all } = await room(200, () => undefined)
    await environment.advance(5 * SECOND_MS)
    expect(all.filter(({ state }) => 'page' in state && state.page.seen.unseenSinceMs !== null)).toEqual([])
    const before = all.map(({ asked }) => asked.length)
    await environment.advance(60 * SECOND_MS)
    expect(all.map(({ asked }) => asked.length)).toEqual(before)
  })
})
