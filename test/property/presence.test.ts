import fc from 'fast-check'
import * as decoding from 'lib0/decoding'
import { expect, it } from 'vitest'
import { applyAwarenessUpdate, Awareness, encodeAwarenessUpdate } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { toPrincipalId } from '../../server/foundation/ids.ts'
import { Departures } from '../../server/sync/departures.ts'
import { DEFAULT_SYNC_LIMITS } from '../../server/sync/limits.ts'
import type { Channel } from '../../server/sync/member.ts'
import { Room, type Seat } from '../../server/sync/room.ts'
import { decodeMessage, encodeMessage } from '../../server/sync/yProtocol.ts'
import { FakeReplica } from '../support/fakeReplica.ts'
import { ManualEnvironment, settled } from '../support/manualEnvironment.ts'
import { frames } from '../support/rawClient.ts'

const PAGES = 5
const AWARENESS = 1
/** What it takes to write to one socket of the room: with all of them, news are gathered. */
const WRITE_MS = 1.2

/** A page with the awareness of a stock client, which echoes what it is told; what it sends arrives when it is delivered. */
class Page implements Channel {
  awareness = new Awareness(new Y.Doc())
  readonly name: string
  readonly #environment: ManualEnvironment
  #seat: Seat | null = null
  #toServer: Uint8Array[] = []

  constructor(name: string, environment: ManualEnvironment) {
    this.name = name
    this.#environment = environment
    this.#begin()
  }

  get id(): number {
    return this.awareness.clientID
  }
  get isHere(): boolean {
    return this.#seat !== null
  }

  join(room: Room): void {
    this.#seat = room.join(this, toPrincipalId(this.name), 'write')
    this.#toServer.push(frames.syncStep1())
    if (this.awareness.getLocalState() !== null) this.#say([this.id])
    this.#toServer.push(frames.syncStep2(Uint8Array.of(0, 0)))
  }

  /**
   * For good: whoever comes back is another page. A stock page that only lost its line takes others' states anew when their
   * clocks have moved on, with their next heartbeat.
   */
  leave(): void {
    const seat = this.#seat
    this.#seat = null
    this.#toServer = []
    seat?.leave()
    this.awareness.destroy()
    this.awareness = new Awareness(new Y.Doc())
    this.#begin()
  }

  deliver(): void {
    for (const frame of this.#toServer.splice(0)) {
      const message = decodeMessage(frame)
      if (message.type === 'malformed') throw new Error(message.reason)
      this.#seat?.receive(message)
    }
  }

  frameOf = encodeMessage

  write(frame: Uint8Array, taken: () => void): void {
    this.#environment.jump(WRITE_MS)
    const decoder = decoding.createDecoder(frame)
    if (decoding.readVarUint(decoder) === AWARENESS) {
      const body = decoding.readVarUint8Array(decoder)
      expect(idsIn(body)).not.toContain(this.id)
      applyAwarenessUpdate(this.awareness, body, this)
    }
    taken()
  }

  pause(): void {}
  resume(): void {}
  close(): void {
    this.#seat = null
  }

  #begin(): void {
    this.awareness.setLocalState({ name: this.name })
    this.awareness.on('update', (changed: Record<'added' | 'updated' | 'removed', number[]>) => {
      const clients = [...changed.added, ...changed.updated, ...changed.removed]
      if (this.#seat) this.#say(clients)
    })
  }

  #say(clients: readonly number[]): void {
    this.#toServer.push(frames.awareness(encodeAwarenessUpdate(this.awareness, [...clients])))
  }
}

function idsIn(body: Uint8Array): number[] {
  const decoder = decoding.createDecoder(body)
  return Array.from({ length: decoding.readVarUint(decoder) }, () => {
    const client = decoding.readVarUint(decoder)
    decoding.readVarUint(decoder)
    decoding.readVarString(decoder)
    return client
  })
}

const page = fc.nat(PAGES - 1)
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('move' as const), page }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('deliver' as const), page }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('join' as const), page }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), page }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('hide' as const), page }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), page, ms: fc.constantFrom(0, 1, 20, 60) }) },
)

function openRoom(environment: ManualEnvironment): Room {
  return new Room({
    lease: { replica: new FakeReplica('text', 4_000_000_000), release: () => undefined },
    judge: { prepare: () => Promise.resolve(null) },
    keeper: { keep: () => Promise.resolve(), bytes: () => 0 },
    departures: new Departures(),
    limits: DEFAULT_SYNC_LIMITS,
    environment,
    onClosed: () => undefined,
    onGivenUp: () => undefined,
    onUnexpected: (error) => {
      throw error
    },
  })
}

it('[SYNC-5] in the end everybody knows of everybody else what they said last, however it was gathered', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const environment = new ManualEnvironment()
      const room = openRoom(environment)
      // It stays, so that the room does.
      const pages = Array.from({ length: PAGES }, (_, n) => new Page(`person ${n}`, environment))
      const [first] = pages
      first?.join(room)
      let moves = 0
      for (const one of steps) {
        const acting = pages[one.page]
        if (acting === undefined) continue
        if (one.do === 'join' && !acting.isHere) acting.join(room)
        else if (one.do === 'leave' && acting !== first) acting.leave()
        else if (one.do === 'move') acting.awareness.setLocalState({ name: acting.name, cursor: (moves += 1) })
        else if (one.do === 'hide') acting.awareness.setLocalState(null)
        else if (one.do === 'deliver') acting.deliver()
        else if (one.do === 'wait') {
          await settled()
          await environment.advance(one.ms)
        }
      }
      const said = new Map(pages.map((one) => [one.id, one.awareness.getLocalState()]))
      for (let round = 0; round < 6; round++) {
        for (const one of pages) one.deliver()
        await settled()
        await environment.advance(100)
      }
      const here = pages.filter(({ isHere }) => isHere)
      for (const one of here) {
        expect(one.awareness.getLocalState()).toEqual(said.get(one.id))
        const known = new Map([...one.awareness.getStates()].filter(([client]) => client !== one.id))
        const others = here.filter((other) => other !== one && said.get(other.id) !== null)
        expect(known).toEqual(new Map(others.map((other) => [other.id, said.get(other.id)])))
      }
      for (const one of pages) one.awareness.destroy()
    }),
    { numRuns: 300 },
  )
})
