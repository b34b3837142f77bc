import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { isObject, type Content } from '../../server/content/content.ts'
import { contentEquals } from '../../server/content/equal.ts'
import { LiveScene, plain } from '../support/liveScene.ts'
import { Draws } from '../support/randomEdits.ts'
import type { SimulatedClient } from '../support/simulatedClient.ts'
import { AnotherOrder, expectedMerge, placeNamed, type Expected } from '../support/threeWay.ts'

/** Longer than the window, in which nothing is judged. */
const AWAY_MS = 3_000
const NAMES = ['ann', 'ben', 'cat'] as const

type Kind = 'text' | 'json'
const START: Record<Kind, Content> = {
  text: Array.from({ length: 7 }, (_, i) => `line ${i} with a teh in it`).join('\n'),
  json: { a: 1, b: 2, c: 3, m: { x: 1, y: 2 }, n: { x: { deep: 1 } } },
}

/** Random edits as editors make them, on a Y.Doc. A fresh value is new to the whole run, a shared one is not. */
class LiveEdits {
  readonly #draws: Draws
  #fresh = 0

  constructor(draws: Draws) {
    this.#draws = draws
  }

  edit(doc: Y.Doc, kind: Kind): void {
    doc.transact(() =>
      kind === 'text' ? this.#editText(doc.getText('content')) : this.#editMap(doc.getMap('content')),
    )
  }

