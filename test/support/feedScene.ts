import { Feed } from '../../server/notifications/feed.ts'
import { parseCursor, type Cursor } from '../../server/notifications/envelope.ts'
import { anEvent, FakeFeedStorage } from './fakeFeed.ts'
import { ManualEnvironment } from './manualEnvironment.ts'

// Of the test at hand, since `start`.
export let environment: ManualEnvironment
export let storage: FakeFeedStorage
export let feed: Feed

/** A feed with nothing in it, over a storage in memory and a clock that obeys the test. */
export async function start(): Promise<void> {
  environment = new ManualEnvironment()
  storage = new FakeFeedStorage(() => environment.now())
  feed = await Feed.open({ storage, environment, source: () => 'https://parley.test' })
}

/** Lets the feed tell what it has to tell; no clock moves. */
export const told = (): Promise<void> => environment.advance(0)

export const at = (sequence: number): Cursor => ({ ...storage.pointAt(sequence), told: null, change: null })

export const cursor = (text: string | undefined): Cursor => {
  const parsed = parseCursor(text ?? '', storage.epoch)
  if (parsed === null || parsed === 'foreign') throw new Error(`${text} is no cursor of this feed`)
  return parsed
}

export const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n)

export function commitMany(count: number, document: (n: number) => string = (n) => `doc${n % 3}`): void {
  for (let n = 0; n < count; n++) storage.commit([anEvent(document(n))])
}
