import type { Content } from '../../server/content/content.ts'
import { OfflineMergeJudge } from '../../server/conflicts/offlineMergeJudge.ts'
import { showConflict, sidesOf, type ShownConflict } from '../../server/conflicts/show.ts'
import type { Replica } from '../../server/documents/replica.ts'
import type { LeftEdits } from '../../server/documents/waitingEdits.ts'
import type { ParleyError } from '../../server/foundation/problems.ts'
import type { Sides } from '../../server/content/merge.ts'
import type { ConflictRecord } from '../../server/model/conflict.ts'
import { Departures } from '../../server/sync/departures.ts'
import { DEFAULT_SYNC_LIMITS, type SyncLimits } from '../../server/sync/limits.ts'
import { Room } from '../../server/sync/room.ts'
import { id, startCore, type DocumentCore } from './documentCore.ts'
import { settled } from './manualEnvironment.ts'
import { SimulatedClient } from './simulatedClient.ts'

/** Edits that are closer in time than this count as made at the same time. */
export const WINDOW_MS = 2_000

/** Simulated clients in one room on a real replica and a real SQLite file, with a clock that obeys the test. */
export class LiveScene {
  readonly core: DocumentCore
  readonly room: Room<Replica>
  readonly clients: SimulatedClient[] = []
  readonly unexpected: unknown[] = []
  /** What sessions left that wait on disk. */
  readonly kept: LeftEdits[] = []
  readonly givenUp: ParleyError[] = []

  private constructor(core: DocumentCore, replica: Replica, release: () => void, limits: SyncLimits) {
    this.core = core
    this.room = new Room<Replica>({
      lease: { replica, release },
      judge: new OfflineMergeJudge(core.storage, core.committer, core.environment),
      keeper: { keep: async (_, left) => void this.kept.push(left), bytes: () => 0 },
      departures: new Departures(),
      limits,
      environment: core.environment,
      onClosed: () => undefined,
      onGivenUp: (_, problem) => void this.givenUp.push(problem),
      onUnexpected: (error) => this.unexpected.push(error),
    })
    // Somebody always looks on, so that the room stays when all others are away.
    new SimulatedClient('onlooker', 1, replica.head.kind).connect(this.room, 'read')
  }

  static async start(
    content: Content,
    limits: Partial<SyncLimits> = {},
    options: Parameters<typeof startCore>[0] = {},
  ): Promise<LiveScene> {
    const core = await startCore(options)
    await core.create('doc', content)
    const { replica, release } = await core.lease('doc')
    return new LiveScene(core, replica, release, { ...DEFAULT_SYNC_LIMITS, ...limits })
  }

  get replica(): Replica {
    return this.room.replica
  }

  /** What the server holds. */
  get content(): Content {
    return this.replica.content()
  }

  async join(name: string, clientId: number): Promise<SimulatedClient> {
    const client = new SimulatedClient(name, clientId, this.replica.head.kind)
    this.clients.push(client)
    client.connect(this.room)
    await this.settle()
    return client
  }

  /** Everything that is under way arrives, and what comes of it, until nothing is. */
  async settle(clients: readonly SimulatedClient[] = this.clients): Promise<void> {
    for (let quiet = 0; quiet < 3;) {
      let moved = false
      for (const client of clients) {
        if (client.deliverUp()) moved = true
        if (client.deliverDown()) moved = true
      }
      await settled()
      await this.room.settled()
      await this.core.committer.settled(this.replica.id)
      quiet = moved ? 0 : quiet + 1
    }
    const [error] = this.unexpected
    if (error !== undefined) throw new Error('a session failed unexpectedly', { cause: error })
  }

  /** Time passes in which nobody does anything, so that every mark that is due is sent and answered. */
  async pass(ms: number): Promise<void> {
    await this.core.environment.advance(ms)
    await this.settle()
  }

  /** Every conflict in full, oldest first. */
  async conflicts(): Promise<ShownConflict[]> {
    const shown: ShownConflict[] = []
    for (const record of await this.#records())
      shown.push(await showConflict(this.core.storage, record, { contents: true }))
    return shown
  }

  /** The sides of every conflict, however long, oldest first. */
  async sides(): Promise<Sides[]> {
    const sides: Sides[] = []
    for (const record of await this.#records()) sides.push(await sidesOf(this.core.storage, record))
    return sides
  }

  async #records(): Promise<ConflictRecord[]> {
    const found = await this.core.storage.conflicts({ patterns: [{ exact: id('doc') }], before: null, limit: 500 })
    return found.toReversed()
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.disconnect()
    await this.room.settled()
    await this.core.stop()
  }
}

/** Alice and bob before a text of three lines, who have proved that they see it. */
export async function aliceAndBob(
  limits: Partial<SyncLimits> = {},
): Promise<{ scene: LiveScene; alice: SimulatedClient; bob: SimulatedClient }> {
  const scene = await LiveScene.start('one\ntwo\nthree', limits)
  const [alice, bob] = [await scene.join('alice', 3), await scene.join('bob', 5)]
  await scene.pass(WINDOW_MS)
  return { scene, alice, bob }
}

export const plain = (client: SimulatedClient, kind: 'text' | 'json'): Content =>
  kind === 'text' ? client.doc.getText('content').toString() : client.doc.getMap('content').toJSON()
