import { expect } from 'vitest'
import { systemEnvironment, type Environment } from '../../server/foundation/environment.ts'
import { formatCursor } from '../../server/notifications/envelope.ts'
import type { NewEvent } from '../../server/model/event.ts'
import type { HubLimits } from '../../server/notifications/hub.ts'
import { FakeFeedStorage, id } from './fakeFeed.ts'
import { startHub, tokenOf, type HubClient, type HubServer } from './hubServer.ts'
import { ManualEnvironment } from './manualEnvironment.ts'

// Of the test at hand, since `start`.
export let server: HubServer
export let storage: FakeFeedStorage
let committed: number

export async function stop(): Promise<void> {
  await server.stop()
  expect(server.unexpected).toEqual([])
}

export async function start(
  environment: Environment = systemEnvironment,
  limits: Partial<HubLimits> = {},
): Promise<void> {
  storage = new FakeFeedStorage(() => environment.now())
  server = await startHub(storage, environment, limits)
  committed = 0
}

export async function startManual(limits: Partial<HubLimits> = {}): Promise<ManualEnvironment> {
  const environment = new ManualEnvironment()
  await start(environment, limits)
  return environment
}

/** Commits one event of each document; its data counts up. */
export function commit(...documents: string[]): void {
  storage.commit(documents.map((document) => event(document)))
}

export const event = (document: string, filler = ''): NewEvent => ({
  type: 'parley.conflict.detected',
  document: id(document),
  data: { n: ++committed, filler },
})

export const cursorAt = (sequence: number, epoch = storage.epoch): string =>
  formatCursor(epoch, { ...storage.pointAt(sequence), told: null, change: null })

/** An authenticated client. */
export async function client(patterns = '*', more = ''): Promise<HubClient> {
  const connected = await server.connect(`?token=${encodeURIComponent(tokenOf('alice', patterns))}${more}`)
  await connected.next('welcome')
  return connected
}

export const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n)