  /** One that brings something: the server can tell whether the others had it. */
  insert(doc: Y.Doc, kind: Kind): void {
    if (kind === 'json') doc.getMap('content').set(this.#draws.oneOf(['a', 'b', 'c']), this.#value())
    else doc.getText('content').insert(this.#draws.below(doc.getText('content').length + 1), `<${this.#next()}>`)
  }

  #editText(text: Y.Text): void {
    const lines = text.toString().split('\n')
    const line = this.#draws.below(lines.length)
    const start = lines.slice(0, line).reduce((sum, one) => sum + one.length + 1, 0)
    const { length } = lines[line] ?? ''
    switch (this.#draws.below(6)) {
      case 0:
        return text.insert(start + this.#draws.below(length + 1), `<${this.#next()}>`)
      case 1:
        return text.insert(start, `fresh ${this.#next()}\n`)
      case 2:
        return text.delete(start, Math.min(length + 1, text.length - start))
      case 3: {
        const at = this.#draws.below(length + 1)
        text.delete(start + at, Math.min(2, length - at))
        return text.insert(start + at, `${this.#next()}`)
      }
      case 4: {
        text.delete(start, length)
        return text.insert(start, `whole ${this.#next()}`)
      }
      default: {
        const at = lines[line]?.indexOf('teh') ?? -1
        if (at === -1) return
        text.delete(start + at, 3)
        return text.insert(start + at, 'the')
      }
    }
  }

  #editMap(root: Y.Map<unknown>): void {
    const key = this.#draws.oneOf(['a', 'b', 'c'])
    const parent = this.#draws.oneOf(['m', 'n'])
    const inner = root.get(parent)
    switch (this.#draws.below(6)) {
      case 0:
      case 1:
        return void root.set(key, this.#value())
      case 2:
        return root.delete(key)
      case 3:
        return void root.set(parent, new Y.Map([['x', this.#value()]]))
      case 4:
        return root.delete(parent)
      default:
        if (inner instanceof Y.Map) inner.set(this.#draws.oneOf(['x', 'y', 'z']), this.#value())
    }
  }

  #value(): string | number {
    return this.#draws.below(4) === 0 ? 'shared' : this.#next()
  }

  #next(): number {
    this.#fresh += 1
    return this.#fresh
  }
}

/** What an oracle knows of one return: all the contents. */
interface Return {
  readonly base: Content
  readonly current: Content
  readonly incoming: Content
  readonly merged: Content
}

const linesOf = (content: Content): string[] => String(content).split('\n').toSorted()

/** Whether the live merge made something the three-way merge does not hold. */
function deviates({ content }: Expected, merged: Content): boolean {
  if (typeof merged !== 'string') return !contentEquals(content, merged)
  return linesOf(content).join('\n') !== linesOf(merged).join('\n')
}

/** Compares what was found of a return with what the oracle says; answers how many conflicts there are now. */
async function check(scene: LiveScene, before: number, returned: Return): Promise<'raised' | 'silent' | 'unjudged'> {
  const { base, current, incoming, merged } = returned
  const found = (await scene.conflicts()).slice(before)
  let expected: Expected
  try {
    expected = expectedMerge(base, current, incoming)
  } catch (error) {
    if (error instanceof AnotherOrder) return 'unjudged'
    throw error
  }
  const isRaised = expected.overlaps.length > 0 || deviates(expected, merged)
  expect(found.length, JSON.stringify({ returned, expected })).toBe(isRaised ? 1 : 0)
  const [conflict] = found
  if (!conflict) return 'silent'
  expect({
    base: conflict.base.content,
    current: conflict.current.content,
    incoming: conflict.incoming.content,
    merged: conflict.merged.content,
  }).toEqual(returned)
  for (const place of expected.overlaps) expect(conflict.overlaps.some((overlap) => holds(overlap, place))).toBe(true)
  return 'raised'
}

/** Whether an overlap is at the place the oracle names, or around it. */
function holds(overlap: object, place: string): boolean {
  if ('pointer' in overlap) return `${place}/`.startsWith(`${String(overlap.pointer)}/`)
  if (!('lines' in overlap)) return false
  const { base } = overlap.lines as { base: { start: number; end: number } }
  const { start, end } = placeNamed(place)
  return base.start <= start + 1 && end + 1 <= base.end
}

/** A question, and its answer. */
const PROOF_MS = 1_500

class Run {
  readonly #scene: LiveScene
  readonly #draws: Draws
  readonly #edits: LiveEdits
  readonly #kind: Kind
  /** What the clients that are away had when they left. */
  readonly #away = new Map<SimulatedClient, Content>()
  readonly outcomes = { raised: 0, silent: 0, unjudged: 0 }

  constructor(scene: LiveScene, draws: Draws, kind: Kind) {
    this.#scene = scene
    this.#draws = draws
    this.#kind = kind
    this.#edits = new LiveEdits(draws)
  }

  async step(): Promise<void> {
    const client = this.#draws.oneOf(this.#scene.clients)
    const isAway = this.#away.has(client)
    const choice = this.#draws.below(10)
    if (isAway && choice < 2) await this.comeBack(client)
    else if (!isAway && choice < 3) await this.#leave(client, this.#draws.below(3) === 0)
    else await this.#edit(client)
  }

  async #edit(client: SimulatedClient): Promise<void> {
    this.#edits.edit(client.doc, this.#kind)
    await this.#scene.settle()
  }

  /** `abruptly`: something is still under way to it, and lost. */
  async #leave(client: SimulatedClient, abruptly: boolean): Promise<void> {
    // Half of the time its page has proved what it was sent, which it is asked for once a second at most.
    if (this.#draws.below(2) === 0) await this.#scene.pass(PROOF_MS)
    await this.#scene.settle()
    const other = this.#scene.clients.find((one) => one !== client && !this.#away.has(one))
    if (abruptly && other) {
      this.#edits.insert(other.doc, this.#kind)
      other.deliverUp()
      await this.#scene.settle([other])
    }
    client.disconnect()
    this.#away.set(client, plain(client, this.#kind))
    await this.#scene.pass(AWAY_MS)
  }

  async comeBack(client: SimulatedClient): Promise<void> {
    const base = this.#away.get(client)
    if (base === undefined) return
    this.#away.delete(client)
    const before = (await this.#scene.conflicts()).length
    const [current, incoming] = [this.#scene.content, plain(client, this.#kind)]
    client.connect(this.#scene.room)
    await this.#scene.settle()
    const merged = this.#scene.content
    expect(plain(client, this.#kind)).toEqual(isObject(merged) ? { ...merged } : merged)
    this.outcomes[await check(this.#scene, before, { base, current, incoming, merged })] += 1
    await this.#scene.pass(AWAY_MS)
  }

  async end(): Promise<void> {
    for (const client of this.#away.keys()) await this.comeBack(client)
    const raised = await this.#scene.conflicts()
    expect(raised.length).toBeLessThanOrEqual(this.outcomes.raised + this.outcomes.unjudged)
  }
}

const runs = Number(process.env['SILENT_RUNS'] ?? 40)

describe.each(['text', 'json'] as const)('random histories of a %s', (kind) => {
  it('[CONF-6] [CONF-7] every silent loss is found with its exact sides, and nothing else is raised', async () => {
    const total = { raised: 0, silent: 0, unjudged: 0 }
    const numbers = fc.array(fc.nat(1_000_000), { minLength: 60, maxLength: 200 })
    await fc.assert(
      fc.asyncProperty(numbers, fc.shuffledSubarray([3, 5, 9], { minLength: 2 }), async (drawn, clientIds) => {
        const scene = await LiveScene.start(START[kind])
        try {
          const draws = new Draws(drawn)
          for (const [i, clientId] of clientIds.entries()) await scene.join(NAMES[i] ?? 'dan', clientId)
          await scene.pass(AWAY_MS)
          const run = new Run(scene, draws, kind)
          for (let n = 0; n < 18; n += 1) await run.step()
          await run.end()
          for (const outcome of ['raised', 'silent', 'unjudged'] as const) total[outcome] += run.outcomes[outcome]
        } finally {
          await scene.stop()
        }
      }),
      { numRuns: runs },
    )
    // The histories must have been worth it, and the oracle must have known nearly all of them.
    expect(total.raised).toBeGreaterThan(runs / 4)
    expect(total.silent).toBeGreaterThan(runs / 4)
    expect(total.unjudged).toBeLessThan((total.raised + total.silent) / 3)
  })
})
