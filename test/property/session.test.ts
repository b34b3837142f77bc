import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readUpdate } from '../../server/documents/admission/updateReader.ts'
import { joinUpdates } from '../../server/documents/joinUpdates.ts'
import { NO_VERSION, toVersion } from '../../server/foundation/ids.ts'
import { Brought } from '../../server/sync/brought.ts'
import { openSession, type SessionAction, type SessionEvent, type SessionState } from '../../server/sync/session.ts'
import { step } from '../../server/sync/sessionTable.ts'
import { around, typedBy } from '../support/sessionScene.ts'

/** Events that a session brings about, or its room, at any moment. */
const OUTSIDE = [
  'asks',
  'brings',
  'answers us',
  'lists',
  'uses',
  'committed',
  'lock-changed',
  'lock',
  'answer-sent',
  'proof-wanted',
  'probed',
  'waited',
  'act ends',
  'act ends',
  'act fails',
  'time',
  'gap',
  'ends',
] as const

/** Of a session that may write. */
const STATES = ['arriving', 'away', 'barred', 'closed', 'leaving', 'present', 'syncing', 'taking-in']

/** Yjs client ids that write in updates: each here is written under once. */
const writersOf = (updates: readonly Uint8Array[]): number[] =>
  updates.flatMap((update) => [...readUpdate(update).sections.keys()])

/** A session and a room that does what its steps say, as far as that can be told without one. */
class Model {
  state: SessionState = openSession('write', 0)
  readonly #room = { nowMs: 0, version: toVersion(1), isBarred: false }
  /** What is on its way in an act, and its kind. */
  #act: Extract<SessionAction, { do: 'judge' | 'keep' }> | null = null
  #actBegan = NO_VERSION
  #nextWriter = 1
  readonly #brought = new Set<number>()
  /** What of that has come to something that outlives the session: applied, or on disk. */
  readonly #safe = new Set<number>()
  #isTold = false
  /** What is applied next builds on what the document lacks. */
  #hasGap = false

  happens(kind: (typeof OUTSIDE)[number]): void {
    switch (kind) {
      case 'lock':
        this.#room.isBarred = !this.#room.isBarred
        return
      case 'gap':
        this.#hasGap = true
        return
      case 'time':
        this.#room.nowMs += 1_500
        return
      case 'committed':
        this.#room.version = toVersion(this.#room.version + 1)
        return this.#tell({ type: 'committed', versions: [this.#room.version], own: new Set() })
      case 'brings':
        return this.#bring('update')
      case 'answers us':
        return this.#bring('sync-step-2')
      case 'asks':
        return this.#tell({ type: 'asks', stateVector: new Map([[1, this.#nextWriter]]) })
      case 'uses':
        return this.#tell({
          type: 'uses',
          client: 1,
          earlier: { sinceMs: 0, seen: toVersion(1), sent: toVersion(1) },
          isSaid: true,
        })
      case 'act ends':
        return this.#endAct()
      case 'act fails':
        if (!this.#act) return
        this.#act = null
        return this.#tell({ type: 'failed', code: 'overloaded', reason: 'full' })
      case 'ends':
        return this.#tell({ type: 'ends', brokeOff: true })
      default:
        return this.#tell({ type: kind })
    }
  }

  /** What was brought and is neither safe, nor held, nor refused with a word. */
  get lost(): number[] {
    if (this.#isTold) return []
    const held = 'held' in this.state ? writersOf(this.state.held.updates) : []
    const underWay = this.#act ? writersOf(this.#act.edits.updates) : []
    const kept = new Set([...held, ...underWay, ...this.#safe])
    return [...this.#brought].filter((writer) => !kept.has(writer))
  }

  /** Everything that is on its way ends, and the session too. */
  end(): void {
    for (let n = 0; n < 10 && this.#act; n++) this.#endAct()
    this.#tell({ type: 'ends', brokeOff: false })
    for (let n = 0; n < 10 && this.#act; n++) this.#endAct()
  }

  #bring(message: Brought['message']): void {
    const writer = this.#nextWriter
    this.#nextWriter += 1
    const isHeard = this.state.name !== 'closed' && this.state.name !== 'leaving'
    if (isHeard) this.#brought.add(writer)
    this.#tell({ type: 'brings', brought: new Brought(typedBy(writer), message) })
  }

  #endAct(): void {
    const act = this.#act
    if (!act) return
    this.#act = null
    const { updates, knowledge } = act.edits
    const at = this.#actBegan
    if (updates.length === 0) return this.#tell({ type: 'judged', at, joined: null, counts: false, merge: null })
    const joined = { update: joinUpdates(updates), knowledge }
    if (act.do === 'judge') return this.#tell({ type: 'judged', at, joined, counts: true, merge: null })
    this.#isSafe(updates)
    this.#tell({ type: 'kept', joined })
  }

  #isSafe(updates: readonly Uint8Array[]): void {
    for (const writer of writersOf(updates)) this.#safe.add(writer)
  }

  #tell(event: SessionEvent): void {
    const before = this.state
    const silence = { after: this.#room.version, stateVector: new Map() }
    const { state, actions } = step(
      before,
      event,
      around({ ...this.#room, silence: () => silence, addsTo: () => true }),
    )
    if (before.name === 'closed') expect([state, actions]).toEqual([before, []])
    expect(actions.length).toBeLessThanOrEqual(4 + ('held' in before ? before.held.updates.length : 0))
    this.state = state
    for (const action of actions) this.#perform(action)
  }

  #perform(action: SessionAction): void {
    switch (action.do) {
      case 'judge':
      case 'keep':
        expect(this.#act, 'one act is under way at a time').toBeNull()
        this.#act = action
        this.#actBegan = this.#room.version
        return
      case 'apply':
        if (!this.#hasGap || action.message !== 'update' || this.state.name === 'closed') {
          return this.#isSafe([action.update])
        }
        this.#hasGap = false
        return this.#tell({ type: 'gap', update: action.update })
      case 'leave-behind':
        return this.#isSafe(action.edits.updates)
      case 'turn-to-answer':
        return this.#tell({ type: 'answer-due' })
      case 'go-on':
        for (const update of action.updates) {
          this.#tell({ type: 'goes-on', brought: new Brought(update, 'update') })
        }
        return
      case 'close':
        this.#isTold = true
        return this.#tell({ type: 'ends', brokeOff: false })
      default:
    }
  }
}

describe('a session to which anything happens in any order', () => {
  it('[SYNC-2] [CONF-6] drops nothing without a word, has one act under way at a time, ends for good, does few things at once', () => {
    const visited = new Set<string>()
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...OUTSIDE), { minLength: 15, maxLength: 80 }), (kinds) => {
        const model = new Model()
        for (const kind of kinds) {
          model.happens(kind)
          expect(model.lost, kind).toEqual([])
          visited.add(model.state.name)
        }
        model.end()
        expect(model.lost).toEqual([])
        expect(model.state.name).toBe('closed')
      }),
      { numRuns: 1_000 },
    )
    expect([...visited].toSorted()).toEqual(STATES)
  })
})
