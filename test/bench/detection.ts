import { setTimeout as delay } from 'node:timers/promises'
import * as Y from 'yjs'
import { OfflineMergeJudge } from '../../server/conflicts/offlineMergeJudge.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { Departures } from '../../server/sync/departures.ts'
import { DEFAULT_SYNC_LIMITS } from '../../server/sync/limits.ts'
import type { Channel } from '../../server/sync/member.ts'
import { decodeMessage, encodeMessage } from '../../server/sync/yProtocol.ts'
import { EMPTY_UPDATE } from '../../server/sync/messages.ts'
import { Room, type Seat } from '../../server/sync/room.ts'
import { SeenVersions } from '../../server/sync/seenVersions.ts'
import { ALICE, BOB, startCore } from '../support/documentCore.ts'
import { frames } from '../support/rawClient.ts'
import { median } from './processes.ts'

const KEYSTROKES = 4_000
const WARM_UP_ROUNDS = 2
const ROUNDS = 12
/** Keystrokes on their way at one time. */
const BURST = 8

/** What it costs on the keystroke path to know what sessions in sync have seen: the CPU of an update with and without. */
export async function detection(): Promise<void> {
  const ratios: number[] = []
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
    // In turns, which of the two comes first, for the machine slows down and speeds up.
    const order = round % 2 === 0 ? (['on', 'off'] as const) : (['off', 'on'] as const)
    const cost = { on: 0, off: 0 }
    for (const which of order) cost[which] = await (which === 'on' ? cpuOfTyping() : withoutDetection(cpuOfTyping))
    if (round >= WARM_UP_ROUNDS) ratios.push(cost.on / cost.off)
  }
  console.log(`  CPU of a keystroke, detection on against off: ${median(ratios).toFixed(3)} (wanted: at most 1.05)`)
}

/** Nothing is noted of what sessions were sent: so nobody ever seems to lack anything, and no ping asks. */
async function withoutDetection<T>(task: () => Promise<T>): Promise<T> {
  const sent = Object.getOwnPropertyDescriptor(SeenVersions.prototype, 'sent')
  Object.defineProperty(SeenVersions.prototype, 'sent', {
    value(this: SeenVersions) {
      return this
    },
    configurable: true,
  })
  try {
    return await task()
  } finally {
    if (sent) Object.defineProperty(SeenVersions.prototype, 'sent', sent)
  }
}

/** Microseconds of this process for one keystroke, typed by one session and shown to another, storage included. */
async function cpuOfTyping(): Promise<number> {
  const core = await startCore()
  try {
    await core.create('doc', 'Some text to begin with.\n')
    const lease = await core.lease('doc')
    const room = new Room({
      lease,
      judge: new OfflineMergeJudge(core.storage, core.committer, core.environment),
      departures: new Departures(),
      keeper: { keep: () => Promise.resolve(), bytes: () => 0 },
      limits: DEFAULT_SYNC_LIMITS,
      environment: systemEnvironment,
      onClosed: () => undefined,
      onGivenUp: () => undefined,
      onUnexpected: (error) => console.error(error),
    })
    const updates = keystrokes(Y.encodeStateAsUpdate(lease.replica.doc))
    const [typist, reader] = [new Client(room, ALICE), new Client(room, BOB)]
    // Until both are known to be in sync.
    await delay(200)
    const before = process.cpuUsage()
    for (const [index, update] of updates.entries()) {
      typist.send(frames.update(update))
      if (index % BURST === 0) await lease.replica.whenCommitted(lease.replica.appliedVersion)
    }
    await lease.replica.whenCommitted(lease.replica.appliedVersion)
    const { user, system } = process.cpuUsage(before)
    for (const client of [typist, reader]) client.leave()
    const shown = reader.text().length
    if (shown < updates.length) throw new Error(`only ${shown} keystrokes were shown`)
    return (user + system) / updates.length
  } finally {
    await core.stop()
  }
}

/** A line without a network, whose questions are answered at once. */
class Client implements Channel {
  /** Each may bring what several keystrokes did. */
  readonly #updates: Uint8Array[] = []
  frameOf = encodeMessage
  readonly #seat: Seat

  constructor(room: Room, name: typeof ALICE) {
    this.#seat = room.join(this, name, 'write')
    this.send(frames.syncStep1())
  }

  send(frame: Uint8Array): void {
    const message = decodeMessage(frame)
    if (message.type === 'malformed') throw new Error(message.reason)
    this.#seat.receive(message)
  }

  leave(): void {
    this.#seat.leave()
  }

  write(frame: Uint8Array, taken: () => void): void {
    const message = decodeMessage(frame)
    if (message.type === 'update' || message.type === 'sync-step-2') this.#updates.push(message.update)
    taken()
    if (message.type === 'sync-step-1') queueMicrotask(() => this.send(frames.syncStep2(EMPTY_UPDATE)))
  }

  /** What it was shown of the text. */
  text(): string {
    const doc = new Y.Doc()
    for (const update of this.#updates) Y.applyUpdate(doc, update)
    return doc.getText('content').toString()
  }

  pause(): void {}
  resume(): void {}
  close(code: string, reason: string): void {
    throw new Error(`closed: ${code} ${reason}`)
  }
}

function keystrokes(state: Uint8Array): Uint8Array[] {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, state)
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => updates.push(update))
  const text = doc.getText('content')
  for (let n = 0; n < KEYSTROKES; n++) text.insert(text.length, 'x')
  return updates
}
